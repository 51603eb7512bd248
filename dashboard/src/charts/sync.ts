// Charts over the same points that move together: one is zoomed or pointed at, all follow.

import type { IChartApi, ISeriesApi, LogicalRange, SeriesType, Time } from "lightweight-charts";

interface Member {
  chart: IChartApi;
  /** Where the crosshair goes when another chart is pointed at. */
  series: ISeriesApi<SeriesType>;
}

export type RangeListener = (range: LogicalRange) => void;
export type PointListener = (index: number | null) => void;

export class ChartGroup {
  private readonly members = new Set<Member>();
  private readonly onRange = new Set<RangeListener>();
  private readonly onPoint = new Set<PointListener>();
  private moving = false;
  private range: LogicalRange | null = null;

  constructor(readonly points: number) {}

  /** Add a chart; call what is returned to take it out again. */
  join(chart: IChartApi, series: ISeriesApi<SeriesType>): () => void {
    const member = { chart, series };
    this.members.add(member);
    chart.timeScale().setVisibleLogicalRange(this.range ?? this.all());
    const ranged = (range: LogicalRange | null): void => {
      if (range !== null) this.follow(member, range);
    };
    chart.timeScale().subscribeVisibleLogicalRangeChange(ranged);
    chart.subscribeCrosshairMove((event) => {
      // Without an event of the reader's it was moved by us; how it is left is told by `leave`.
      if (event.sourceEvent === undefined || event.time === undefined) return;
      this.point(member, event.time, event.logical ?? null);
    });
    return () => {
      chart.timeScale().unsubscribeVisibleLogicalRangeChange(ranged);
      this.members.delete(member);
    };
  }

  listen(listener: RangeListener): () => void {
    this.onRange.add(listener);
    listener(this.range ?? this.all());
    return () => this.onRange.delete(listener);
  }

  listenToPoint(listener: PointListener): () => void {
    this.onPoint.add(listener);
    return () => this.onPoint.delete(listener);
  }

  /** Nothing is pointed at any more. */
  leave(): void {
    for (const { chart } of this.members) chart.clearCrosshairPosition();
    for (const listener of this.onPoint) listener(null);
  }

  /** Show the points `from` to `to` in every chart, within what there is. */
  show(from: number, to: number): void {
    const width = Math.min(Math.max(to - from, 5), this.points);
    const start = Math.min(Math.max(from, -0.5), this.points - 0.5 - width);
    this.follow(null, { from: start, to: start + width } as LogicalRange);
  }

  showAll(): void {
    this.follow(null, this.all());
  }

  /** Pan by a share of what is visible, or zoom by a factor around its middle. */
  move(pan: number, zoom: number): void {
    const { from, to } = this.range ?? this.all();
    const middle = (from + to) / 2 + pan * (to - from);
    const half = ((to - from) / 2) * zoom;
    this.show(middle - half, middle + half);
  }

  private all(): LogicalRange {
    return { from: -0.5, to: this.points - 0.5 } as LogicalRange;
  }

  private follow(source: Member | null, range: LogicalRange): void {
    if (this.moving) return;
    this.moving = true;
    this.range = range;
    for (const member of this.members) {
      if (member !== source) member.chart.timeScale().setVisibleLogicalRange(range);
    }
    this.moving = false;
    for (const listener of this.onRange) listener(range);
  }

  private point(source: Member, time: Time, index: number | null): void {
    for (const { chart, series } of this.members) {
      // No price: the library puts the horizontal line on the series itself.
      if (chart !== source.chart) chart.setCrosshairPosition(Number.NaN, time, series);
    }
    for (const listener of this.onPoint) listener(index);
  }
}
