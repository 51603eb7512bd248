// All bots: whether they trade, what they hold, what they made.

import { useMemo, type ReactNode } from "react";
import { useLocation } from "wouter";
import { decimal } from "../format";
import type { Bot, Position } from "./api/schema";
import { Gain, Unit } from "./parts/Amount";
import { Badge } from "./parts/Badge";
import { Empty, Loading } from "./parts/Remarks";
import { Table, type Column } from "./parts/Table";
import { useLive } from "./stream/store";
import { BOT_CONDITIONS, baseOf, botPath } from "./words";

interface Row {
  bot: Bot;
  held: readonly Position[];
}

export function BotTable({ narrow = false }: { narrow?: boolean }): ReactNode {
  const bots = useLive((live) => live.bots);
  const positions = useLive((live) => live.positions);
  const several = useLive((live) => (live.overview?.accounts.length ?? 1) > 1);
  const [, go] = useLocation();
  const rows = useMemo(
    () =>
      bots?.map((bot) => ({
        bot,
        held: (positions ?? []).filter(
          (one) => one.account === bot.account && one.bot === bot.name,
        ),
      })),
    [bots, positions],
  );
  const columns = useMemo(() => columnsOf(narrow, several), [narrow, several]);
  if (rows === undefined) return <Loading what="bots" />;
  if (rows.length === 0) {
    return <Empty title="No bots yet.">Create one on the page of bots, or in the configuration of a node.</Empty>;
  }
  return (
    <Table
      name="Bots"
      rows={rows}
      columns={columns}
      rowKey={({ bot }) => `${bot.account}/${bot.name}`}
      open={({ bot }) => go(botPath(bot))}
      folds
    />
  );
}

function columnsOf(narrow: boolean, several: boolean): Column<Row>[] {
  const columns: Column<Row>[] = [
    { label: "Bot", cell: ({ bot }) => <span className="strong">{bot.name}</span> },
    { label: "State", cell: ({ bot }) => <Condition bot={bot} /> },
    ...(several ? [{ label: "Account", cell: ({ bot }: Row) => bot.account }] : []),
  ];
  if (!narrow) {
    columns.push(
      { label: "Strategy", cell: ({ bot }) => bot.strategy },
      { label: "Markets", cell: ({ bot }) => bot.symbols.join(", ") },
      { label: "Bars", cell: ({ bot }) => bot.timeframe },
      { label: "Wants", wrap: true, cell: ({ bot }) => <span className="muted two-lines" title={bot.wish}>{bot.wish || "–"}</span> },
    );
  }
  columns.push(
    { label: "Holds", right: true, cell: ({ held }) => <Held positions={held} /> },
    { label: "Today", right: true, short: "today", cell: ({ bot }) => <Gain value={bot.day_pnl} unit={bot.quote} /> },
  );
  if (!narrow) {
    columns.push({ label: "In all", right: true, short: "in all", cell: ({ bot }) => <Gain value={bot.pnl} unit={bot.quote} /> });
  }
  return columns;
}

export function Condition({ bot }: { bot: Bot }): ReactNode {
  const { word, mood } = BOT_CONDITIONS[bot.condition];
  return <Badge mood={mood}>{word}</Badge>;
}

function Held({ positions }: { positions: readonly Position[] }): ReactNode {
  if (positions.length === 0) return <span className="muted">flat</span>;
  return positions.map((one) => (
    <div key={one.symbol}>
      {decimal(one.quantity)}
      <Unit>{baseOf(one.symbol)}</Unit>
    </div>
  ));
}
