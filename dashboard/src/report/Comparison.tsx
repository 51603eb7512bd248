// Several runs beside each other: growth of the same start, and their figures in columns.

import { LineSeries, PriceScaleMode, type IChartApi, type UTCTimestamp } from "lightweight-charts";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { ChartGroup } from "../charts/sync";
import type { Palette } from "../theme/theme";
import { TimeChart, type Drawing } from "../charts/TimeChart";
import type { Run } from "./document";
import { FigureValue } from "./FigureTiles";
import { FIGURES, labelOf, valueOf, type Figure } from "./figures";
import { change, percent } from "../format";
import { Key, Legend, Toggle } from "./ChartParts";

interface Props {
  runs: Run[];
  palette: Palette;
}

export function Comparison({ runs, palette }: Props): ReactNode {
  return (
    <section aria-label="Comparison">
      <Growth runs={runs} palette={palette} />
      <Figures runs={runs} palette={palette} />
    </section>
  );
}

function Growth({ runs, palette }: Props): ReactNode {
  const [log, setLog] = useState(false);
  const chart = useRef<IChartApi | null>(null);
  const times = useMemo(() => union(runs), [runs]);
  const group = useMemo(() => new ChartGroup(times.length), [times]);
  const [point, setPoint] = useState<number | null>(null);
  useEffect(() => group.listenToPoint(setPoint), [group]);
  useEffect(() => {
    chart.current
      ?.priceScale("right")
      .applyOptions({ mode: log ? PriceScaleMode.Logarithmic : PriceScaleMode.Normal });
  }, [log]);
  const at = times[Math.min(point ?? times.length - 1, times.length - 1)];

  const draw = (made: IChartApi): Drawing => {
    chart.current = made;
    const lines = runs.map((run) => {
      const series = made.addSeries(LineSeries, {
        lineWidth: 2,
        lastValueVisible: false,
        priceLineVisible: false,
      });
      // Growth of one: positive, so that it can be drawn on a log scale; shown as a return.
      series.setData(run.grid.times.map((time, index) => ({ time, value: growth(run, index) })));
      return series;
    });
    return {
      main: lines[0] as (typeof lines)[number],
      recolour: (colours) =>
        lines.forEach((series, index) =>
          series.applyOptions({ color: colours.runs[index] ?? colours.accent }),
        ),
    };
  };
  return (
    <TimeChart
      title="Return"
      summary={runs
        .map((run) => `${run.label}: ${change(Number(run.stats.return_pct))}.`)
        .join(" ")}
      height={360}
      group={group}
      palette={palette}
      data={runs}
      draw={draw}
      format={(value) => percent((value - 1) * 100, 1)}
      legend={
        <Legend at={at}>
          {runs.map((run, index) => (
            <Key
              key={run.label}
              colour={palette.runs[index] ?? palette.accent}
              label={run.label}
              value={change((growthAt(run, at ?? 0) - 1) * 100)}
            />
          ))}
        </Legend>
      }
      controls={
        <>
          <Toggle on={log} set={setLog} label="Log" />
          <button type="button" onClick={() => group.showAll()}>
            All
          </button>
        </>
      }
    />
  );
}

function Figures({ runs, palette }: Props): ReactNode {
  return (
    <section className="card" aria-labelledby="side-by-side">
      <h2 id="side-by-side">Figures side by side</h2>
      <div className="scroll" tabIndex={0} role="region" aria-labelledby="side-by-side">
        <table className="compare">
          <thead>
            <tr>
              <th scope="col">Figure</th>
              {runs.map((run, index) => (
                <th key={run.label} scope="col" className="right">
                  <i className="swatch" style={{ background: palette.runs[index] }} /> {run.label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {FIGURES.map((figure) => (
              <tr key={figure.key}>
                <th scope="row" title={figure.meaning}>
                  {labelOf(figure, runs[0] as Run)}
                </th>
                {runs.map((run) => (
                  <td
                    key={run.label}
                    className={isBest(figure, run, runs) ? "right best" : "right"}
                  >
                    <FigureValue figure={figure} run={run} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="note">Bold is the best in its row.</p>
    </section>
  );
}

function isBest(figure: Figure, run: Run, runs: Run[]): boolean {
  if (figure.better === 0) return false;
  const values = runs.flatMap((one) => valueOf(one, figure) ?? []);
  const best = figure.better > 0 ? Math.max(...values) : Math.min(...values);
  return (
    values.length > 1 && valueOf(run, figure) === best && values.some((value) => value !== best)
  );
}

function growth(run: Run, index: number): number {
  return (run.grid.equity[index] ?? NaN) / Number(run.cash);
}

/** At the last point of the run that is not after `at`. */
function growthAt(run: Run, at: number): number {
  const index = run.grid.times.findLastIndex((time) => time <= at);
  return index < 0 ? 1 : growth(run, index);
}

function union(runs: Run[]): UTCTimestamp[] {
  return [...new Set(runs.flatMap((run) => run.grid.times))].sort((one, other) => one - other);
}
