// Light and dark: the reader's choice, else the system's. Charts take their colours from the CSS.

import { useEffect, useState } from "react";

export type Choice = "auto" | "light" | "dark";

export interface Palette {
  text: string;
  muted: string;
  grid: string;
  line: string;
  card: string;
  accent: string;
  accentSoft: string;
  neutral: string;
  up: string;
  down: string;
  downSoft: string;
  runs: string[];
}

/** The colours in force now. */
export function paletteNow(): Palette {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    text: of("text"),
    muted: of("muted"),
    grid: of("grid"),
    line: of("line"),
    card: of("card"),
    accent: of("accent"),
    accentSoft: of("accent-soft"),
    neutral: of("neutral"),
    up: of("up"),
    down: of("down"),
    downSoft: of("down-soft"),
    runs: [1, 2, 3, 4, 5, 6, 7, 8].map((run) => of(`run-${run}`)),
  };
}

export function useTheme(): { choice: Choice; choose: (next: Choice) => void; palette: Palette } {
  const [choice, choose] = useState<Choice>("auto");
  const [colours, setColours] = useState<Palette>(paletteNow);
  useEffect(() => {
    if (choice === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    setColours(paletteNow());
    const system = matchMedia("(prefers-color-scheme: dark)");
    const changed = (): void => setColours(paletteNow());
    system.addEventListener("change", changed);
    return () => system.removeEventListener("change", changed);
  }, [choice]);
  return { choice, choose, palette: colours };
}
