// What a message of the stream changes in the store.

import type { Bot, Cluster, Fill, Order, Overview, Position } from "../api/schema";
import { livePrice } from "./snapshot";
import { live, withAlert, withFill, withOrder, withPoint } from "./store";

/** A message: events of one topic, of one account where it is about one. */
export interface Frame {
  topic: string;
  account?: string;
  seq?: number;
  events?: readonly Event[];
}

interface Event {
  order?: Order;
  fill?: Fill;
  position?: Position;
  bot?: Bot;
  overview?: Overview;
  cluster?: Cluster;
  symbol?: string;
  price?: string;
  equity?: string;
  at?: string;
  told?: string;
  level?: string;
  id?: string;
  seq?: number;
}

/** Take a message in. Whether a summary should be asked for soon, because more follows from it. */
export function take(frame: Frame, heard: number): boolean {
  for (const event of frame.events ?? []) {
    if (event.order !== undefined) {
      const { order } = event;
      live.change((now) => ({ ...now, heard, orders: withOrder(now.orders, order) }));
    }
    if (event.fill !== undefined) {
      const { fill } = event;
      live.change((now) => ({ ...now, heard, fills: withFill(now.fills, fill) }));
    }
    if (frame.topic === "prices" && event.symbol !== undefined && event.price !== undefined) {
      const { symbol, price } = event;
      const told = livePrice({ symbol, price, at: event.at ?? new Date(heard).toISOString() }, heard);
      live.change((now) => ({ ...now, heard, prices: { ...now.prices, [symbol]: told } }));
    }
    if (frame.topic === "equity" && event.equity !== undefined) {
      const point = { at: Date.parse(event.at ?? ""), equity: Number(event.equity) };
      live.change((now) => ({
        ...now,
        heard,
        equity: withPoint(now.equity, frame.account ?? "", point),
      }));
    }
    if (frame.topic === "alerts" && event.told !== undefined) {
      const alert = {
        id: event.id ?? `${frame.account ?? ""}/${event.seq ?? frame.seq ?? heard}`,
        at: Date.parse(event.at ?? ""),
        level: event.level ?? "warning",
        text: event.told,
      };
      live.change((now) => ({ ...now, heard, alerts: withAlert(now.alerts, alert) }));
    }
  }
  live.set({ heard });
  return frame.topic !== "prices" && frame.topic !== "equity" && frame.topic !== "heartbeat";
}
