// A state: a shape and a word. Colour only repeats what both say.

import type { ReactNode } from "react";

export type Mood = "good" | "busy" | "bad" | "quiet";

const GLYPHS: Record<Mood, string> = { good: "●", busy: "▲", bad: "■", quiet: "○" };

export function Badge({ mood, children }: { mood: Mood; children: ReactNode }): ReactNode {
  return (
    <span className={`badge ${mood}`}>
      <Glyph mood={mood} />
      <span>{children}</span>
    </span>
  );
}

export function Glyph({ mood }: { mood: Mood }): ReactNode {
  return (
    <span className="glyph" aria-hidden="true">
      {GLYPHS[mood]}
    </span>
  );
}
