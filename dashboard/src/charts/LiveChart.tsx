// A chart whose data goes on: made once, then told of every change; usable by mouse, touch and
// keyboard. It follows the newest point unless the reader has moved away from it.

import {
  TickMarkType,
  createChart,
  type IChartApi,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { useEffect, useRef, type KeyboardEvent, type ReactNode } from "react";
import { clock, when } from "../format";
import type { Palette } from "../theme/theme";
import { BASE, SCALE, SCROLL, colours } from "./base";

/** How the figures of a series are written on its axis. */
export function writtenAs(formatter: (value: number) => string): {
  priceFormat: { type: "custom"; formatter: (value: number) => string; minMove: number };
} {
  return { priceFormat: { type: "custom", formatter, minMove: 1e-8 } };
}

/** What is on the chart, as it is drawn and coloured. */
export interface LiveDrawing<Data> {
  show: (data: Data, palette: Palette) => void;
  leave?: () => void;
}

interface Props<Data> {
  label: string;
  height: number;
  palette: Palette;
  data: Data;
  /** Add the series; called once. */
  draw: (chart: IChartApi) => LiveDrawing<Data>;
  /** The time (seconds) that is pointed at; null when nothing is. */
  onPoint?: (at: number | null) => void;
}

export function LiveChart<Data>(props: Props<Data>): ReactNode {
  const { label, height, palette, data, draw, onPoint } = props;
  const box = useRef<HTMLDivElement>(null);
  const made = useRef<{ chart: IChartApi; drawing: LiveDrawing<Data> } | null>(null);
  const pointed = useRef(onPoint);
  pointed.current = onPoint;

  useEffect(() => {
    if (box.current === null) return;
    const chart = createChart(box.current, {
      ...BASE,
      localization: { timeFormatter: (at: Time) => when(Number(at) * 1000) },
      timeScale: { ...BASE.timeScale, ...LIVE_TIME },
    });
    const drawing = draw(chart);
    made.current = { chart, drawing };
    chart.subscribeCrosshairMove((event) =>
      pointed.current?.(event.time === undefined ? null : Number(event.time)),
    );
    return () => {
      made.current = null;
      drawing.leave?.();
      chart.remove();
    };
  }, []);

  useEffect(() => {
    made.current?.chart.applyOptions(colours(palette));
  }, [palette]);

  // Figures beside it are of every frame. To draw a chart is the dearest thing on the page, and ten
  // times a second the eye takes for always; what comes after a pause is drawn at once.
  const drawnAt = useRef(-EVERY_MS);
  useEffect(() => {
    const show = (): void => {
      drawnAt.current = performance.now();
      made.current?.drawing.show(data, palette);
    };
    const wait_ms = drawnAt.current + EVERY_MS - performance.now();
    if (wait_ms <= 0) {
      show();
      return;
    }
    const timer = setTimeout(show, wait_ms);
    return () => clearTimeout(timer);
  }, [data, palette]);

  const wheel = (on: boolean): void => {
    made.current?.chart.applyOptions({
      handleScroll: { ...SCROLL, mouseWheel: on },
      handleScale: { ...SCALE, mouseWheel: on },
    });
  };
  return (
    <div
      ref={box}
      className="canvas"
      style={{ height }}
      role="img"
      tabIndex={0}
      aria-label={`${label} Arrow keys move, plus and minus zoom, End returns to now.`}
      onKeyDown={(event) => made.current && keyed(event, made.current.chart)}
      onFocus={() => wheel(true)}
      onBlur={() => wheel(false)}
    />
  );
}

const EVERY_MS = 100;

const LIVE_TIME = {
  fixLeftEdge: false,
  fixRightEdge: false,
  rightOffset: 3,
  minBarSpacing: 0.4,
  secondsVisible: true,
  tickMarkFormatter: (at: Time, kind: TickMarkType): string => {
    const local = new Date(Number(at) * 1000);
    if (kind === TickMarkType.Year) return String(local.getFullYear());
    if (kind === TickMarkType.Month || kind === TickMarkType.DayOfMonth) {
      return `${local.getDate()}.${local.getMonth() + 1}.`;
    }
    const time = clock(local.getTime());
    return kind === TickMarkType.TimeWithSeconds ? time : time.slice(0, 5);
  },
};

function keyed(event: KeyboardEvent, chart: IChartApi): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const scale = chart.timeScale();
  const range = scale.getVisibleLogicalRange();
  if (range === null) return;
  const width = range.to - range.from;
  const shift = (by: number): void =>
    scale.setVisibleLogicalRange({ from: range.from + by, to: range.to + by });
  const zoom = (by: number): void =>
    scale.setVisibleLogicalRange({ from: range.to - width * by, to: range.to });
  const moves: Record<string, () => void> = {
    ArrowLeft: () => shift(-width * 0.15),
    ArrowRight: () => shift(width * 0.15),
    "+": () => zoom(0.7),
    "=": () => zoom(0.7),
    "-": () => zoom(1 / 0.7),
    Home: () => scale.fitContent(),
    End: () => scale.scrollToRealTime(),
  };
  const move = moves[event.key];
  if (move === undefined) return;
  event.preventDefault();
  move();
}

/** The point that begins at or before `at`; -1 before the first. */
export function pointAt(times: readonly UTCTimestamp[], at: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Show what changed of a growing series: its last points, or all of it when it is another. */
export function grow<Point extends { time: UTCTimestamp }>(
  shown: readonly Point[],
  next: readonly Point[],
  series: { setData: (points: Point[]) => void; update: (point: Point) => void },
): readonly Point[] {
  const more = next.length - shown.length;
  const last = shown.length - 1;
  const goesOn =
    last >= 0 &&
    more >= 0 &&
    more <= MOST_NEW &&
    next[0]?.time === shown[0]?.time &&
    next[last]?.time === shown[last]?.time;
  if (!goesOn) {
    series.setData([...next]);
    return next;
  }
  for (let at = last; at < next.length; at += 1) {
    const point = next[at] as Point;
    if (point !== shown[at]) series.update(point);
  }
  return next;
}

const MOST_NEW = 8;
