// One chart with everything in it: the candles of a market, what was bought and sold there, and what
// rests at the exchange.

import { useQuery } from "@tanstack/react-query";
import { useMemo, useState, type ReactNode } from "react";
import type { UTCTimestamp } from "lightweight-charts";
import { CandleChart, type Candle, type CandleData } from "../charts/CandleChart";
import { decimal, price } from "../format";
import { call } from "./api/http";
import type { Candle as CandleTold } from "./api/schema";
import { Card } from "./parts/Card";
import { Fetched } from "./parts/Fetched";
import { Choice } from "./parts/Field";
import { Empty, Loading } from "./parts/Remarks";
import { useLive, type LivePrice } from "./stream/store";
import { usePalette } from "./theme";
import { isWorking, quoteOf } from "./words";

const TIMEFRAMES = ["1s", "1m", "5m", "15m", "1h", "4h", "1d"] as const;
const CANDLES = 500;
const HEIGHT = 340;

/** Any market that a bot trades. */
export function MarketPanel(): ReactNode {
  const bots = useLive((live) => live.bots);
  const [chosen, choose] = useState<string | null>(null);
  const markets = useMemo(() => {
    const found = new Map<string, string>();
    for (const bot of bots ?? []) {
      for (const symbol of bot.symbols) if (!found.has(symbol)) found.set(symbol, bot.timeframe);
    }
    return found;
  }, [bots]);
  if (bots === null) {
    return (
      <Card title="Market">
        <Loading what="markets" />
      </Card>
    );
  }
  const shown = chosen ?? [...markets.keys()][0];
  if (shown === undefined) {
    return (
      <Card title="Market">
        <Empty title="No bot trades a market yet." />
      </Card>
    );
  }
  const switcher = (
    <Choice
      label="What the chart shows"
      value={shown}
      set={choose}
      options={[...markets.keys()].map((symbol) => [symbol, symbol] as const)}
    />
  );
  return (
    <Market key={shown} symbol={shown} timeframe={markets.get(shown) ?? "1m"} controls={switcher} />
  );
}

interface Props {
  symbol: string;
  /** Of the bot's bars; the reader may choose another. */
  timeframe: string;
  controls?: ReactNode;
  /** Only what this bot did. */
  bot?: { account: string; name: string };
}

export function Market({ symbol, timeframe, controls, bot }: Props): ReactNode {
  const [wanted, want] = useState(timeframe);
  const [point, setPoint] = useState<number | null>(null);
  const { palette } = usePalette();
  const now = useLive((live) => live.prices[symbol]);
  const history = useQuery({
    queryKey: ["candles", symbol, wanted],
    queryFn: () =>
      call("GET /api/v1/candles", { query: { symbol, timeframe: wanted, limit: CANDLES } }),
    staleTime: 0,
    // The last one is kept up by the prices; the whole is read again now and then for its truth.
    refetchInterval: Math.max(secondsOf(wanted) * 1000, 60_000),
  });
  const candles = useCandles(history.data, wanted, now);
  const drawn = useDrawn(symbol, bot);
  const data: CandleData = useMemo(() => ({ candles, ...drawn }), [candles, drawn]);
  const shown = candleAt(candles, point);
  const choices = [...new Set([timeframe, ...TIMEFRAMES])].sort(
    (one, other) => secondsOf(one) - secondsOf(other),
  );
  return (
    <Card
      title={symbol}
      sub={
        now === undefined ? undefined : (
          <>
            <b>{decimal(now.text)}</b> {quoteOf(symbol)}
          </>
        )
      }
      controls={
        <>
          {controls}
          <Choice
            label="Length of a candle"
            value={wanted}
            set={want}
            options={choices.map((one) => [one, one] as const)}
          />
        </>
      }
    >
      <p className="legend">
        <span className="key">
          O <b>{figure(shown?.open)}</b>
        </span>
        <span className="key">
          H <b>{figure(shown?.high)}</b>
        </span>
        <span className="key">
          L <b>{figure(shown?.low)}</b>
        </span>
        <span className="key">
          C <b>{figure(shown?.close)}</b>
        </span>
        <span className="key gain">▲ bought</span>
        <span className="key loss">▼ sold</span>
        <span className="key">┄ works at the exchange</span>
      </p>
      <Fetched what="candles" from={history} height={HEIGHT}>
        {() =>
          candles.length === 0 ? (
            <div style={{ height: HEIGHT }}>
              <Empty title="No candles yet.">The first one closes in {wanted}.</Empty>
            </div>
          ) : (
            <CandleChart
              key={`${symbol}/${wanted}`}
              label={`${symbol}, candles of ${wanted}, last ${figure(candles.at(-1)?.close)}, with fills and working orders, which the table of orders lists.`}
              height={HEIGHT}
              palette={palette}
              data={data}
              onPoint={setPoint}
            />
          )
        }
      </Fetched>
    </Card>
  );
}

