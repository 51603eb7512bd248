// All that is live, asked for at once; and the parts that are computed, asked for again.

import { call } from "../api/http";
import type { Price } from "../api/schema";
import { MOST_ROWS, live, type LivePrice } from "./store";

/** Fill the store. Returns how far each journal had been read: the stream goes on from there. */
export async function snapshot(): Promise<Record<string, number>> {
  // First, so that what happens while the rest is fetched comes again by the stream.
  const overview = await call("GET /api/v1/overview", {});
  const [bots, orders, fills, positions, cluster, prices] = await Promise.all([
    call("GET /api/v1/bots", {}),
    call("GET /api/v1/orders", { query: { limit: MOST_ROWS } }),
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
    orders: orders.items,
    fills: fills.items,
    positions: positions.items,
    cluster,
    prices: Object.fromEntries(prices.items.map((one) => [one.symbol, livePrice(one, now)])),
  });
  return { ...overview.positions };
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
