// The one sentence on top. When the page hears nothing it says so instead, with how old all else is.

import type { ReactNode } from "react";
import { age, clock } from "../format";
import { Glyph, type Mood } from "./parts/Badge";
import { useNow } from "./parts/now";
import { useLive } from "./stream/store";
import { TONES } from "./words";

/** Without news for longer than this, figures are not shown as if they were present. */
export const OLD_AFTER_MS = 5_000;

/** Whether what is shown may no longer be so. */
export function useIsOld(): boolean {
  const heard = useLive((live) => live.heard);
  const isLost = useLive((live) => live.link.phase === "lost");
  const now = useNow();
  return heard > 0 && now - heard > OLD_AFTER_MS && (isLost || now - heard > 3 * OLD_AFTER_MS);
}

export function StateLine(): ReactNode {
  const overview = useLive((live) => live.overview);
  const link = useLive((live) => live.link);
  const heard = useLive((live) => live.heard);
  const now = useNow();
  const isOld = useIsOld();
  if (heard === 0) {
    return (
      <Line mood="quiet">
        {link.phase === "lost" ? `No connection to the API. ${retry(link, now)}` : "Connecting …"}
      </Line>
    );
  }
  if (isOld || (link.phase === "lost" && now - link.since > OLD_AFTER_MS)) {
    return (
      <Line mood="bad">
        <b>Not live for {age((now - heard) / 1000)}.</b> What you see is from {clock(heard)}.{" "}
        {link.phase === "lost" ? retry(link, now) : "Trading goes on without this page."}
      </Line>
    );
  }
  if (overview === null) return <Line mood="quiet">Connecting …</Line>;
  return <Line mood={TONES[overview.tone]}>{overview.sentence}</Line>;
}

function retry(link: { phase: "lost"; retryAt: number; why: string }, now: number): string {
  const in_s = Math.max(0, Math.ceil((link.retryAt - now) / 1000));
  return `${link.why} ${in_s > 0 ? `Trying again in ${in_s} s.` : "Trying again now."}`.trim();
}

function Line({ mood, children }: { mood: Mood; children: ReactNode }): ReactNode {
  return (
    <p className={`sentence ${mood}`} data-testid="sentence">
      <Glyph mood={mood} />
      <span>{children}</span>
    </p>
  );
}
