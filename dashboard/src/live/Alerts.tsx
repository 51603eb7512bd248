// What happened that somebody should know of, newest first.

import type { ReactNode } from "react";
import { when } from "../format";
import { Badge, type Mood } from "./parts/Badge";
import { Card } from "./parts/Card";
import { useLive } from "./stream/store";

const MOODS: Record<string, Mood> = { error: "bad", warning: "busy", info: "quiet" };
const SHOWN = 8;

/** Nothing at all while there is nothing to tell. */
export function Alerts(): ReactNode {
  const alerts = useLive((live) => live.alerts);
  if (alerts.length === 0) return null;
  return (
    <Card title="News" sub="since this page was opened">
      <ul className="news">
        {alerts.slice(0, SHOWN).map(({ id, at, level, text }) => (
          <li key={id}>
            <time>{when(at)}</time>
            <Badge mood={MOODS[level] ?? "quiet"}>{text}</Badge>
          </li>
        ))}
      </ul>
    </Card>
  );
}
