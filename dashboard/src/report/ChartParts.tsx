// What several charts share: how their series look, the legend, and buttons that stay pressed.

import type { UTCTimestamp } from "lightweight-charts";
import type { ReactNode } from "react";
import type { Grid } from "./document";
import { moment } from "../format";

export const QUIET = {
  lastValueVisible: false,
  priceLineVisible: false,
  crosshairMarkerRadius: 3,
} as const;

export function line(grid: Grid, values: number[]): { time: UTCTimestamp; value: number }[] {
  return grid.times.map((time, at) => ({ time, value: values[at] ?? NaN }));
}

export function Legend({
  at,
  children,
}: {
  at: number | undefined;
  children: ReactNode;
}): ReactNode {
  return (
    <figcaption className="legend">
      <time>{moment(at ?? 0)}</time>
      {children}
    </figcaption>
  );
}

export function Key({
  colour,
  label,
  value,
}: {
  colour?: string;
  label: string;
  value: string;
}): ReactNode {
  return (
    <span className="key">
      {colour !== undefined && <i className="swatch" style={{ background: colour }} />}
      {label} <b>{value}</b>
    </span>
  );
}

export function Toggle({
  on,
  set,
  label,
}: {
  on: boolean;
  set: (on: boolean) => void;
  label: string;
}): ReactNode {
  return (
    <button type="button" aria-pressed={on} onClick={() => set(!on)}>
      {label}
    </button>
  );
}
