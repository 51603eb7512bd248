// The four charts of one run over the same points: equity, drawdown, price with fills, exposure.

import {
  AreaSeries,
  BaselineSeries,
  CandlestickSeries,
  LineSeries,
  LineType,
  PriceScaleMode,
  createSeriesMarkers,
  type IChartApi,
  type ISeriesApi,
  type UTCTimestamp,
} from "lightweight-charts";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { cluster, pointOf } from "../charts/markers";
import { ChartGroup } from "../charts/sync";
import type { Palette } from "../charts/theme";
import { TimeChart, type Drawing } from "../charts/TimeChart";
import type { Grid, Run } from "./document";
import { change, count, moment, number, percent, price } from "./format";

interface Props {
  run: Run;
  palette: Palette;
  /** Seconds: a trade that a reader wants to see. */
  focus: { from: number; to: number } | null;
}

export function RunCharts({ run, palette, focus }: Props): ReactNode {
  const group = useMemo(() => new ChartGroup(run.grid.times.length), [run]);
  const point = usePoint(group, run.grid.times.length);
  const priceBox = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (focus === null) return;
    const from = pointOf(run.grid.times, focus.from);
    const to = pointOf(run.grid.times, focus.to);
    const margin = Math.max(15, to - from);
    group.show(from - margin, to + margin);
    priceBox.current?.scrollIntoView({ behavior: "smooth", block: "center" });
  }, [focus, group, run]);

  const shared = { run, palette, group, point };
  return (
    <div className="charts">
      <EquityChart {...shared} />
      <DrawdownChart {...shared} />
      <div ref={priceBox}>
        <PriceChart {...shared} />
      </div>
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

function PriceChart({ run, palette, group, point }: ChartProps): ReactNode {
  const { grid, fills } = run;
  const colours = useRef(palette);
  colours.current = palette;
  const redraw = useRef<() => void>(() => undefined);
  const marked = useMemo(
    () =>
      fills
        .filter((fill) => fill.symbol === run.symbol)
        .map((fill) => ({ point: pointOf(grid.times, fill.at), buy: fill.buy })),
    [fills, grid, run.symbol],
  );

  const draw = (chart: IChartApi): Drawing => {
    const candles = chart.addSeries(CandlestickSeries, { ...QUIET, borderVisible: false });
    candles.setData(
      grid.times.map((time, at) => ({
        time,
        open: grid.open[at] ?? NaN,
        high: grid.high[at] ?? NaN,
        low: grid.low[at] ?? NaN,
        close: grid.close[at] ?? NaN,
      })),
    );
    const markers = createSeriesMarkers(candles, []);
    let visible = { from: 0, to: grid.times.length };
    let asked = 0;
    redraw.current = () => {
      cancelAnimationFrame(asked);
      asked = requestAnimationFrame(() => {
        markers.setMarkers(
          cluster(
            marked,
            grid.times,
            visible.from,
            visible.to,
            chart.timeScale().width(),
            colours.current,
          ),
        );
      });
    };
    const unlisten = group.listen((range) => {
      visible = range;
      redraw.current();
    });
    return {
      main: candles,
      recolour: ({ up, down }) => {
        candles.applyOptions({
          upColor: up,
          downColor: down,
          wickUpColor: up,
          wickDownColor: down,
        });
        redraw.current();
      },
      leave: () => {
        cancelAnimationFrame(asked);
        unlisten();
      },
    };
  };

  return (
    <TimeChart
      title={`${run.symbol} and fills`}
      summary={`From ${price(grid.close[0] ?? NaN)} to ${price(grid.close.at(-1) ?? NaN)} with ${count(run.fillsTotal)} fills, which the table of trades lists.`}
      height={360}
      group={group}
      palette={palette}
      data={grid}
      draw={draw}
      format={price}
      legend={
        <Legend at={grid.times[point]}>
          <Key label="O" value={price(grid.open[point] ?? NaN)} />
          <Key label="H" value={price(grid.high[point] ?? NaN)} />
          <Key label="L" value={price(grid.low[point] ?? NaN)} />
          <Key label="C" value={price(grid.close[point] ?? NaN)} />
          <span className="key gain">▲ buys</span>
          <span className="key loss">▼ sells</span>
        </Legend>
      }
    />
  );
}

function ExposureChart({ run, palette, group, point }: ChartProps): ReactNode {
  const { grid } = run;
  const draw = (chart: IChartApi): Drawing => {
    const series = chart.addSeries(AreaSeries, {
      ...QUIET,
      lineWidth: 1,
      lineType: LineType.WithSteps,
    });
    series.setData(line(grid, grid.exposure_pct));
    return {
      main: series,
      recolour: (colours) =>
        series.applyOptions({
          lineColor: colours.accent,
          topColor: colours.accentSoft,
          bottomColor: colours.accentSoft,
        }),
    };
  };
  return (
    <TimeChart
      title="Exposure"
      summary={`A position was held at ${percent(Number(run.stats.exposure_pct), 1)} of all closes.`}
      height={150}
      group={group}
      palette={palette}
      data={grid}
      draw={draw}
      format={(value) => percent(value, 1)}
      legend={
        <Legend at={grid.times[point]}>
          <Key
            colour="var(--accent)"
            label="Position, of equity"
            value={percent(grid.exposure_pct[point], 1)}
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

const QUIET = {
  lastValueVisible: false,
  priceLineVisible: false,
  crosshairMarkerRadius: 3,
} as const;

function line(grid: Grid, values: number[]): { time: UTCTimestamp; value: number }[] {
  return grid.times.map((time, at) => ({ time, value: values[at] ?? NaN }));
}

function usePoint(group: ChartGroup, points: number): number {
  const [point, setPoint] = useState<number | null>(null);
  useEffect(() => group.listenToPoint(setPoint), [group]);
  return Math.min(Math.max(point ?? points - 1, 0), points - 1);
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
