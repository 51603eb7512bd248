// What happened in each market: its candles with the run's fills, and how much was held in it.

import {
  AreaSeries,
  CandlestickSeries,
  LineSeries,
  LineType,
  createSeriesMarkers,
  type IChartApi,
} from "lightweight-charts";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { cluster, pointOf } from "../charts/markers";
import type { ChartGroup } from "../charts/sync";
import type { Palette } from "../theme/theme";
import { TimeChart, type Drawing } from "../charts/TimeChart";
import { Key, Legend, QUIET, line } from "./ChartParts";
import type { Market, Run } from "./document";
import { count, percent, price } from "../format";

// More charts than this above each other are scrolled past rather than looked at.
const MOST_AT_ONCE = 4;

/** A trade that a reader wants to see; times are seconds. */
export interface Focus {
  from: number;
  to: number;
  symbol: string;
}

interface Props {
  run: Run;
  palette: Palette;
  group: ChartGroup;
  point: number;
}

/** Candles and fills: of all markets above each other, or of the one that was chosen. */
export function PriceCharts({ focus, ...shared }: Props & { focus: Focus | null }): ReactNode {
  const { markets } = shared.run;
  const several = markets.length > 1;
  const [chosen, choose] = useState(
    markets.length > MOST_AT_ONCE ? (markets[0]?.symbol ?? null) : null,
  );
  const whole = useRef<HTMLDivElement>(null);
  const boxes = useRef(new Map<string, HTMLDivElement>());
  useEffect(() => {
    if (focus === null) return;
    choose((before) => (before === null ? null : focus.symbol));
    const box = boxes.current.get(focus.symbol) ?? whole.current;
    box?.scrollIntoView({ behavior: "smooth", block: "center" });
  }, [focus]);

  return (
    <div ref={whole}>
      {several && (
        <div className="run-tabs" role="group" aria-label="Prices shown">
          {[null, ...markets.map((market) => market.symbol)].map((symbol) => (
            <button
              key={symbol}
              type="button"
              aria-pressed={chosen === symbol}
              onClick={() => choose(symbol)}
            >
              {symbol ?? "All prices"}
            </button>
          ))}
        </div>
      )}
      {markets
        .filter(({ symbol }) => chosen === null || chosen === symbol)
        .map((market) => (
          <div
            key={market.symbol}
            ref={(box) => {
              if (box !== null) boxes.current.set(market.symbol, box);
              else boxes.current.delete(market.symbol);
            }}
          >
            <PriceChart {...shared} market={market} height={several && chosen === null ? 230 : 360} />
          </div>
        ))}
    </div>
  );
}

function PriceChart({
  run,
  market,
  height,
  palette,
  group,
  point,
}: Props & { market: Market; height: number }): ReactNode {
  const { grid, fills } = run;
  const colours = useRef(palette);
  colours.current = palette;
  const redraw = useRef<() => void>(() => undefined);
  const marked = useMemo(
    () =>
      fills
        .filter((fill) => fill.symbol === market.symbol)
        .map((fill) => ({ point: pointOf(grid.times, fill.at), buy: fill.buy })),
    [fills, grid, market],
  );

  const draw = (chart: IChartApi): Drawing => {
    const candles = chart.addSeries(CandlestickSeries, { ...QUIET, borderVisible: false });
    candles.setData(
      grid.times.map((time, at) => ({
        time,
        open: market.open[at] ?? NaN,
        high: market.high[at] ?? NaN,
        low: market.low[at] ?? NaN,
        close: market.close[at] ?? NaN,
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
      title={`${market.symbol} and fills`}
      summary={`From ${price(market.close[0] ?? NaN)} to ${price(market.close.at(-1) ?? NaN)} with ${count(marked.length)} fills, which the table of trades lists.`}
      height={height}
      group={group}
      palette={palette}
      data={market}
      draw={draw}
      format={price}
      legend={
        <Legend at={grid.times[point]}>
          <Key label="O" value={price(market.open[point] ?? NaN)} />
          <Key label="H" value={price(market.high[point] ?? NaN)} />
          <Key label="L" value={price(market.low[point] ?? NaN)} />
          <Key label="C" value={price(market.close[point] ?? NaN)} />
          <span className="key gain">▲ buys</span>
          <span className="key loss">▼ sells</span>
        </Legend>
      }
    />
  );
}

/** The whole position as a share of equity; with several markets also what each is of it. */
export function ExposureChart({ run, palette, group, point }: Props): ReactNode {
  const { grid, markets } = run;
  const several = markets.length > 1;
  const total = useMemo(
    () =>
      grid.times.map((_, at) =>
        markets.reduce((sum, market) => sum + (market.exposure_pct[at] ?? NaN), 0),
      ),
    [grid, markets],
  );
  const draw = (chart: IChartApi): Drawing => {
    const whole = chart.addSeries(AreaSeries, {
      ...QUIET,
      lineWidth: 1,
      lineType: LineType.WithSteps,
    });
    whole.setData(line(grid, total));
    const parts = (several ? markets : []).map((market) => {
      const part = chart.addSeries(LineSeries, {
        ...QUIET,
        lineWidth: 1,
        lineType: LineType.WithSteps,
      });
      part.setData(line(grid, market.exposure_pct));
      return part;
    });
    return {
      main: whole,
      recolour: (colours) => {
        whole.applyOptions({
          lineColor: several ? colours.neutral : colours.accent,
          topColor: colours.accentSoft,
          bottomColor: colours.accentSoft,
        });
        parts.forEach((part, at) => part.applyOptions({ color: colourOf(colours, at) }));
      },
    };
  };
  return (
    <TimeChart
      title="Exposure"
      summary={`A position was held at ${percent(Number(run.stats.exposure_pct), 1)} of all closes.`}
      height={several ? 200 : 150}
      group={group}
      palette={palette}
      data={total}
      draw={draw}
      format={(value) => percent(value, 1)}
      legend={
        <Legend at={grid.times[point]}>
          <Key
            colour={several ? "var(--neutral)" : "var(--accent)"}
            label={several ? "Positions, of equity" : "Position, of equity"}
            value={percent(total[point], 1)}
          />
          {several &&
            markets.map((market, at) => (
              <Key
                key={market.symbol}
                colour={colourOf(palette, at)}
                label={market.symbol}
                value={percent(market.exposure_pct[point], 1)}
              />
            ))}
        </Legend>
      }
    />
  );
}

function colourOf(palette: Palette, at: number): string {
  return palette.runs[at % palette.runs.length] ?? palette.accent;
}
