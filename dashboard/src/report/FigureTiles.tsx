// The figures: six that a reader wants first, the others beside them.

import type { ReactNode } from "react";
import type { Run } from "./document";
import { FIGURES, labelOf, valueOf, type Figure } from "./figures";

export function FigureTiles({ run }: { run: Run }): ReactNode {
  const shown = FIGURES.filter((figure) => figure.key in run.stats);
  return (
    <section aria-label="Figures">
      <dl className="tiles">
        {shown
          .filter((figure) => figure.headline)
          .map((figure) => (
            <Tile key={figure.key} figure={figure} run={run} />
          ))}
      </dl>
      <dl className="tiles small card">
        {shown
          .filter((figure) => !figure.headline)
          .map((figure) => (
            <Tile key={figure.key} figure={figure} run={run} />
          ))}
      </dl>
    </section>
  );
}

function Tile({ figure, run }: { figure: Figure; run: Run }): ReactNode {
  return (
    <div className={figure.headline ? "card" : undefined} title={figure.meaning}>
      <dt>{labelOf(figure, run)}</dt>
      <dd>
        <FigureValue figure={figure} run={run} />
      </dd>
    </div>
  );
}

/** The value as text, with the exact one in the element for whoever reads the page by program. */
export function FigureValue({ figure, run }: { figure: Figure; run: Run }): ReactNode {
  const value = valueOf(run, figure);
  const sign =
    figure.signed && value !== null && value !== 0 ? (value > 0 ? "gain" : "loss") : undefined;
  return (
    <data data-figure={figure.key} value={String(run.stats[figure.key] ?? "")} className={sign}>
      {figure.shown(value)}
    </data>
  );
}

export function Meanings(): ReactNode {
  return (
    <details className="card meanings">
      <summary>What the figures mean</summary>
      <dl>
        {FIGURES.map((figure) => (
          <div key={figure.key}>
            <dt>{figure.label}</dt>
            <dd>{figure.meaning}</dd>
          </div>
        ))}
      </dl>
      <p>A dash stands for what is not defined, such as a ratio to a drawdown that never was.</p>
    </details>
  );
}
