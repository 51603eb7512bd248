// One bot: its market with what it did there, what it earned, what it was told, what happened to it.

import { useQuery } from "@tanstack/react-query";
import { useMemo, useState, type ReactNode } from "react";
import { Link } from "wouter";
import { decimal, when } from "../../format";
import { BotControls } from "../BotControls";
import { BotParameters } from "../BotParameters";
import { Condition } from "../BotTable";
import { EquityPanel } from "../EquityPanel";
import { LimitFacts } from "../Limits";
import { Market } from "../MarketPanel";
import { OrderTable } from "../OrderTable";
import { call } from "../api/http";
import type { Bot, BotDetail } from "../api/schema";
import { Gain } from "../parts/Amount";
import { Card, PageHead } from "../parts/Card";
import { Fetched } from "../parts/Fetched";
import { Choice } from "../parts/Field";
import { Pages, usePages } from "../parts/Pages";
import { Empty, Loading } from "../parts/Remarks";
import { useIsNarrow } from "../parts/narrow";
import { useLive } from "../stream/store";
import { LEVELS, baseOf, quoteOf } from "../words";

interface Props {
  account: string;
  name: string;
}

export default function BotPage({ account, name }: Props): ReactNode {
  const now = useLive((live) =>
    live.bots?.find((one) => one.account === account && one.name === name),
  );
  const detail = useQuery({
    queryKey: ["bot", account, name],
    queryFn: () =>
      call("GET /api/v1/accounts/{account}/bots/{bot}", { path: { account, bot: name } }),
  });
  return (
    <Fetched what={`bot ${name}`} from={detail}>
      {(found) => <Shown bot={now ?? found.bot} detail={found} />}
    </Fetched>
  );
}

function Shown({ bot, detail }: { bot: Bot; detail: BotDetail }): ReactNode {
  const { account, name } = bot;
  const [symbol, setSymbol] = useState("");
  const [shown, show] = useState<"market" | "equity">("market");
  const market = symbol || bot.symbols[0] || "";
  const switcher = (
    <Choice
      label="What the chart shows"
      value={shown === "equity" ? "equity" : market}
      set={(next) => {
        show(next === "equity" ? "equity" : "market");
        if (next !== "equity") setSymbol(next);
      }}
      options={[...bot.symbols.map((one) => [one, one] as const), ["equity", "Profit"] as const]}
    />
  );
  return (
    <>
      <PageHead
        crumb={<Link href="/bots">Bots</Link>}
        title={bot.name}
        sub={
          <>
            <Condition bot={bot} /> · {bot.strategy} on {bot.symbols.join(", ")}, bars of{" "}
            {bot.timeframe}, account {bot.account}
          </>
        }
      >
        <BotControls bot={bot} />
      </PageHead>
      <Why bot={bot} />
      <BotFigures bot={bot} />
      <div className="columns">
        <div className="stack">
          {shown === "equity" ? (
            <EquityPanel title="Profit" account={account} bot={name} controls={switcher} height={340} />
          ) : (
            <Market
              key={market}
              symbol={market}
              timeframe={bot.timeframe}
              controls={switcher}
              bot={{ account, name }}
            />
          )}
          <BotOrders account={account} name={name} />
        </div>
        <div className="stack">
          <BotParameters detail={detail} />
          <Card title="Limits" sub="of this bot; the account’s bind as well">
            <div className="pad">
              <LimitFacts limits={detail.limits} quote={bot.quote} />
            </div>
          </Card>
          <Log account={account} name={name} />
        </div>
      </div>
    </>
  );
}

function Why({ bot }: { bot: Bot }): ReactNode {
  if (bot.halt) {
    return (
      <p className="remark">
        <b>{LEVELS[bot.halt].word}.</b> {LEVELS[bot.halt].means} {bot.reason}
      </p>
    );
  }
  return bot.reason === "" ? null : <p className="remark">{bot.reason}</p>;
}

function BotFigures({ bot }: { bot: Bot }): ReactNode {
  const positions = useLive((live) => live.positions);
  const held = (positions ?? []).filter(
    (one) => one.account === bot.account && one.bot === bot.name,
  );
  return (
    <dl className="figures">
      <div className="figure">
        <dt>Profit in all</dt>
        <dd>
          <Gain value={bot.pnl} /> <span className="unit">{bot.quote}</span>
        </dd>
      </div>
      <div className="figure">
        <dt>Today</dt>
        <dd>
          <Gain value={bot.day_pnl} /> <span className="unit">{bot.quote}</span>
        </dd>
      </div>
      {held.map((one) => (
        <div className="figure" key={one.symbol}>
          <dt>Holds</dt>
          <dd>
            {decimal(one.quantity)} <span className="unit">{baseOf(one.symbol)}</span>
          </dd>
          <dd className="more">
            for {decimal(one.average_price, 2)} {quoteOf(one.symbol)}, open{" "}
            <Gain value={one.unrealised} />
            {one.stop ? `, stop ${decimal(one.stop, 2)}` : ""}
          </dd>
        </div>
      ))}
      {held.length === 0 && (
        <div className="figure">
          <dt>Holds</dt>
          <dd>nothing</dd>
        </div>
      )}
      <div className="figure">
        <dt>Decisions</dt>
        <dd>{bot.decisions.toLocaleString("en-US")}</dd>
        <dd className="more">
          {bot.decided_at ? `the last ${when(Date.parse(bot.decided_at))}` : "none yet"}
        </dd>
      </div>
      <div className="figure">
        <dt>Wants</dt>
        <dd className="more wrap">
          <span className="two-lines" title={bot.wish}>
            {bot.wish || "nothing yet"}
          </span>
        </dd>
      </div>
    </dl>
  );
}

function BotOrders({ account, name }: Props): ReactNode {
  const isNarrow = useIsNarrow();
  const orders = useLive((live) => live.orders);
  const mine = useMemo(
    () => orders?.filter((one) => one.account === account && one.bot === name),
    [orders, account, name],
  );
  return (
    <Card
      title="Its orders"
      controls={
        <Link className="small" href={`/orders?account=${account}&bot=${name}`}>
          All of them
        </Link>
      }
    >
      {mine === undefined ? (
        <Loading what="orders" />
      ) : mine.length === 0 ? (
        <Empty title="No orders lately." />
      ) : (
        <OrderTable orders={mine.slice(0, isNarrow ? 10 : 40)} capped live />
      )}
    </Card>
  );
}

function Log({ account, name }: Props): ReactNode {
  const log = usePages(
    ["log", account, name],
    (from) =>
      call("GET /api/v1/accounts/{account}/bots/{bot}/logs", {
        path: { account, bot: name },
        query: from,
      }),
    { again: 10_000 },
  );
  return (
    <Card title="Log" sub="from its journal, newest first">
      <Pages what="lines" from={log} none={<Empty title="Nothing has happened yet." />}>
        {(lines) => (
          <div className="log" tabIndex={0} role="region" aria-label="Lines of the log">
            {lines.map((line) => (
              <div key={line.seq} className={LOUD[line.level]}>
                <span className="muted">{when(Date.parse(line.at))}</span> {line.told}
              </div>
            ))}
          </div>
        )}
      </Pages>
    </Card>
  );
}

const LOUD: Record<string, string> = { error: "loss", warning: "warn" };
