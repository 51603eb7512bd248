// All that is live, asked for at once; and the parts that are computed, asked for again.

import { call } from "../api/http";
import type { Order, OrderCondition, Price } from "../api/schema";
import { MOST_ROWS, UNSETTLED, live, type LivePrice } from "./store";

/** Fill the store. Returns how far each journal had been read: the stream goes on from there. */
export async function snapshot(): Promise<Record<string, number>> {
  // First, so that what happens while the rest is fetched comes again by the stream.
  const overview = await call("GET /api/v1/overview", {});
  const [bots, orders, fills, positions, cluster, prices] = await Promise.all([
    call("GET /api/v1/bots", {}),
    newestOrders(),
    call("GET /api/v1/fills", { query: { limit: MOST_ROWS } }),
    call("GET /api/v1/positions", {}),
    call("GET /api/v1/cluster", {}),
    call("GET /api/v1/prices", {}),
  ]);
  const now = Date.now();
  live.set({
    heard: now,
    overview,
    bots: bots.items,
    orders,
    fills: fills.items,
    positions: positions.items,
    cluster,
    prices: Object.fromEntries(prices.items.map((one) => [one.symbol, livePrice(one, now)])),
  });
  return { ...overview.positions };
}

/** The newest ones, and behind them every older one that may still matter: a stop may rest for weeks. */
async function newestOrders(): Promise<readonly Order[]> {
  const { items, next_cursor } = await call("GET /api/v1/orders", { query: { limit: MOST_ROWS } });
  if (!next_cursor) return items;
  const keyOf = (one: Order): string => `${one.account}/${one.cid}`;
  const known = new Set(items.map(keyOf));
  const older = (await Promise.all(UNSETTLED.map(everyOrder))).flat();
  for (const one of older) {
    if (known.has(keyOf(one))) continue;
    known.add(keyOf(one));
    items.push(one);
  }
  return items.sort((one, other) => Date.parse(other.armed_at) - Date.parse(one.armed_at));
}

async function everyOrder(condition: OrderCondition): Promise<Order[]> {
  const found: Order[] = [];
  let from: { cursor?: string } = {};
  for (;;) {
    const { items, next_cursor } = await call("GET /api/v1/orders", {
      query: { condition, limit: MOST_ROWS, ...from },
    });
    found.push(...items);
    if (!next_cursor) return found;
    from = { cursor: next_cursor };
  }
}

export function livePrice(one: Pick<Price, "symbol" | "price" | "at">, heard: number): LivePrice {
  const { symbol, price: text, at } = one;
  return { symbol, text, price: Number(text), at: Date.parse(at), heard };
}

/** What no message of the stream tells. */
export async function refreshSummary(): Promise<void> {
  const [overview, cluster] = await Promise.all([
    call("GET /api/v1/overview", {}),
    call("GET /api/v1/cluster", {}),
  ]);
  live.set({ overview, cluster, heard: Date.now() });
}

export async function refreshHoldings(): Promise<void> {
  const [bots, positions] = await Promise.all([
    call("GET /api/v1/bots", {}),
    call("GET /api/v1/positions", {}),
  ]);
  live.set({ bots: bots.items, positions: positions.items, heard: Date.now() });
}
