// Figures in the text: signs always there, units always there, colour on top.

import type { ReactNode } from "react";
import { change, signed } from "../../format";

/** What was won or lost, with its sign; "–" where it is not known. */
export function Gain({
  value,
  unit,
  decimals = 2,
}: {
  value: number | string | null | undefined;
  unit?: string | undefined;
  decimals?: number;
}): ReactNode {
  const amount = toNumber(value);
  return (
    <span className={sideOf(amount)}>
      {signed(amount, decimals)}
      {unit !== undefined && <Unit>{unit}</Unit>}
    </span>
  );
}

export function GainPct({ value }: { value: number | null | undefined }): ReactNode {
  return <span className={sideOf(value)}>{change(value)}</span>;
}

export function Unit({ children }: { children: ReactNode }): ReactNode {
  return <span className="unit">{"\u202f"}{children}</span>;
}

export function toNumber(value: number | string | null | undefined): number | null {
  return value === null || value === undefined || value === "" ? null : Number(value);
}

function sideOf(value: number | null | undefined): string | undefined {
  if (value === null || value === undefined || Math.abs(value) < 0.005) return undefined;
  return value > 0 ? "gain" : "loss";
}
