// Fills as markers on a price chart: every one when there is room, else how many there were.

import type { SeriesMarker, Time, UTCTimestamp } from "lightweight-charts";
import type { Palette } from "../theme/theme";

export interface MarkedFill {
  /** The point of the chart that the fill falls into. */
  point: number;
  buy: boolean;
}

// Arrows closer than this run into each other and hide the price.
const APART_PX = 40;

/** The point that covers `at`: a point is named by its close, and a fill at a close is the next one's. */
export function pointOf(times: UTCTimestamp[], at: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) > at) high = middle;
    else low = middle + 1;
  }
  return Math.min(low, times.length - 1);
}

/** Markers for the points `from` to `to`; neighbours that would overlap become one with a number. */
export function cluster(
  fills: MarkedFill[],
  times: UTCTimestamp[],
  from: number,
  to: number,
  width_px: number,
  palette: Palette,
): SeriesMarker<Time>[] {
  const width = clusterWidth(fills, from, to, width_px);
  const found: SeriesMarker<Time>[] = [];
  let bin = -1;
  let sides = { buys: 0, sells: 0, lastBuy: 0, lastSell: 0 };
  const flush = (): void => {
    const { buys, sells, lastBuy, lastSell } = sides;
    const both = [];
    if (buys > 0) both.push(marker(times[lastBuy], true, buys, palette));
    if (sells > 0) both.push(marker(times[lastSell], false, sells, palette));
    found.push(...both.sort((one, other) => Number(one.time) - Number(other.time)));
    sides = { buys: 0, sells: 0, lastBuy: 0, lastSell: 0 };
  };
  for (let index = firstAtOrAfter(fills, from); index < fills.length; index += 1) {
    const fill = fills[index] as MarkedFill;
    if (fill.point > to) break;
    // Counted from the chart's own start, so that clusters stay what they are while it is moved.
    const at = Math.floor(fill.point / width);
    if (at !== bin) flush();
    bin = at;
    if (fill.buy) {
      sides.buys += 1;
      sides.lastBuy = fill.point;
    } else {
      sides.sells += 1;
      sides.lastSell = fill.point;
    }
  }
  flush();
  return found;
}

/** How many points share a marker: one when the fills in sight have room, else a round number. */
function clusterWidth(fills: MarkedFill[], from: number, to: number, width_px: number): number {
  const room = Math.max(width_px / APART_PX, 4);
  if (firstAtOrAfter(fills, to) - firstAtOrAfter(fills, from) <= room * 2) return 1;
  return 2 ** Math.ceil(Math.log2(Math.max((to - from) / room, 1)));
}

function marker(
  at: UTCTimestamp | undefined,
  buy: boolean,
  many: number,
  palette: Palette,
): SeriesMarker<Time> {
  return {
    time: at as UTCTimestamp,
    position: buy ? "belowBar" : "aboveBar",
    shape: buy ? "arrowUp" : "arrowDown",
    color: buy ? palette.up : palette.down,
    ...(many > 1 ? { text: String(many) } : {}),
  };
}

function firstAtOrAfter(fills: MarkedFill[], point: number): number {
  let low = 0;
  let high = fills.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((fills[middle] as MarkedFill).point < point) low = middle + 1;
    else high = middle;
  }
  return low;
}
