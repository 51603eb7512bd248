// The page: what was run, what it came to, how it got there, every trade, and what it was made of.

import { useState, type ReactNode } from "react";
import { useTheme, type Choice, type Palette } from "../theme/theme";
import { Comparison } from "./Comparison";
import { RunCharts } from "./RunCharts";
import { FigureTiles, Meanings } from "./FigureTiles";
import type { Focus } from "./MarketCharts";
import { Months } from "./Months";
import { Origin } from "./Origin";
import { Trades } from "./Trades";
import type { Run } from "./document";
import { count, day } from "../format";

export function App({ runs }: { runs: Run[] }): ReactNode {
  const { choice, choose, palette } = useTheme();
  const [chosen, setChosen] = useState(0);
  const run = runs[chosen] ?? runs[0];
  if (run === undefined) return <p className="problem">There is no run in this report.</p>;
  return (
    <>
      <Header runs={runs} run={run} choice={choice} choose={choose} />
      <main>
        {runs.length > 1 && (
          <>
            <Comparison runs={runs} palette={palette} />
            <RunTabs runs={runs} chosen={chosen} choose={setChosen} palette={palette} />
          </>
        )}
        <RunDetails key={chosen} run={run} palette={palette} alone={runs.length === 1} />
      </main>
      <footer>
        <p>All times are UTC. Past results of a simulation say little about the future.</p>
        <p>
          Charts: TradingView Lightweight Charts™, Copyright © 2025 TradingView, Inc.{" "}
          <a href="https://www.tradingview.com/" rel="noreferrer">
            tradingview.com
          </a>
        </p>
      </footer>
    </>
  );
}

function RunDetails({
  run,
  palette,
  alone,
}: {
  run: Run;
  palette: Palette;
  alone: boolean;
}): ReactNode {
  const [focus, setFocus] = useState<Focus | null>(null);
  return (
    <section aria-label={alone ? undefined : run.label}>
      <FigureTiles run={run} />
      <RunCharts run={run} palette={palette} focus={focus} />
      <Months months={run.months} />
      <Trades run={run} show={setFocus} />
      <Origin run={run} />
      <Meanings />
    </section>
  );
}

interface HeaderProps {
  runs: Run[];
  run: Run;
  choice: Choice;
  choose: (next: Choice) => void;
}

function Header({ runs, run, choice, choose }: HeaderProps): ReactNode {
  const { times } = run.grid;
  const params = Object.entries(run.provenance.params);
  return (
    <header>
      <div>
        <p className="kind">Holdfast backtest</p>
        {runs.length > 1 ? (
          <h1>{runs.length} runs compared</h1>
        ) : (
          <h1>
            {run.name} <span>{run.symbol}</span>
          </h1>
        )}
        <p className="facts">
          {runs.length === 1 &&
            params.map(([name, value]) => (
              <span key={name} className="param">
                {name} <b>{String(value)}</b>
              </span>
            ))}
          <span>
            {day(times[0] ?? 0)} to {day(times.at(-1) ?? 0)}
          </span>
          <span>
            {count(Number(run.stats.bars))} bars of {run.timeframe}
          </span>
        </p>
      </div>
      <ThemeSwitch choice={choice} choose={choose} />
    </header>
  );
}

function ThemeSwitch({
  choice,
  choose,
}: {
  choice: Choice;
  choose: (next: Choice) => void;
}): ReactNode {
  return (
    <div className="switch" role="group" aria-label="Colours">
      {(["auto", "light", "dark"] as const).map((one) => (
        <button key={one} type="button" aria-pressed={choice === one} onClick={() => choose(one)}>
          {one === "auto" ? "Auto" : one === "light" ? "Light" : "Dark"}
        </button>
      ))}
    </div>
  );
}

interface TabsProps {
  runs: Run[];
  chosen: number;
  choose: (index: number) => void;
  palette: Palette;
}

function RunTabs({ runs, chosen, choose, palette }: TabsProps): ReactNode {
  return (
    <div className="run-tabs" role="group" aria-label="Run shown below">
      {runs.map((run, index) => (
        <button
          key={run.label}
          type="button"
          aria-pressed={index === chosen}
          onClick={() => choose(index)}
        >
          <i className="swatch" style={{ background: palette.runs[index] }} />
          {run.label}
        </button>
      ))}
    </div>
  );
}
