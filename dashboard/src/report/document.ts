// What the Python side wrote into the page (src/holdfast/lab/payload.py has the same shapes),
// unfolded into columns that are ready to draw.

import type { UTCTimestamp } from "lightweight-charts";

const FORMAT = 2;

export type Stats = Record<string, number | string | null>;

export interface Grid {
  bars_per_point: number;
  equity: number[];
  hold: number[];
  drawdown_pct: number[];
  /** Closes, seconds UTC, ascending. */
  times: UTCTimestamp[];
}

/** One symbol's candles and the position in it, at the points of the grid. */
export interface Market {
  symbol: string;
  open: number[];
  high: number[];
  low: number[];
  close: number[];
  exposure_pct: number[];
}

export interface Month {
  year: number;
  month: number;
  return_pct: number | null;
}

export interface Fill {
  at: UTCTimestamp;
  buy: boolean;
  /** Exact, as text. */
  quantity: string;
  price: string;
  fee: string;
  feeAsset: string;
  symbol: string;
}

export interface Trip {
  opened: UTCTimestamp;
  closed: UTCTimestamp;
  symbol: string;
  entry: number;
  exit: number;
  profit: number;
  return_pct: number;
}

export interface Provenance {
  data_sha256: string;
  strategy_sha256: string;
  params: Record<string, unknown>;
  version: string;
  seed: number | null;
}

export interface Run {
  label: string;
  name: string;
  /** What was traded; several symbols with commas between them. */
  symbol: string;
  /** What all of them are paid in. */
  quote: string;
  timeframe: string;
  cash: string;
  stats: Stats;
  provenance: Provenance;
  assumptions: Record<string, string>;
  grid: Grid;
  markets: Market[];
  months: Month[];
  fills: Fill[];
  fillsTotal: number;
  trips: Trip[];
  tripsTotal: number;
}

interface Steps {
  first_s: number;
  steps_s: number[];
}

interface StoredFills extends Steps {
  total: number;
  buys: number[];
  quantity: string[];
  price: string[];
  fee: string[];
  fee_asset: string[];
  symbol: string[];
}

interface StoredTrips {
  total: number;
  first: number[];
  last: number[];
  entry: number[];
  exit: number[];
  profit: number[];
  return_pct: number[];
}

interface StoredRun
  extends Omit<Run, "quote" | "grid" | "fills" | "trips" | "fillsTotal" | "tripsTotal"> {
  grid: Omit<Grid, "times"> & Steps;
  fills: StoredFills;
  trips: StoredTrips;
}

/** The runs in this page; throws with a sentence for the reader when it has none. */
export function readRuns(): Run[] {
  const text = document.getElementById("runs")?.textContent ?? "";
  const found = JSON.parse(text) as { format?: number; runs?: StoredRun[] } | string;
  if (typeof found === "string" || found.runs === undefined) {
    throw new Error('This is the empty page of a report. Write one with report("file.html").');
  }
  if (found.format !== FORMAT) {
    throw new Error(`The data has format ${found.format}, this page reads ${FORMAT}.`);
  }
  return found.runs.map(unfold);
}

function unfold(stored: StoredRun): Run {
  const { grid, fills, trips, ...rest } = stored;
  const listed = unfoldFills(fills);
  return {
    ...rest,
    quote: rest.markets[0]?.symbol.split("/")[1] ?? "",
    grid: { ...grid, times: times(grid, grid.equity.length) },
    fills: listed,
    fillsTotal: fills.total,
    trips: unfoldTrips(trips, listed),
    tripsTotal: trips.total,
  };
}

function unfoldFills(stored: StoredFills): Fill[] {
  const at = times(stored, stored.buys.length);
  return stored.buys.map((buy, index) => ({
    at: at[index] as UTCTimestamp,
    buy: buy === 1,
    quantity: stored.quantity[index] ?? "",
    price: stored.price[index] ?? "",
    fee: stored.fee[index] ?? "",
    feeAsset: stored.fee_asset[stored.fee_asset.length === 1 ? 0 : index] ?? "",
    symbol: stored.symbol[stored.symbol.length === 1 ? 0 : index] ?? "",
  }));
}

function unfoldTrips(stored: StoredTrips, fills: Fill[]): Trip[] {
  return stored.first.flatMap((first, index) => {
    const opening = fills[first];
    const closing = fills[stored.last[index] ?? -1];
    if (opening === undefined || closing === undefined) return [];
    return {
      opened: opening.at,
      closed: closing.at,
      symbol: opening.symbol,
      entry: stored.entry[index] ?? NaN,
      exit: stored.exit[index] ?? NaN,
      profit: stored.profit[index] ?? NaN,
      return_pct: stored.return_pct[index] ?? NaN,
    };
  });
}

function times({ first_s, steps_s }: Steps, length: number): UTCTimestamp[] {
  const found: UTCTimestamp[] = [];
  let at = first_s;
  for (let index = 0; index < length; index += 1) {
    if (index > 0) at += steps_s[index - 1] ?? 0;
    found.push(at as UTCTimestamp);
  }
  return found;
}
