// Orders in rows; each opens its story.

import { useMemo, useRef, type ReactNode } from "react";
import { clock, decimal, when } from "../format";
import { useOpenOrder } from "./OrderDrawer";
import type { Order } from "./api/schema";
import { Badge } from "./parts/Badge";
import { Table, type Column } from "./parts/Table";
import { Unit } from "./parts/Amount";
import { useLive } from "./stream/store";
import { CONDITIONS, baseOf, quoteOf, sideOf, typeOf } from "./words";

interface Props {
  orders: readonly Order[];
  name?: string;
  capped?: boolean;
  /** Show the time of day to the millisecond, and light new rows up. */
  live?: boolean;
}

export function OrderTable({ orders, name = "Orders", capped = false, live = false }: Props): ReactNode {
  const open = useOpenOrder();
  const several = useLive((now) => (now.overview?.accounts.length ?? 1) > 1);
  const columns = useMemo(() => columnsOf(live, several), [live, several]);
  const began = useRef(Date.now());
  return (
    <Table
      name={name}
      rows={orders}
      columns={columns}
      rowKey={keyOf}
      open={open}
      folds
      capped={capped}
      fresh={live ? (order) => Date.parse(order.armed_at) > began.current : undefined}
    />
  );
}

function keyOf(order: Order): string {
  return `${order.account}/${order.cid}`;
}

function columnsOf(live: boolean, several: boolean): Column<Order>[] {
  const columns: Column<Order>[] = [
    {
      label: "Armed",
      cell: (order) => {
        const at = Date.parse(order.armed_at);
        return <time dateTime={order.armed_at}>{live ? clock(at, true) : when(at)}</time>;
      },
    },
    {
      label: "State",
      cell: (order) => {
        const { word, mood } = CONDITIONS[order.condition];
        return <Badge mood={mood}>{word}</Badge>;
      },
    },
    { label: "Bot", cell: (order) => (several ? `${order.account} / ${order.bot}` : order.bot) },
    { label: "Side", cell: (order) => <Side side={order.side} /> },
    {
      label: "Quantity",
      right: true,
      cell: (order) => (
        <>
          {decimal(order.quantity)}
          <Unit>{baseOf(order.symbol)}</Unit>
        </>
      ),
    },
    {
      label: "Price",
      right: true,
      cell: (order) =>
        order.price || order.stop_price ? (
          <>
            {decimal(order.price ?? order.stop_price)}
            <Unit>{quoteOf(order.symbol)}</Unit>
          </>
        ) : (
          <span className="muted">at market</span>
        ),
    },
    { label: "Type", cell: (order) => <span className="muted">{typeOf(order)}</span> },
    {
      label: "Filled",
      right: true,
      short: "filled",
      cell: (order) => share(order),
    },
  ];
  return columns;
}

export function Side({ side }: { side: Order["side"] }): ReactNode {
  return (
    <span className={side === "BUY" ? "gain" : "loss"}>
      <span aria-hidden="true">{side === "BUY" ? "▲ " : "▼ "}</span>
      {sideOf(side)}
    </span>
  );
}

function share(order: Order): string {
  const part = Number(order.executed) / Number(order.quantity);
  if (!(part > 0)) return "–";
  return part >= 1 ? "all" : `${Math.floor(part * 100)}\u202f%`;
}
