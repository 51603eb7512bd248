// Live candles of one market, with the fills in it and the orders that rest there.

import {
  CandlestickSeries,
  LineStyle,
  createSeriesMarkers,
  type IChartApi,
  type IPriceLine,
  type UTCTimestamp,
} from "lightweight-charts";
import type { ReactNode } from "react";
import { price } from "../format";
import type { Palette } from "../theme/theme";
import { LiveChart, grow, pointAt, writtenAs, type LiveDrawing } from "./LiveChart";
import { cluster, type MarkedFill } from "./markers";

/** Time in seconds, of the open. */
export interface Candle {
  time: UTCTimestamp;
  open: number;
  high: number;
  low: number;
  close: number;
}

export interface ChartFill {
  at_s: number;
  buy: boolean;
}

export interface WorkingLine {
  id: string;
  buy: boolean;
  price: number;
}

export interface CandleData {
  candles: readonly Candle[];
  fills: readonly ChartFill[];
  working: readonly WorkingLine[];
}

interface Props {
  label: string;
  height: number;
  palette: Palette;
  data: CandleData;
  onPoint?: (at: number | null) => void;
}

/** Change `key` to begin anew with another market or timeframe. */
export function CandleChart({ label, height, palette, data, onPoint }: Props): ReactNode {
  return (
    <LiveChart
      label={label}
      height={height}
      palette={palette}
      data={data}
      draw={draw}
      {...(onPoint === undefined ? {} : { onPoint })}
    />
  );
}

function draw(chart: IChartApi): LiveDrawing<CandleData> {
  const series = chart.addSeries(CandlestickSeries, { borderVisible: false, ...writtenAs(price) });
  const markers = createSeriesMarkers(series, []);
  let shown: readonly Candle[] = [];
  let before: CandleData | null = null;
  let marked: MarkedFill[] = [];
  let times: UTCTimestamp[] = [];
  let colours: Palette | null = null;
  let asked = 0;
  const lines = new Map<string, { line: IPriceLine; order: WorkingLine }>();

  const mark = (): void => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(() => {
      const range = chart.timeScale().getVisibleLogicalRange();
      if (range === null || colours === null) return;
      const width = chart.timeScale().width();
      markers.setMarkers(cluster(marked, times, range.from, range.to, width, colours));
    });
  };
  chart.timeScale().subscribeVisibleLogicalRangeChange(mark);

  return {
    show: ({ candles, fills, working }, palette) => {
      const isRecoloured = colours !== palette;
      if (isRecoloured) {
        colours = palette;
        const { up, down, neutral } = palette;
        series.applyOptions({
          upColor: up,
          downColor: down,
          wickUpColor: up,
          wickDownColor: down,
          priceLineColor: neutral,
        });
        for (const { line } of lines.values()) series.removePriceLine(line);
        lines.clear();
      }
      const isLonger = candles.length !== shown.length || candles[0] !== shown[0];
      shown = grow(shown, candles, series);
      if (isRecoloured || isLonger || fills !== before?.fills) {
        times = shown.map((candle) => candle.time);
        marked = fills
          .map((fill) => ({ point: pointAt(times, fill.at_s), buy: fill.buy }))
          .filter((fill) => fill.point >= 0)
          .sort((one, other) => one.point - other.point);
        mark();
      }
      if (isRecoloured || working !== before?.working) rest(working, palette);
      before = { candles, fills, working };
    },
    leave: () => cancelAnimationFrame(asked),
  };

  function rest(working: readonly WorkingLine[], palette: Palette): void {
    const wanted = new Map(working.map((order) => [order.id, order]));
    for (const [id, { line, order }] of lines) {
      const now = wanted.get(id);
      if (now?.price === order.price) continue;
      series.removePriceLine(line);
      lines.delete(id);
    }
    for (const order of working) {
      if (lines.has(order.id)) continue;
      const line = series.createPriceLine({
        price: order.price,
        color: faint(order.buy ? palette.up : palette.down),
        lineWidth: 1,
        lineStyle: LineStyle.Dashed,
        axisLabelVisible: false,
      });
      lines.set(order.id, { line, order });
    }
  }
}

/** A grid of orders must not hide the candles. */
function faint(colour: string): string {
  return `${colour}80`;
}
