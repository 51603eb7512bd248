// A table of any length: sorted by a click on a heading, one page of rows in the document.

import { useMemo, useState, type ReactNode } from "react";
import { count } from "../format";

export interface Column<Row> {
  label: string;
  right?: boolean;
  sort: (row: Row) => number | string;
  cell: (row: Row) => ReactNode;
}

interface Props<Row> {
  name: string;
  rows: Row[];
  columns: Column<Row>[];
}

const PAGE = 20;

export function PagedTable<Row>({ name, rows, columns }: Props<Row>): ReactNode {
  const [order, setOrder] = useState({ column: 0, down: true });
  const [page, setPage] = useState(0);
  const sorted = useMemo(() => {
    const key = columns[order.column]?.sort;
    if (key === undefined) return rows;
    const keyed = rows.map((row) => ({ row, value: key(row) }));
    const sign = order.down ? -1 : 1;
    keyed.sort((one, other) =>
      one.value < other.value ? -sign : one.value > other.value ? sign : 0,
    );
    return keyed.map(({ row }) => row);
  }, [rows, order]);
  if (rows.length === 0) return <p className="note">None.</p>;

  const pages = Math.ceil(sorted.length / PAGE);
  const first = page * PAGE;
  const sortBy = (column: number): void => {
    setOrder({ column, down: order.column === column ? !order.down : true });
    setPage(0);
  };
  return (
    <>
      <div className="scroll" tabIndex={0} role="region" aria-label={name}>
        <table>
          <thead>
            <tr>
              {columns.map(({ label, right }, column) => {
                const active = order.column === column;
                return (
                  <th
                    key={label}
                    scope="col"
                    className={right ? "right" : undefined}
                    aria-sort={active ? (order.down ? "descending" : "ascending") : "none"}
                  >
                    <button type="button" className="sort" onClick={() => sortBy(column)}>
                      {label}
                      <span aria-hidden="true">{active ? (order.down ? " ↓" : " ↑") : ""}</span>
                    </button>
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody>
            {sorted.slice(first, first + PAGE).map((row, index) => (
              <tr key={first + index}>
                {columns.map(({ label, right, cell }) => (
                  <td key={label} className={right ? "right" : undefined}>
                    {cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {pages > 1 && (
        <nav className="pages" aria-label={`Pages of ${name.toLowerCase()}`}>
          <button type="button" disabled={page === 0} onClick={() => setPage(0)}>
            First
          </button>
          <button type="button" disabled={page === 0} onClick={() => setPage(page - 1)}>
            Previous
          </button>
          <span aria-live="polite">
            {count(first + 1)}–{count(Math.min(first + PAGE, sorted.length))} of{" "}
            {count(sorted.length)}
          </span>
          <button type="button" disabled={page === pages - 1} onClick={() => setPage(page + 1)}>
            Next
          </button>
          <button type="button" disabled={page === pages - 1} onClick={() => setPage(pages - 1)}>
            Last
          </button>
        </nav>
      )}
    </>
  );
}
