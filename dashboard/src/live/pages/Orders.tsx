// Every order and every fill, as far back as one likes; what is in doubt comes first.

import { useMemo, type ReactNode } from "react";
import { useSearchParams } from "wouter";
import { age, decimal, when } from "../../format";
import { OrderTable, Side } from "../OrderTable";
import { call } from "../api/http";
import type { Fill, Order, OrderCondition } from "../api/schema";
import { useOpenOrder } from "../OrderDrawer";
import { Unit } from "../parts/Amount";
import { Card, PageHead } from "../parts/Card";
import { Choice, Field, Select } from "../parts/Field";
import { Pages, usePages } from "../parts/Pages";
import { Loading } from "../parts/Remarks";
import { Table, type Column } from "../parts/Table";
import { useNow } from "../parts/now";
import { useLive } from "../stream/store";
import { CONDITIONS, baseOf, quoteOf } from "../words";

export default function Orders(): ReactNode {
  const [asked, set] = useSearchParams();
  const shown = asked.get("show") === "fills" ? "fills" : "orders";
  const filter = (name: string) => (value: string) =>
    set(
      (now) => {
        if (value === "") now.delete(name);
        else now.set(name, value);
        return now;
      },
      { replace: true },
    );
  const which: Which = {
    account: asked.get("account") ?? "",
    bot: asked.get("bot") ?? "",
    symbol: asked.get("symbol") ?? "",
    condition: asked.get("condition") ?? "",
  };
  return (
    <>
      <PageHead title="Orders" />
      <Doubts />
      <Card
        title={shown === "orders" ? "All orders" : "Fills"}
        controls={
          <Choice
            label="What is listed"
            value={shown}
            set={(next) => filter("show")(next === "fills" ? "fills" : "")}
            options={[
              ["orders", "Orders"],
              ["fills", "Fills"],
            ]}
          />
        }
      >
        <Filters which={which} filter={filter} hasCondition={shown === "orders"} />
        {shown === "orders" ? <OrderPages which={which} /> : <FillPages which={which} />}
      </Card>
    </>
  );
}

interface Which {
  account: string;
  bot: string;
  symbol: string;
  condition: string;
}

function Doubts(): ReactNode {
  const orders = useLive((live) => live.orders);
  const now = useNow();
  const doubted = useMemo(
    () => (orders ?? []).filter((order) => order.condition === "in_doubt"),
    [orders],
  );
  if (orders === null) return <Loading what="orders in doubt" />;
  if (doubted.length === 0) {
    return (
      <p className="muted small">
        Nothing is in doubt: of every order it is known what became of it.
      </p>
    );
  }
  const oldest = Math.min(...doubted.map((order) => Date.parse(order.armed_at)));
  return (
    <Card
      title={doubted.length === 1 ? "One order is in doubt" : `${doubted.length} orders are in doubt`}
      sub={`the oldest for ${age((now - oldest) / 1000)}; none is sent again, the exchange is asked`}
    >
      <OrderTable orders={doubted} name="Orders in doubt" live />
    </Card>
  );
}

interface FilterProps {
  which: Which;
  filter: (name: string) => (value: string) => void;
  hasCondition: boolean;
}

function Filters({ which, filter, hasCondition }: FilterProps): ReactNode {
  const bots = useLive((live) => live.bots ?? NONE);
  const accounts = [...new Set(bots.map((bot) => bot.account))];
  const symbols = [...new Set(bots.flatMap((bot) => bot.symbols))].sort();
  const mine = bots.filter((bot) => which.account === "" || bot.account === which.account);
  const options = (all: string, names: readonly string[]) => [
    ["", all] as const,
    ...names.map((name) => [name, name] as const),
  ];
  return (
    <div className="filters pad">
      {accounts.length > 1 && (
        <Select
          label="Account"
          value={which.account}
          set={filter("account")}
          options={options("all", accounts)}
        />
      )}
      <Select
        label="Bot"
        value={which.bot}
        set={filter("bot")}
        options={options("all", [...new Set(mine.map((bot) => bot.name))])}
      />
      {symbols.length > 0 ? (
        <Select
          label="Market"
          value={which.symbol}
          set={filter("symbol")}
          options={options("all", symbols)}
        />
      ) : (
        <Field label="Market" value={which.symbol} set={filter("symbol")} />
      )}
      {hasCondition && (
        <Select
          label="State"
          value={which.condition}
          set={filter("condition")}
          options={[
            ["", "all"],
            ...Object.entries(CONDITIONS).map(([name, { word }]) => [name, word] as const),
          ]}
        />
      )}
    </div>
  );
}

const NONE: readonly never[] = [];

function asQuery(which: Which): { account?: string; bot?: string; symbol?: string } {
  return {
    ...(which.account === "" ? {} : { account: which.account }),
    ...(which.bot === "" ? {} : { bot: which.bot }),
    ...(which.symbol === "" ? {} : { symbol: which.symbol }),
  };
}

function OrderPages({ which }: { which: Which }): ReactNode {
  const pages = usePages(["orders", which], (from) =>
    call("GET /api/v1/orders", {
      query: {
        ...asQuery(which),
        ...(which.condition === "" ? {} : { condition: which.condition as OrderCondition }),
        ...from,
      },
    }),
  );
  // What happens while one reads is taken from the live list, so that no row is out of date.
  const live = useLive((now) => now.orders);
  const known = useMemo(
    () => new Map((live ?? []).map((order) => [`${order.account}/${order.cid}`, order])),
    [live],
  );
  const newest = (order: Order): Order => known.get(`${order.account}/${order.cid}`) ?? order;
  return (
    <Pages what="orders" from={pages}>
      {(rows) => <OrderTable orders={rows.map(newest)} />}
    </Pages>
  );
}

function FillPages({ which }: { which: Which }): ReactNode {
  const open = useOpenOrder();
  const pages = usePages(
    ["fills", which],
    (from) => call("GET /api/v1/fills", { query: { ...asQuery(which), ...from } }),
    { again: 5_000 },
  );
  return (
    <Pages what="fills" from={pages}>
      {(rows) => (
        <Table
          name="Fills"
          rows={rows}
          columns={FILL_COLUMNS}
          rowKey={(fill) => `${fill.account}/${fill.seq}`}
          open={({ account, cid }) => {
            if (cid) open({ account, cid });
          }}
          folds
        />
      )}
    </Pages>
  );
}

const FILL_COLUMNS: Column<Fill>[] = [
  { label: "At", cell: (fill) => <time dateTime={fill.at}>{when(Date.parse(fill.at))}</time> },
  { label: "Bot", cell: (fill) => fill.bot ?? "–" },
  { label: "Side", cell: (fill) => <Side side={fill.side} /> },
  {
    label: "Quantity",
    right: true,
    cell: (fill) => (
      <>
        {decimal(fill.quantity)}
        <Unit>{baseOf(fill.symbol)}</Unit>
      </>
    ),
  },
  {
    label: "Price",
    right: true,
    cell: (fill) => (
      <>
        {decimal(fill.price)}
        <Unit>{quoteOf(fill.symbol)}</Unit>
      </>
    ),
  },
  {
    label: "Fee",
    right: true,
    short: "fee",
    cell: (fill) => (
      <>
        {decimal(fill.fee)}
        <Unit>{fill.fee_asset}</Unit>
      </>
    ),
  },
  { label: "As", cell: (fill) => (fill.is_maker ? "maker" : "taker") },
  {
    label: "Holds then",
    right: true,
    short: "holds",
    cell: (fill) => (fill.held ? `${decimal(fill.held)} ${baseOf(fill.symbol)}` : "–"),
  },
];
