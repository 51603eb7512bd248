// One chart in a figure: made once, recoloured with the theme, moved with its group, and usable by
// mouse, touch and keyboard. The wheel scrolls the page until the chart has been clicked.

import { createChart, type IChartApi, type ISeriesApi, type SeriesType } from "lightweight-charts";
import { useEffect, useRef, type KeyboardEvent, type ReactNode } from "react";
import { moment } from "../format";
import { BASE, SCALE, SCROLL, colours } from "./base";
import type { ChartGroup } from "./sync";
import type { Palette } from "../theme/theme";

export interface Drawing {
  /** The series that the crosshair of other charts is shown on. */
  main: ISeriesApi<SeriesType>;
  recolour: (palette: Palette) => void;
  leave?: () => void;
}

interface Props {
  title: string;
  /** What the chart shows, for those who do not see it. */
  summary: string;
  height: number;
  group: ChartGroup;
  palette: Palette;
  /** Add the series; called once for each `data`. */
  draw: (chart: IChartApi) => Drawing;
  /** A new value draws anew. */
  data: unknown;
  format: (value: number) => string;
  legend?: ReactNode;
  controls?: ReactNode;
  onChart?: (chart: IChartApi) => void;
}

export function TimeChart(props: Props): ReactNode {
  const { title, summary, height, group, palette, draw, data, format, legend, controls, onChart } =
    props;
  const box = useRef<HTMLDivElement>(null);
  const made = useRef<{ chart: IChartApi; drawing: Drawing } | null>(null);

  useEffect(() => {
    if (box.current === null) return;
    const chart = createChart(box.current, {
      ...BASE,
      localization: { priceFormatter: format, timeFormatter: (at: number) => `${moment(at)} UTC` },
    });
    const drawing = draw(chart);
    made.current = { chart, drawing };
    chart.applyOptions(colours(palette));
    drawing.recolour(palette);
    onChart?.(chart);
    const leave = group.join(chart, drawing.main);
    return () => {
      made.current = null;
      leave();
      drawing.leave?.();
      chart.remove();
    };
    // Drawn anew for other data; colours follow below without that.
  }, [data, group]);

  useEffect(() => {
    made.current?.chart.applyOptions(colours(palette));
    made.current?.drawing.recolour(palette);
  }, [palette]);

  const wheel = (on: boolean): void => {
    made.current?.chart.applyOptions({
      handleScroll: { ...SCROLL, mouseWheel: on },
      handleScale: { ...SCALE, mouseWheel: on },
    });
  };

  return (
    <figure className="chart card">
      <div className="chart-head">
        <h2>{title}</h2>
        {legend}
        <div className="controls">{controls}</div>
      </div>
      <div
        ref={box}
        className="canvas"
        style={{ height }}
        role="img"
        tabIndex={0}
        aria-label={`${title}. ${summary} Arrow keys move, plus and minus zoom, Home shows all.`}
        onKeyDown={(event) => keyed(event, group)}
        onPointerLeave={() => group.leave()}
        onFocus={() => wheel(true)}
        onBlur={() => wheel(false)}
      />
    </figure>
  );
}

function keyed(event: KeyboardEvent, group: ChartGroup): void {
  const moves: Record<string, () => void> = {
    ArrowLeft: () => group.move(-0.15, 1),
    ArrowRight: () => group.move(0.15, 1),
    "+": () => group.move(0, 0.7),
    "=": () => group.move(0, 0.7),
    "-": () => group.move(0, 1 / 0.7),
    Home: () => group.showAll(),
  };
  const move = moves[event.key];
  if (move === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  move();
}
