// Equity over time with its drawdown: of everything, of an account, or of a bot.

import { useQuery } from "@tanstack/react-query";
import type { UTCTimestamp } from "lightweight-charts";
import { useMemo, useState, type ReactNode } from "react";
import { EquityChart, type EquityPoint } from "../charts/EquityChart";
import { number, percent, when } from "../format";
import { call } from "./api/http";
import { Card } from "./parts/Card";
import { Fetched } from "./parts/Fetched";
import { Choice } from "./parts/Field";
import { Empty } from "./parts/Remarks";
import { useLive } from "./stream/store";
import { ALL } from "./stream/take";
import { usePalette } from "./theme";

const SPANS = [
  ["1h", "1 h"],
  ["24h", "1 d"],
  ["7d", "1 w"],
  ["30d", "1 mo"],
  ["all", "All"],
] as const;
type Span = (typeof SPANS)[number][0];
const HOURS: Record<Span, number | null> = { "1h": 1, "24h": 24, "7d": 168, "30d": 720, all: null };
const POINTS = 800;
const READ_AGAIN_MS = 60_000;

// Everybody who looks within a minute asks for the same, which the API answers once.
const minute = (): number => Math.floor(Date.now() / 60_000) * 60_000;

interface Props {
  title?: string;
  account?: string;
  bot?: string;
  controls?: ReactNode;
  height: number;
}

export function EquityPanel({ title = "Equity", account, bot, controls, height }: Props): ReactNode {
  const [span, setSpan] = useState<Span>("1h");
  const [point, setPoint] = useState<number | null>(null);
  const { palette } = usePalette();
  const series = useQuery({
    queryKey: ["equity", account, bot, span],
    queryFn: () => {
      const hours = HOURS[span];
      const since =
        hours === null ? undefined : new Date(minute() - hours * 3_600_000).toISOString();
      return call("GET /api/v1/equity", {
        query: {
          points: POINTS,
          ...(account === undefined ? {} : { account }),
          ...(bot === undefined ? {} : { bot }),
          ...(since === undefined ? {} : { since }),
        },
      });
    },
    refetchInterval: READ_AGAIN_MS,
    placeholderData: (before) => before,
  });
  // Of a bot only the history is known; of accounts the stream carries it on.
  const tail = useLive((live) => (bot === undefined ? live.equity[account ?? ALL] : undefined));
  const points = useMemo(() => {
    const found: EquityPoint[] = [];
    let peak = 0;
    for (const one of series.data?.items ?? []) {
      const time = Math.floor(Date.parse(one.at) / 1000) as UTCTimestamp;
      const next = { time, value: Number(one.equity), drawdown_pct: -Math.abs(Number(one.drawdown_pct)) };
      peak = Math.max(peak, next.value / (1 + next.drawdown_pct / 100));
      // The chart knows whole seconds; of several in one the last counts.
      if (found.at(-1)?.time === time) found[found.length - 1] = next;
      else found.push(next);
    }
    for (const { at, equity } of tail ?? []) {
      const time = Math.floor(at / 1000) as UTCTimestamp;
      if (time <= (found.at(-1)?.time ?? 0)) continue;
      peak = Math.max(peak, equity);
      found.push({ time, value: equity, drawdown_pct: (equity / peak - 1) * 100 });
    }
    return found;
  }, [series.data, tail]);
  const shown = point === null ? points.at(-1) : points.find((one) => one.time === point);
  const unit = series.data?.reporting ?? "";
  const told_pct = Number(series.data?.max_drawdown_pct ?? NaN);
  const worst = points.reduce((least, one) => Math.min(least, one.drawdown_pct), -Math.abs(told_pct));
  return (
    <Card
      title={title}
      controls={
        <>
          {controls}
          <Choice label="Time shown" value={span} set={setSpan} options={SPANS} />
        </>
      }
    >
      <p className="legend">
        <time>{shown === undefined ? "" : when(shown.time * 1000)}</time>
        <span className="key">
          <i className="swatch" style={{ background: "var(--accent)" }} />
          Equity <b>{number(shown?.value)}</b> {unit}
        </span>
        <span className="key">
          <i className="swatch" style={{ background: "var(--down)" }} />
          Below the peak <b>{percent(shown?.drawdown_pct)}</b>
        </span>
        <span className="key">
          At worst <b>{percent(worst)}</b>
        </span>
      </p>
      <Fetched what="equity" from={series} height={height}>
        {() =>
          points.length < 2 ? (
            <div style={{ height }}>
              <Empty title="Not enough to draw yet.">A point is kept every few minutes.</Empty>
            </div>
          ) : (
            <EquityChart
              key={span}
              label={`${title}, last ${number(points.at(-1)?.value)} ${unit}, ${percent(points.at(-1)?.drawdown_pct)} below the peak.`}
              height={height}
              palette={palette}
              data={points}
              onPoint={setPoint}
            />
          )
        }
      </Fetched>
    </Card>
  );
}
