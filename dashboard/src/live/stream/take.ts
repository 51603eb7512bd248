// What a message of the stream changes in the store. Events (orders, alerts, cluster) come once each;
// how things stand (prices, positions, equity) comes whole, and only the newest counts.

import type { Account, Bot, Fill, Order, Overview, Position, Price, Tone } from "../api/schema";
import { livePrice } from "./snapshot";
import { live, withAlert, withFill, withOrder, withPoint, type Live } from "./store";

export interface Frame {
  topic: string;
  account?: string;
  /** Journal position of the account that is reached with it. */
  seq?: number;
  at?: string;
  events?: readonly StreamEvent[];
  prices?: readonly Omit<Price, "age_s">[];
  state?: Account;
  sentence?: string;
  tone?: Tone;
  bots?: readonly Bot[];
  positions?: readonly Position[];
}

interface StreamEvent {
  seq: number;
  at: string;
  kind: string;
  level: string;
  bot: string;
  told: string;
  order?: Order | null;
  fill?: FillFact | null;
}

/** A fill as the journal has it. */
interface FillFact {
  symbol: string;
  side: Fill["side"];
  trade_id: string;
  venue_order_id: string;
  cid: string;
  quantity: string;
  price: string;
  fee: string;
  fee_asset: string;
  at_ns: number;
  is_maker: boolean;
}

export type Heard = "" | "look" | "start over";

/** The key of the sum of all accounts among the points of equity. */
export const ALL = "";

/** Take a message in; whether more has to be asked for because of it. */
export function take(frame: Frame, heard: number): Heard {
  const account = frame.account ?? "";
  switch (frame.topic) {
    case "reset":
      return "start over";
    case "prices":
      live.change((now) => ({ ...now, heard, prices: withPrices(now.prices, frame, heard) }));
      return "";
    case "equity":
      live.change((now) => withAccount({ ...now, heard }, frame));
      return "";
    case "positions":
      live.change((now) => withHoldings({ ...now, heard }, account, frame));
      return "";
    case "orders":
      live.change((now) => ({ ...withEvents(now, account, frame), heard }));
      return "";
    case "alerts":
      live.change((now) => ({ ...withAlerts(now, account, frame), heard }));
      return "look";
    case "cluster":
      live.set({ heard });
      return "look";
    default:
      live.set({ heard });
      return "";
  }
}

function withPrices(prices: Live["prices"], frame: Frame, heard: number): Live["prices"] {
  const next = { ...prices };
  for (const one of frame.prices ?? []) next[one.symbol] = livePrice(one, heard);
  return next;
}

function withEvents(now: Live, account: string, frame: Frame): Live {
  let { orders, fills } = now;
  for (const { order, fill, seq, bot } of frame.events ?? []) {
    if (order) orders = withOrder(orders, order);
    if (fill) fills = withFill(fills, fillOf(fill, account, seq, bot));
  }
  return { ...now, orders, fills };
}

function fillOf(fact: FillFact, account: string, seq: number, bot: string): Fill {
  const { venue_order_id, at_ns, cid, ...rest } = fact;
  return {
    ...rest,
    account,
    seq,
    bot: bot || null,
    cid: cid || null,
    order_id: venue_order_id,
    at: new Date(at_ns / 1e6).toISOString(),
    held: null,
  };
}

function withAlerts(now: Live, account: string, frame: Frame): Live {
  let { alerts } = now;
  for (const { seq, at, level, told, bot } of frame.events ?? []) {
    const text = bot === "" ? told : `${bot}: ${told}`;
    alerts = withAlert(alerts, { id: `${account}/${seq}`, at: Date.parse(at), level, text });
  }
  return { ...now, alerts };
}

function withHoldings(now: Live, account: string, frame: Frame): Live {
  const { bots = [], positions = [] } = frame;
  const named = new Map(bots.map((bot) => [bot.name, bot]));
  const others = (now.positions ?? []).filter(
    (one) => one.account !== account || !named.has(one.bot),
  );
  const kept = (now.bots ?? []).map((bot) =>
    bot.account === account ? (named.get(bot.name) ?? bot) : bot,
  );
  const known = new Set(kept.filter((bot) => bot.account === account).map((bot) => bot.name));
  const born = bots.filter((bot) => !known.has(bot.name));
  return { ...now, bots: [...kept, ...born], positions: [...others, ...positions] };
}

/** The first screen's figures follow from those of its accounts. */
function withAccount(now: Live, frame: Frame): Live {
  const { overview } = now;
  const { state } = frame;
  if (overview === null || state === undefined) return now;
  const accounts = overview.accounts.map((one) => (one.name === state.name ? state : one));
  const only = accounts.length === 1 ? frame : null;
  const next = {
    ...summed(overview, accounts),
    ...(only?.sentence === undefined ? {} : { sentence: only.sentence }),
    ...(only?.tone === undefined ? {} : { tone: only.tone }),
  };
  const at = Date.parse(frame.at ?? "");
  let { equity } = now;
  if (state.equity) equity = withPoint(equity, state.name, { at, equity: Number(state.equity) });
  if (next.equity) equity = withPoint(equity, ALL, { at, equity: Number(next.equity) });
  return { ...now, overview: next, equity };
}

function summed(overview: Overview, accounts: Account[]): Overview {
  const total = (read: (account: Account) => string | null): number | null => {
    const all = accounts.map(read);
    if (overview.reporting === null || all.some((one) => one === null)) return null;
    return all.reduce((sum, one) => sum + Number(one), 0);
  };
  const share = (part: number | null, whole: number | null): string | null =>
    part === null || whole === null || whole === 0 ? null : String((part / whole) * 100);
  const equity = total((account) => account.equity);
  const day = total((account) => account.day_pnl);
  const exposure = total((account) => account.exposure);
  return {
    ...overview,
    accounts,
    halt: accounts.find((account) => account.halt !== null)?.halt ?? null,
    in_doubt: accounts.reduce((sum, account) => sum + account.in_doubt, 0),
    equity: equity === null ? null : String(equity),
    day_pnl: day === null ? null : String(day),
    day_pnl_pct: share(day, equity === null || day === null ? null : equity - day),
    exposure: exposure === null ? null : String(exposure),
    exposure_pct: share(exposure, equity),
  };
}
