// What a run was made of, so that it can be made again.

import type { ReactNode } from "react";
import type { Run } from "./document";
import { number } from "../format";

export function Origin({ run }: { run: Run }): ReactNode {
  const { data_sha256, strategy_sha256, params, version, seed } = run.provenance;
  const rows: [string, string][] = [
    ["Cash at the start", `${number(Number(run.cash))} ${run.quote}`],
    ...Object.entries(run.assumptions),
    [
      "Parameters",
      Object.entries(params)
        .map(([name, value]) => `${name}=${String(value)}`)
        .join(" ") || "none",
    ],
    ["Strategy, SHA-256", strategy_sha256],
    ["Data, SHA-256", data_sha256],
    ["Seed", seed === null ? "none: nothing was left to chance" : String(seed)],
    ["Holdfast", version],
  ];
  return (
    <section className="card" aria-labelledby="origin">
      <h2 id="origin">Where this comes from</h2>
      <dl className="origin">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
