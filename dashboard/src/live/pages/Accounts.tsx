// Exchange accounts: what is in them, and where their keys are kept (never what they are).

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { decimal, when } from "../../format";
import { call } from "../api/http";
import type { Account, Balance, Position } from "../api/schema";
import { Gain, Unit } from "../parts/Amount";
import { Badge } from "../parts/Badge";
import { Card, PageHead } from "../parts/Card";
import { Fetched } from "../parts/Fetched";
import { Empty, Loading } from "../parts/Remarks";
import { Table, type Column } from "../parts/Table";
import { EquityPanel } from "../EquityPanel";
import { ExchangeAccounts } from "../ExchangeAccounts";
import { useSession } from "../api/session";
import { useLive } from "../stream/store";
import { LEVELS, baseOf, quoteOf } from "../words";

const READ_AGAIN_MS = 5_000;

export default function Accounts(): ReactNode {
  const overview = useLive((live) => live.overview);
  const session = useSession();
  if (overview === null) return <Loading what="accounts" />;
  return (
    <>
      <PageHead title="Accounts" />
      {overview.accounts.length === 0 && (
        <Card title="No account">
          <Empty title="No account has a journal yet, or none is yours.">
            Accounts are named in the configuration of a node (<code>holdfast node</code>), and an
            administrator adds others here.
          </Empty>
        </Card>
      )}
      {overview.accounts.map((account) => (
        <One key={account.name} account={account} />
      ))}
      {session.phase === "in" && session.me.scopes.includes("admin") && <ExchangeAccounts />}
    </>
  );
}

function One({ account }: { account: Account }): ReactNode {
  const positions = useLive((live) => live.positions);
  const balances = useQuery({
    queryKey: ["balances", account.name],
    queryFn: () => call("GET /api/v1/balances", { query: { account: account.name } }),
    refetchInterval: READ_AGAIN_MS,
  });
  const mine = (positions ?? []).filter((one) => one.account === account.name);
  return (
    <div className="columns">
      <div className="stack">
        <Card title={account.name} sub={<State account={account} />}>
          <Facts account={account} />
        </Card>
        <Card title={`Positions of ${account.name}`} sub="what bots hold">
          {mine.length === 0 ? (
            <Empty title="All bots are flat." />
          ) : (
            <Table
              name={`Positions of ${account.name}`}
              rows={mine}
              columns={POSITIONS}
              rowKey={(one) => `${one.bot}/${one.symbol}`}
              folds
            />
          )}
        </Card>
        <Card title={`Balances of ${account.name}`} sub="by its own journal">
          <Fetched what="balances" from={balances}>
            {({ items }) => (
              <Table
                name={`Balances of ${account.name}`}
                rows={items}
                columns={balanceColumns(account.reporting)}
                rowKey={(one) => one.asset}
                folds
              />
            )}
          </Fetched>
        </Card>
      </div>
      <EquityPanel title={`Equity of ${account.name}`} account={account.name} height={320} />
    </div>
  );
}

function State({ account }: { account: Account }): ReactNode {
  if (account.halt) return <Badge mood="bad">{LEVELS[account.halt].word.toLowerCase()}</Badge>;
  return account.trades ? (
    <Badge mood="good">trades</Badge>
  ) : (
    <Badge mood="busy">opens nothing{account.reason === "" ? "" : `: ${account.reason}`}</Badge>
  );
}

function Facts({ account }: { account: Account }): ReactNode {
  const detail = useQuery({
    queryKey: ["account", account.name],
    queryFn: () => call("GET /api/v1/accounts/{account}", { path: { account: account.name } }),
  });
  return (
    <Fetched what="the account" from={detail}>
      {({ rest_url, api_key, reconcile }) => (
        <dl className="facts pad">
          <dt>Equity</dt>
          <dd>
            {decimal(account.equity, 2)}
            <Unit>{account.reporting}</Unit>, today{" "}
            <Gain value={account.day_pnl} unit={account.reporting} />
          </dd>
          <dt>Exchange</dt>
          <dd>
            {account.venue ?? "not known here"}
            {rest_url ? ` at ${rest_url}` : ""}
          </dd>
          <dt>Key</dt>
          <dd>
            {api_key ? <code>{api_key}</code> : "configured elsewhere"}
            <span className="muted"> (a reference; keys never come here)</span>
          </dd>
          <dt>Others’ trades on it</dt>
          <dd>{reconcile ?? "–"}</dd>
          <dt>Leader</dt>
          <dd>
            {account.leader ?? "nobody"}, epoch {account.epoch}
          </dd>
          <dt>Journal</dt>
          <dd>
            {account.seq.toLocaleString("en-US")} records
            {account.heard_at ? `, the last ${when(Date.parse(account.heard_at))}` : ""}
          </dd>
        </dl>
      )}
    </Fetched>
  );
}

const POSITIONS: Column<Position>[] = [
  { label: "Bot", cell: (one) => <span className="strong">{one.bot}</span> },
  {
    label: "Quantity",
    right: true,
    cell: (one) => (
      <>
        {decimal(one.quantity)}
        <Unit>{baseOf(one.symbol)}</Unit>
      </>
    ),
  },
  {
    label: "Paid",
    right: true,
    short: "paid",
    cell: (one) => (
      <>
        {decimal(one.average_price, 2)}
        <Unit>{quoteOf(one.symbol)}</Unit>
      </>
    ),
  },
  { label: "Worth", right: true, short: "worth", cell: (one) => decimal(one.value, 2) },
  {
    label: "Open profit",
    right: true,
    short: "open",
    cell: (one) => <Gain value={one.unrealised} unit={quoteOf(one.symbol)} />,
  },
  { label: "Stop", right: true, short: "stop", cell: (one) => decimal(one.stop, 2) },
];

function balanceColumns(unit: string): Column<Balance>[] {
  return [
    { label: "Asset", cell: (one) => <span className="strong">{one.asset}</span> },
    { label: "In all", right: true, cell: (one) => decimal(one.total) },
    { label: "Free", right: true, short: "free", cell: (one) => decimal(one.free) },
    { label: "Set aside", right: true, short: "set aside", cell: (one) => decimal(one.reserved) },
    {
      label: "Worth",
      right: true,
      short: "worth",
      cell: (one) => (
        <>
          {decimal(one.value, 2)}
          <Unit>{unit}</Unit>
        </>
      ),
    },
  ];
}