function figure(value: number | undefined): string {
  return value === undefined ? "–" : price(value);
}

function candleAt(candles: readonly Candle[], point: number | null): Candle | undefined {
  return point === null ? candles.at(-1) : candles.find((candle) => candle.time === point);
}

/** What the API has, carried on by the prices since. */
function useCandles(
  told: { items: CandleTold[]; forming?: CandleTold | null } | undefined,
  timeframe: string,
  now: LivePrice | undefined,
): readonly Candle[] {
  const base = useMemo(() => {
    const all = [...(told?.items ?? []), ...(told?.forming ? [told.forming] : [])];
    return all.map(
      (one): Candle => ({
        time: (Date.parse(one.at) / 1000) as UTCTimestamp,
        open: Number(one.open),
        high: Number(one.high),
        low: Number(one.low),
        close: Number(one.close),
      }),
    );
  }, [told]);
  const [grown] = useState<{ base: readonly Candle[]; candles: readonly Candle[] }>(() => ({
    base,
    candles: base,
  }));
  return useMemo(() => {
    if (grown.base !== base) {
      grown.base = base;
      grown.candles = base;
    }
    if (now !== undefined && base.length > 0) {
      grown.candles = carriedOn(grown.candles, now, secondsOf(timeframe));
    }
    return grown.candles;
  }, [base, now, timeframe, grown]);
}

function carriedOn(candles: readonly Candle[], now: LivePrice, length_s: number): readonly Candle[] {
  const last = candles.at(-1);
  if (last === undefined) return candles;
  const time = (Math.floor(now.at / 1000 / length_s) * length_s) as UTCTimestamp;
  if (time < last.time) return candles;
  if (time === last.time) {
    if (now.price === last.close) return candles;
    return candles.with(-1, {
      ...last,
      high: Math.max(last.high, now.price),
      low: Math.min(last.low, now.price),
      close: now.price,
    });
  }
  const { price: at } = now;
  return [...candles, { time, open: at, high: at, low: at, close: at }];
}

/** Fills and working orders of a market. */
function useDrawn(
  symbol: string,
  bot: { account: string; name: string } | undefined,
): Pick<CandleData, "fills" | "working"> {
  const fills = useLive((live) => live.fills);
  const orders = useLive((live) => live.orders);
  const account = bot?.account;
  const name = bot?.name;
  return useMemo(() => {
    const mine = (one: { account: string; bot?: string | null; symbol: string }): boolean =>
      one.symbol === symbol &&
      (account === undefined || (one.account === account && one.bot === name));
    return {
      fills: (fills ?? [])
        .filter(mine)
        .map((fill) => ({ at_s: Date.parse(fill.at) / 1000, buy: fill.side === "BUY" })),
      working: (orders ?? [])
        .filter((order) => mine(order) && isWorking(order))
        .map((order) => ({
          id: `${order.account}/${order.cid}`,
          buy: order.side === "BUY",
          price: Number(order.price ?? order.stop_price ?? NaN),
        }))
        .filter((line) => Number.isFinite(line.price)),
    };
  }, [fills, orders, symbol, account, name]);
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };

/** `5m` in seconds. */
export function secondsOf(timeframe: string): number {
  return Number(timeframe.slice(0, -1)) * (UNITS[timeframe.slice(-1)] ?? 60);
}
