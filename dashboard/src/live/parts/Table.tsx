// A dense table. Figures stand right, a row can be opened by its first cell (keyboard) or anywhere
// (pointer), and on a phone the main tables fold into short blocks.

import { memo, type ReactNode } from "react";

export interface Column<Row> {
  label: string;
  cell: (row: Row) => ReactNode;
  right?: boolean;
  /** Said before the figure when the table is folded on a phone. */
  short?: string;
  wrap?: boolean;
}

interface Props<Row> {
  name: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  rowKey: (row: Row) => string;
  /** Called when a row is chosen; the first cell becomes its button. */
  open?: ((row: Row) => void) | undefined;
  folds?: boolean;
  capped?: boolean;
  /** Rows that came since the table was first shown light up for a moment. */
  fresh?: ((row: Row) => boolean) | undefined;
}

export function Table<Row>(props: Props<Row>): ReactNode {
  const { name, rows, columns, rowKey, open, folds = false, capped = false, fresh } = props;
  return (
    <div className={capped ? "scroll capped" : "scroll"} tabIndex={0} role="region" aria-label={`Table: ${name}`}>
      <table className={folds ? "folds" : undefined}>
        <thead>
          <tr>
            {columns.map(({ label, right }) => (
              <th key={label} scope="col" className={right ? "right" : undefined}>
                {label === "" ? <span className="visually-hidden">Actions</span> : label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <MemoRow
              key={rowKey(row)}
              row={row}
              columns={columns as readonly Column<unknown>[]}
              open={open as ((row: unknown) => void) | undefined}
              isFresh={fresh?.(row) ?? false}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  row: unknown;
  columns: readonly Column<unknown>[];
  open: ((row: unknown) => void) | undefined;
  isFresh: boolean;
}

const MemoRow = memo(function MemoRow({ row, columns, open, isFresh }: RowProps): ReactNode {
  const classes = [open !== undefined && "opens", isFresh && "fresh"].filter(Boolean).join(" ");
  return (
    <tr
      className={classes || undefined}
      onClick={
        open === undefined
          ? undefined
          : (event) => {
              // A button or link within the row does its own thing.
              if ((event.target as Element).closest("a, button, input, label") === null) open(row);
            }
      }
    >
      {columns.map(({ label, right, cell, short, wrap }, at) => {
        const classes = [right && "right", wrap && "wrap"].filter(Boolean).join(" ");
        const inside = cell(row);
        return (
          <td key={label} className={classes || undefined} data-label={short ?? ""}>
            {at === 0 && open !== undefined ? (
              <button type="button" className="link" onClick={() => open(row)}>
                {inside}
              </button>
            ) : (
              inside
            )}
          </td>
        );
      })}
    </tr>
  );
});
