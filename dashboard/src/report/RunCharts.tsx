// The charts of one run over the same points: equity, drawdown, prices with fills, exposure.

import {
  AreaSeries,
  BaselineSeries,
  LineSeries,
  PriceScaleMode,
  type IChartApi,
  type ISeriesApi,
  type UTCTimestamp,
} from "lightweight-charts";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { pointOf } from "../charts/markers";
import { ChartGroup } from "../charts/sync";
import type { Palette } from "../theme/theme";
import { TimeChart, type Drawing } from "../charts/TimeChart";
import { Key, Legend, QUIET, Toggle, line } from "./ChartParts";
import type { Grid, Run } from "./document";
import { change, count, number, percent, price } from "../format";
import { ExposureChart, PriceCharts, type Focus } from "./MarketCharts";

interface Props {
  run: Run;
  palette: Palette;
  focus: Focus | null;
}

export function RunCharts({ run, palette, focus }: Props): ReactNode {
  const group = useMemo(() => new ChartGroup(run.grid.times.length), [run]);
  const point = usePoint(group, run.grid.times.length);

  useEffect(() => {
    if (focus === null) return;
    const from = pointOf(run.grid.times, focus.from);
    const to = pointOf(run.grid.times, focus.to);
    const margin = Math.max(15, to - from);
    group.show(from - margin, to + margin);
  }, [focus, group, run]);

  const shared = { run, palette, group, point };
  return (
    <div className="charts">
      <EquityChart {...shared} />
      <DrawdownChart {...shared} />
      <PriceCharts {...shared} focus={focus} />
      <ExposureChart {...shared} />
      <Resolution grid={run.grid} timeframe={run.timeframe} />
    </div>
  );
}

interface ChartProps {
  run: Run;
  palette: Palette;
  group: ChartGroup;
  /** Which point the legends tell: the one pointed at, else the last. */
  point: number;
}

function EquityChart({ run, palette, group, point }: ChartProps): ReactNode {
  const { grid } = run;
  const [log, setLog] = useState(false);
  const [hold, setHold] = useState(true);
  const chart = useRef<IChartApi | null>(null);
  const holding = useRef<ISeriesApi<"Line"> | null>(null);
  const positive = useMemo(() => grid.equity.every((value) => value > 0), [grid]);

  useEffect(() => {
    chart.current
      ?.priceScale("right")
      .applyOptions({ mode: log ? PriceScaleMode.Logarithmic : PriceScaleMode.Normal });
  }, [log]);
  useEffect(() => holding.current?.applyOptions({ visible: hold }), [hold]);

  const draw = (made: IChartApi): Drawing => {
    const held = made.addSeries(LineSeries, { ...QUIET, lineWidth: 1, visible: hold });
    const equity = made.addSeries(AreaSeries, { ...QUIET, lineWidth: 2 });
    held.setData(line(grid, grid.hold));
    equity.setData(line(grid, grid.equity));
    holding.current = held;
    chart.current = made;
    return {
      main: equity,
      recolour: (colours) => {
        held.applyOptions({ color: colours.neutral });
        equity.applyOptions({
          lineColor: colours.accent,
          topColor: colours.accentSoft,
          bottomColor: "transparent",
        });
      },
    };
  };

  return (
    <TimeChart
      title="Equity"
      summary={`From ${number(Number(run.cash))} to ${number(grid.equity.at(-1))}, ${change(Number(run.stats.return_pct))}; the price ${change(Number(run.stats.buy_hold_return_pct))}.`}
      height={340}
      group={group}
      palette={palette}
      data={grid}
      draw={draw}
      format={price}
      legend={
        <Legend at={grid.times[point]}>
          <Key colour="var(--accent)" label="Strategy" value={number(grid.equity[point])} />
          <Key colour="var(--neutral)" label="Buy and hold" value={number(grid.hold[point])} />
        </Legend>
      }
      controls={
        <>
          <Toggle on={hold} set={setHold} label="Buy and hold" />
          {positive && <Toggle on={log} set={setLog} label="Log" />}
          <Spans group={group} times={grid.times} />
        </>
      }
    />
  );
}

function DrawdownChart({ run, palette, group, point }: ChartProps): ReactNode {
  const { grid } = run;
  const draw = (chart: IChartApi): Drawing => {
    const series = chart.addSeries(BaselineSeries, {
      ...QUIET,
      baseValue: { type: "price", price: 0 },
      lineWidth: 1,
    });
    series.setData(line(grid, grid.drawdown_pct));
    return {
      main: series,
      recolour: (colours) =>
        series.applyOptions({
          topLineColor: colours.down,
          bottomLineColor: colours.down,
          bottomFillColor1: colours.downSoft,
          bottomFillColor2: colours.downSoft,
        }),
    };
  };
  return (
    <TimeChart
      title="Drawdown"
      summary={`At worst ${percent(Number(run.stats.max_drawdown_pct))} below an earlier peak.`}
      height={170}
      group={group}
      palette={palette}
      data={grid}
      draw={draw}
      format={(value) => percent(value, 1)}
      legend={
        <Legend at={grid.times[point]}>
          <Key
            colour="var(--down)"
            label="Below the peak"
            value={percent(grid.drawdown_pct[point])}
          />
        </Legend>
      }
    />
  );
}

function Resolution({ grid, timeframe }: { grid: Grid; timeframe: string }): ReactNode {
  if (grid.bars_per_point === 1) return null;
  return (
    <p className="note">
      Each point and candle in the charts is {count(grid.bars_per_point)} bars of {timeframe}: price
      with its highs and lows, equity at the end, the worst drawdown and the mean exposure within.
      The figures come from every bar.
    </p>
  );
}

function usePoint(group: ChartGroup, points: number): number {
  const [point, setPoint] = useState<number | null>(null);
  useEffect(() => group.listenToPoint(setPoint), [group]);
  return Math.min(Math.max(point ?? points - 1, 0), points - 1);
}

const SPANS = [
  ["1W", 7],
  ["1M", 30],
  ["3M", 91],
  ["1Y", 365],
] as const;

function Spans({ group, times }: { group: ChartGroup; times: UTCTimestamp[] }): ReactNode {
  const last = times.at(-1) ?? 0;
  const whole = last - (times[0] ?? 0);
  return (
    <span className="group" role="group" aria-label="Shown time">
      {SPANS.filter(([, days]) => days * 86400 < whole).map(([name, days]) => (
        <button
          key={name}
          type="button"
          onClick={() => group.show(pointOf(times, last - days * 86400), times.length - 0.5)}
        >
          {name}
        </button>
      ))}
      <button type="button" onClick={() => group.showAll()}>
        All
      </button>
    </span>
  );
}
