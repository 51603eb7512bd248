// Equity, and below it how far it is under an earlier peak.

import { AreaSeries, BaselineSeries, type IChartApi, type UTCTimestamp } from "lightweight-charts";
import type { ReactNode } from "react";
import { money, percent } from "../format";
import type { Palette } from "../theme/theme";
import { LiveChart, grow, writtenAs, type LiveDrawing } from "./LiveChart";

export interface EquityPoint {
  time: UTCTimestamp;
  value: number;
  drawdown_pct: number;
}

interface Props {
  label: string;
  height: number;
  palette: Palette;
  data: readonly EquityPoint[];
  onPoint?: (at: number | null) => void;
}

export function EquityChart({ label, height, palette, data, onPoint }: Props): ReactNode {
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

function draw(chart: IChartApi): LiveDrawing<readonly EquityPoint[]> {
  const equity = chart.addSeries(AreaSeries, { lineWidth: 2, ...writtenAs(money) });
  const drawdown = chart.addSeries(
    BaselineSeries,
    {
      baseValue: { type: "price", price: 0 },
      lineWidth: 1,
      priceLineVisible: false,
      ...writtenAs((value) => percent(value, 1)),
    },
    1,
  );
  chart.panes()[0]?.setStretchFactor(3);
  chart.panes()[1]?.setStretchFactor(1);
  let above: readonly { time: UTCTimestamp; value: number }[] = [];
  let below: readonly { time: UTCTimestamp; value: number }[] = [];
  let colours: Palette | null = null;
  return {
    show: (points, palette) => {
      if (colours !== palette) {
        colours = palette;
        equity.applyOptions({
          lineColor: palette.accent,
          topColor: palette.accentSoft,
          bottomColor: "transparent",
        });
        drawdown.applyOptions({
          topLineColor: palette.down,
          bottomLineColor: palette.down,
          bottomFillColor1: palette.downSoft,
          bottomFillColor2: palette.downSoft,
        });
      }
      const isFirst = above.length === 0;
      above = grow(above, points.map(({ time, value }) => ({ time, value })), equity);
      below = grow(
        below,
        points.map(({ time, drawdown_pct }) => ({ time, value: drawdown_pct })),
        drawdown,
      );
      if (isFirst) chart.timeScale().fitContent();
    },
  };
}
