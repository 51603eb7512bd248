// Everything that changes by itself, in one place. Changes are gathered and shown once per frame, so
// that however many come, the page is drawn at most sixty times a second.

import { useSyncExternalStore } from "react";
import type { Bot, Cluster, Fill, Order, Overview, Position } from "../api/schema";

/** How the page hears of changes. `since` and `heard` are this machine's milliseconds. */
export type Link =
  | { phase: "starting" }
  | { phase: "live"; since: number }
  | { phase: "lost"; since: number; retryAt: number; why: string };

export interface LivePrice {
  symbol: string;
  price: number;
  text: string;
  /** The exchange's time, ms. */
  at: number;
  heard: number;
}

export interface EquityNow {
  at: number;
  equity: number;
}

export interface Alert {
  id: string;
  at: number;
  level: string;
  text: string;
}

export interface Live {
  link: Link;
  /** When the newest message or snapshot came; 0 never. */
  heard: number;
  overview: Overview | null;
  bots: readonly Bot[] | null;
  orders: readonly Order[] | null;
  fills: readonly Fill[] | null;
  positions: readonly Position[] | null;
  cluster: Cluster | null;
  prices: Readonly<Record<string, LivePrice>>;
  /** By account, "" for all together; about one a second since the page was opened. */
  equity: Readonly<Record<string, readonly EquityNow[]>>;
  alerts: readonly Alert[];
}

const BEGINNING: Live = {
  link: { phase: "starting" },
  heard: 0,
  overview: null,
  bots: null,
  orders: null,
  fills: null,
  positions: null,
  cluster: null,
  prices: {},
  equity: {},
  alerts: [],
};

/** More orders and fills than this are looked up in the history. */
export const MOST_ROWS = 200;
const MOST_POINTS = 3600;
const MOST_ALERTS = 50;

type Change = (now: Live) => Live;

export class LiveStore {
  private shown: Live = BEGINNING;
  private next: Live = BEGINNING;
  private readonly listeners = new Set<() => void>();
  private asked = 0;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly get = (): Live => this.shown;

  /** What will be shown next; for whoever decides on it. */
  get latest(): Live {
    return this.next;
  }

  change(change: Change): void {
    this.next = change(this.next);
    if (this.asked === 0) {
      // A page in the background gets no frames; there a timer keeps what is told together.
      this.asked = document.hidden
        ? window.setTimeout(this.show, 250)
        : requestAnimationFrame(this.show);
    }
  }

  set(part: Partial<Live>): void {
    this.change((now) => ({ ...now, ...part }));
  }

  forget(): void {
    this.set(BEGINNING);
  }

  private readonly show = (): void => {
    this.asked = 0;
    this.shown = this.next;
    for (const listener of this.listeners) listener();
  };
}

export const live = new LiveStore();

/** A part of what is live; drawn anew when that part has changed. */
export function useLive<Part>(select: (live: Live) => Part): Part {
  return useSyncExternalStore(live.subscribe, () => select(live.get()));
}

/** Newest first; an order that is known already is replaced where it stands. */
export function withOrder(orders: readonly Order[] | null, order: Order): readonly Order[] {
  if (orders === null) return [order];
  const at = orders.findIndex((one) => one.cid === order.cid && one.account === order.account);
  if (at >= 0) return orders.with(at, order);
  return trimmed([order, ...orders]);
}

/** What may still matter is never dropped, however old it is. */
function trimmed(orders: readonly Order[]): readonly Order[] {
  if (orders.length <= MOST_ROWS) return orders;
  return orders.filter((one, at) => at < MOST_ROWS || matters(one));
}

/** Of which something may still become. */
export const UNSETTLED = ["open", "under_way", "in_doubt"] as const;

export function matters(order: Order): boolean {
  return UNSETTLED.some((condition) => order.condition === condition);
}

export function withFill(fills: readonly Fill[] | null, fill: Fill): readonly Fill[] {
  if (fills?.some((one) => one.seq === fill.seq && one.account === fill.account)) return fills;
  return [fill, ...(fills ?? [])].slice(0, MOST_ROWS);
}

export function withPoint(
  equity: Live["equity"],
  account: string,
  point: EquityNow,
): Live["equity"] {
  const before = equity[account] ?? [];
  const last = before.at(-1);
  if (last !== undefined && point.at <= last.at) return equity;
  return { ...equity, [account]: [...before, point].slice(-MOST_POINTS) };
}

export function withAlert(alerts: readonly Alert[], alert: Alert): readonly Alert[] {
  if (alerts.some((one) => one.id === alert.id)) return alerts;
  return [alert, ...alerts].slice(0, MOST_ALERTS);
}
