// One order's story, beside whatever page it was opened from: every record about it, in order. Its
// address is part of the page's, so it can be sent to somebody, and Back closes it.

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, type ReactNode } from "react";
import { useSearchParams } from "wouter";
import { clock, decimal, when } from "../format";
import { call } from "./api/http";
import type { JournalEntry, Order } from "./api/schema";
import { Unit } from "./parts/Amount";
import { Badge, Glyph, type Mood } from "./parts/Badge";
import { Dialog } from "./parts/Dialog";
import { Fetched } from "./parts/Fetched";
import { Side } from "./OrderTable";
import { useLive } from "./stream/store";
import { CONDITIONS, baseOf, quoteOf, typeOf } from "./words";

const PARAMETER = "order";

/** Open an order's story over the page that is shown. */
export function useOpenOrder(): (order: Pick<Order, "account" | "cid">) => void {
  const [, set] = useSearchParams();
  const setter = useRef(set);
  setter.current = set;
  return useRef((order: Pick<Order, "account" | "cid">) =>
    setter.current((now) => {
      now.set(PARAMETER, `${order.account}/${order.cid}`);
      return now;
    }),
  ).current;
}

export function OrderDrawer(): ReactNode {
  const [asked, set] = useSearchParams();
  const named = asked.get(PARAMETER);
  if (named === null) return null;
  const [account = "", cid = ""] = named.split("/");
  const close = (): void =>
    set(
      (now) => {
        now.delete(PARAMETER);
        return now;
      },
      { replace: true },
    );
  return (
    <Dialog key={named} title="An order’s story" close={close} drawer>
      <Story account={account} cid={cid} />
    </Dialog>
  );
}

function Story({ account, cid }: { account: string; cid: string }): ReactNode {
  // What the live list has of it changes when there is news: then the story is read again.
  const known = useLive((live) =>
    live.orders?.find((one) => one.cid === cid && one.account === account),
  );
  const story = useQuery({
    queryKey: ["order", account, cid],
    queryFn: () => call("GET /api/v1/accounts/{account}/orders/{cid}", { path: { account, cid } }),
  });
  const news = known === undefined ? "" : `${known.changed_at}/${known.condition}/${known.executed}`;
  const { refetch } = story;
  const seen = useRef(news);
  useEffect(() => {
    if (seen.current !== news) void refetch();
    seen.current = news;
  }, [news, refetch]);
  return (
    <Fetched what="its records" from={story}>
      {({ order, timeline }) => (
        <>
          <Summary order={order} />
          <h3>What the journal says of it</h3>
          <ol className="story">
            {timeline.map((entry) => (
              <Entry key={entry.seq} entry={entry} />
            ))}
          </ol>
        </>
      )}
    </Fetched>
  );
}

function Summary({ order }: { order: Order }): ReactNode {
  const { word, mood } = CONDITIONS[order.condition];
  const quote = quoteOf(order.symbol);
  return (
    <dl className="facts">
      <dt>State</dt>
      <dd>
        <Badge mood={mood}>{word}</Badge>
      </dd>
      <dt>Order</dt>
      <dd>
        <Side side={order.side} /> {decimal(order.quantity)}
        <Unit>{baseOf(order.symbol)}</Unit>
        {order.price
          ? ` at ${decimal(order.price)} ${quote}`
          : order.stop_price
            ? ` below ${decimal(order.stop_price)} ${quote}`
            : " at market"}
        <span className="muted"> ({typeOf(order)})</span>
      </dd>
      <dt>Filled</dt>
      <dd>
        {decimal(order.executed)}
        <Unit>{baseOf(order.symbol)}</Unit>
      </dd>
      <dt>Bot</dt>
      <dd>
        {order.bot || "–"} on {order.account}
      </dd>
      <dt>Our id</dt>
      <dd className="code">{order.cid}</dd>
      <dt>The exchange’s id</dt>
      <dd className="code">{order.order_id ?? "not known"}</dd>
    </dl>
  );
}

const MOODS: Record<string, Mood> = { filled: "good", ghost: "bad" };

function Entry({ entry }: { entry: JournalEntry }): ReactNode {
  const at = Date.parse(entry.at);
  const mood = MOODS[entry.kind] ?? (entry.fact.state === "IN_DOUBT" ? "bad" : "quiet");
  return (
    <li>
      <time dateTime={entry.at} title={when(at)}>
        {clock(at, true)}
      </time>
      <span className={`dot badge ${mood}`}>
        <Glyph mood={mood} />
      </span>
      <div>
        <p className="what">{entry.told}</p>
        <details>
          <summary className="small muted">
            Record {entry.seq.toLocaleString("en-US")}, epoch {entry.epoch}, {entry.kind}
          </summary>
          <pre className="code wrap">{JSON.stringify(entry.fact, null, 1)}</pre>
        </details>
      </div>
    </li>
  );
}
