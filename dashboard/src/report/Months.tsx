// Returns by month and year, as a table whose cells are tinted by size.

import type { ReactNode } from "react";
import type { Month } from "./document";
import { change, number } from "../format";

const NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function Months({ months }: { months: Month[] }): ReactNode {
  const years = [...new Set(months.map((month) => month.year))];
  const largest = Math.max(...months.map((month) => Math.abs(month.return_pct ?? 0)), 1e-9);
  return (
    <section className="card" aria-labelledby="months">
      <h2 id="months">Monthly returns, %</h2>
      <div className="scroll" tabIndex={0} role="region" aria-labelledby="months">
        <table className="months">
          <thead>
            <tr>
              <th scope="col">Year</th>
              {NAMES.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
              <th scope="col">Total</th>
            </tr>
          </thead>
          <tbody>
            {years.map((year) => {
              const own = months.filter((month) => month.year === year);
              return (
                <tr key={year}>
                  <th scope="row">{year}</th>
                  {NAMES.map((name, at) => {
                    const month = own.find((one) => one.month === at + 1);
                    return (
                      <Cell
                        key={name}
                        value={month?.return_pct}
                        there={month !== undefined}
                        largest={largest}
                      />
                    );
                  })}
                  <td className="whole">{change(compound(own)).replace("\u202f%", "")}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Cell({
  value,
  there,
  largest,
}: {
  value: number | null | undefined;
  there: boolean;
  largest: number;
}): ReactNode {
  if (!there) return <td />;
  const share = Math.round((Math.abs(value ?? 0) / largest) * 55);
  const colour = (value ?? 0) >= 0 ? "var(--up)" : "var(--down)";
  return (
    <td style={{ background: `color-mix(in srgb, ${colour} ${share}%, transparent)` }}>
      {number(value)}
    </td>
  );
}

function compound(months: Month[]): number | null {
  if (months.some((month) => month.return_pct === null)) return null;
  return (
    (months.reduce((grown, month) => grown * (1 + (month.return_pct ?? 0) / 100), 1) - 1) * 100
  );
}
