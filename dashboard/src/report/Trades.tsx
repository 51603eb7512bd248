// Every trade: round trips or single fills, sorted by any column, a page at a time.

import { useState, type ReactNode } from "react";
import type { Fill, Run, Trip } from "./document";
import { change, count, moment, number, price, span } from "../format";
import type { Focus } from "./MarketCharts";
import { PagedTable, type Column } from "./PagedTable";

type Show = (focus: Focus) => void;

export function Trades({ run, show }: { run: Run; show: Show }): ReactNode {
  const [kind, setKind] = useState<"trips" | "fills">(run.trips.length > 0 ? "trips" : "fills");
  const several = run.markets.length > 1;
  const tail = run.fillsTotal > run.fills.length;
  return (
    <section className="card" aria-labelledby="trades">
      <div className="chart-head">
        <h2 id="trades">Trades</h2>
        <div className="controls">
          <button type="button" aria-pressed={kind === "trips"} onClick={() => setKind("trips")}>
            Round trips ({count(run.tripsTotal)})
          </button>
          <button type="button" aria-pressed={kind === "fills"} onClick={() => setKind("fills")}>
            Fills ({count(run.fillsTotal)})
          </button>
        </div>
      </div>
      {tail && (
        <p className="note">
          The newest {count(run.fills.length)} of {count(run.fillsTotal)} fills are in this file.
        </p>
      )}
      {kind === "trips" ? (
        <PagedTable
          key="trips"
          name="Round trips"
          rows={run.trips}
          columns={tripColumns(show, run.quote, several)}
        />
      ) : (
        <PagedTable
          key="fills"
          name="Fills"
          rows={run.fills}
          columns={fillColumns(show, several)}
        />
      )}
    </section>
  );
}

function tripColumns(show: Show, quote: string, several: boolean): Column<Trip>[] {
  return [
    {
      label: "Opened",
      sort: (trip) => trip.opened,
      cell: (trip) => <Link text={moment(trip.opened)} go={() => show(spanOf(trip))} />,
    },
    ...(several ? [symbolColumn<Trip>()] : []),
    {
      label: "Return",
      right: true,
      sort: (trip) => trip.return_pct,
      cell: (trip) => signed(trip.return_pct, change(trip.return_pct)),
    },
    {
      label: `Profit, ${quote}`,
      right: true,
      sort: (trip) => trip.profit,
      cell: (trip) => signed(trip.profit, number(trip.profit)),
    },
    { label: "Entry", right: true, sort: (trip) => trip.entry, cell: (trip) => price(trip.entry) },
    { label: "Exit", right: true, sort: (trip) => trip.exit, cell: (trip) => price(trip.exit) },
    {
      label: "Held",
      right: true,
      sort: (trip) => trip.closed - trip.opened,
      cell: (trip) => span(trip.closed - trip.opened),
    },
  ];
}

function fillColumns(show: Show, several: boolean): Column<Fill>[] {
  return [
    {
      label: "Time",
      sort: (fill) => fill.at,
      cell: (fill) => <Link text={moment(fill.at)} go={() => show({ from: fill.at, to: fill.at, symbol: fill.symbol })} />,
    },
    ...(several ? [symbolColumn<Fill>()] : []),
    {
      label: "Side",
      sort: (fill) => (fill.buy ? 0 : 1),
      cell: (fill) => signed(fill.buy ? 1 : -1, fill.buy ? "▲ buy" : "▼ sell"),
    },
    {
      label: "Quantity",
      right: true,
      sort: (fill) => Number(fill.quantity),
      cell: (fill) => fill.quantity,
    },
    { label: "Price", right: true, sort: (fill) => Number(fill.price), cell: (fill) => fill.price },
    {
      label: "Fee",
      right: true,
      sort: (fill) => Number(fill.fee),
      cell: (fill) => `${fill.fee} ${fill.feeAsset}`,
    },
  ];
}

function spanOf({ opened, closed, symbol }: Trip): Focus {
  return { from: opened, to: closed, symbol };
}

function symbolColumn<Row extends { symbol: string }>(): Column<Row> {
  return { label: "Symbol", sort: (row) => row.symbol, cell: (row) => row.symbol };
}

function signed(value: number, text: string): ReactNode {
  return <span className={value > 0 ? "gain" : value < 0 ? "loss" : undefined}>{text}</span>;
}

function Link({ text, go }: { text: string; go: () => void }): ReactNode {
  return (
    <button type="button" className="link" title="Show in the charts" onClick={go}>
      {text}
    </button>
  );
}
