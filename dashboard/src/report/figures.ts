// The figures a report shows: their names on the page, what they mean, and which way is better.
// docs/metrics.md has the formulas.

import { change, count, money, number, percent } from "../format";
import type { Run } from "./document";

export interface Figure {
  key: string;
  label: string;
  meaning: string;
  shown: (value: number | null) => string;
  /** 1 when more is better, -1 when less is; 0 when neither. */
  better: -1 | 0 | 1;
  /** In the quote asset, which the label then names. */
  money?: boolean;
  /** Green above zero, red below. */
  signed?: boolean;
  /** Among the first that a reader sees. */
  headline?: boolean;
}

const days = (value: number | null): string =>
  value === null ? number(value) : `${number(value, 1)} days`;

export const FIGURES: Figure[] = [
  {
    key: "return_pct",
    label: "Return",
    shown: (v) => change(v),
    better: 1,
    signed: true,
    headline: true,
    meaning: "Final equity over the cash at the start.",
  },
  {
    key: "buy_hold_return_pct",
    label: "Buy and hold",
    shown: (v) => change(v),
    better: 0,
    signed: true,
    headline: true,
    meaning: "What the price did from the first close to the last, without fees; of several symbols equal parts.",
  },
  {
    key: "max_drawdown_pct",
    label: "Max drawdown",
    shown: (v) => percent(v),
    better: -1,
    headline: true,
    meaning: "The deepest fall of equity from an earlier peak, over all bars.",
  },
  {
    key: "sharpe",
    label: "Sharpe",
    shown: (v) => number(v),
    better: 1,
    headline: true,
    meaning: "Mean daily return over its deviation, per year of 365 days, riskless rate zero.",
  },
  {
    key: "win_rate_pct",
    label: "Win rate",
    shown: (v) => percent(v, 1),
    better: 1,
    headline: true,
    meaning: "Finished round trips that earned something after fees.",
  },
  {
    key: "final_equity",
    label: "Final equity",
    shown: money,
    money: true,
    better: 1,
    headline: true,
    meaning: "With the open position at the last close.",
  },
  {
    key: "cagr_pct",
    label: "CAGR",
    shown: (v) => change(v),
    better: 1,
    signed: true,
    meaning: "The yearly growth that would have led to the same result.",
  },
  {
    key: "sortino",
    label: "Sortino",
    shown: (v) => number(v),
    better: 1,
    meaning: "As Sharpe, with the losses alone as risk.",
  },
  {
    key: "calmar",
    label: "Calmar",
    shown: (v) => number(v),
    better: 1,
    meaning: "CAGR over max drawdown.",
  },
  {
    key: "longest_drawdown_days",
    label: "Longest drawdown",
    shown: days,
    better: -1,
    meaning: "From a peak until equity was there again, or until the end.",
  },
  {
    key: "exposure_pct",
    label: "Time in market",
    shown: (v) => percent(v, 1),
    better: 0,
    meaning: "Bars at whose close a position was held.",
  },
  {
    key: "profit_factor",
    label: "Profit factor",
    shown: (v) => number(v),
    better: 1,
    meaning: "What winning round trips earned over what losing ones lost.",
  },
  {
    key: "round_trips",
    label: "Round trips",
    shown: (v) => count(v ?? NaN),
    better: 0,
    meaning: "From flat to flat; one that is still open is not counted.",
  },
  {
    key: "fills",
    label: "Fills",
    shown: (v) => count(v ?? NaN),
    better: 0,
    meaning: "Executions of orders.",
  },
  {
    key: "fees",
    label: "Fees",
    shown: money,
    money: true,
    better: -1,
    meaning: "What all fills cost, at their own prices.",
  },
  {
    key: "orders",
    label: "Orders",
    shown: (v) => count(v ?? NaN),
    better: 0,
    meaning: "Orders that were made.",
  },
  {
    key: "rejected",
    label: "Rejected",
    shown: (v) => count(v ?? NaN),
    better: 0,
    meaning: "Orders refused by a limit or by the exchange's rules.",
  },
  {
    key: "ambiguous_bars",
    label: "Ambiguous bars",
    shown: (v) => count(v ?? NaN),
    better: 0,
    meaning: "Bars that reached both stop and target; the stop was taken.",
  },
];

/** The figure's value: money comes as text, what is undefined as null. */
export function valueOf(run: Run, figure: Figure): number | null {
  const value = run.stats[figure.key];
  return value === null || value === undefined ? null : Number(value);
}

/** The label, with the unit where the value is money. */
export function labelOf(figure: Figure, run: Run): string {
  return figure.money && run.quote !== "" ? `${figure.label}, ${run.quote}` : figure.label;
}
