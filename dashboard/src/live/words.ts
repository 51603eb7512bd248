// The API's enums in the words of people, with the mood in which they are said.

import type { Mood } from "./parts/Badge";
import type {
  Bot,
  BotCondition,
  HaltLevel,
  JobState,
  Order,
  OrderCondition,
  OrderType,
  Tone,
} from "./api/schema";

export const CONDITIONS: Record<OrderCondition, { word: string; mood: Mood }> = {
  under_way: { word: "on its way", mood: "busy" },
  in_doubt: { word: "in doubt", mood: "bad" },
  open: { word: "working", mood: "good" },
  filled: { word: "filled", mood: "good" },
  cancelled: { word: "taken back", mood: "quiet" },
  refused: { word: "refused", mood: "quiet" },
  absent: { word: "never arrived", mood: "quiet" },
};

export const BOT_CONDITIONS: Record<BotCondition, { word: string; mood: Mood }> = {
  running: { word: "trading", mood: "good" },
  draining: { word: "draining", mood: "busy" },
  halted: { word: "halted", mood: "bad" },
  stopped: { word: "stopped", mood: "quiet" },
  failed: { word: "failed", mood: "bad" },
};

export const JOB_STATES: Record<JobState, { word: string; mood: Mood }> = {
  queued: { word: "waiting", mood: "quiet" },
  running: { word: "running", mood: "busy" },
  done: { word: "done", mood: "good" },
  failed: { word: "failed", mood: "bad" },
  cancelled: { word: "cancelled", mood: "quiet" },
};

export const LEVELS: Record<HaltLevel, { word: string; means: string }> = {
  entries: { word: "No new entries", means: "Nothing adds exposure. What rests may still fill, exits go on." },
  cancel: {
    word: "Cancel what rests",
    means: "And nothing rests at the exchange but what protects a position.",
  },
  flatten: { word: "Sell everything", means: "And what bots hold is sold at market." },
};

export const TONES: Record<Tone, Mood> = { good: "good", attention: "busy", bad: "bad" };

const TYPES: Record<OrderType, string> = {
  LIMIT: "limit",
  LIMIT_MAKER: "post-only",
  MARKET: "market",
  STOP_LOSS: "stop",
  STOP_LOSS_LIMIT: "stop limit",
};

/** `limit`, `stop`, and whether it protects a position. */
export function typeOf(order: Order): string {
  return order.protects ? `${TYPES[order.type]}, protects` : TYPES[order.type];
}

export function sideOf(side: Order["side"]): string {
  return side === "BUY" ? "buy" : "sell";
}

export function isWorking(order: Order): boolean {
  return order.condition === "open" || order.condition === "under_way";
}

export function baseOf(symbol: string): string {
  return symbol.split("/")[0] ?? symbol;
}

export function quoteOf(symbol: string): string {
  return symbol.split("/")[1] ?? "";
}

export function botPath(bot: Pick<Bot, "account" | "name">): string {
  return `/bots/${encodeURIComponent(bot.account)}/${encodeURIComponent(bot.name)}`;
}
