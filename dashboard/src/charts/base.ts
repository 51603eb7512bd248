// How every chart looks and moves: of a report and of the dashboard alike.

import { ColorType, CrosshairMode, type ChartOptions, type DeepPartial } from "lightweight-charts";
import type { Palette } from "../theme/theme";

export const SCROLL = {
  mouseWheel: false,
  pressedMouseMove: true,
  horzTouchDrag: true,
  vertTouchDrag: false,
};
export const SCALE = {
  mouseWheel: false,
  pinch: true,
  axisPressedMouseMove: { time: true, price: false },
  axisDoubleClickReset: true,
};

export const BASE: DeepPartial<ChartOptions> = {
  autoSize: true,
  layout: { attributionLogo: false, fontFamily: "inherit", fontSize: 12 }, // the footer has the notice
  rightPriceScale: {
    borderVisible: false,
    entireTextOnly: true,
    minimumWidth: 84,
    scaleMargins: { top: 0.08, bottom: 0.06 },
  },
  timeScale: {
    borderVisible: false,
    timeVisible: true,
    minBarSpacing: 0.001,
    fixLeftEdge: true,
    fixRightEdge: true,
    rightOffset: 0,
    enableConflation: true,
  },
  crosshair: { mode: CrosshairMode.Magnet },
  handleScroll: SCROLL,
  handleScale: SCALE,
};

export function colours(palette: Palette): DeepPartial<ChartOptions> {
  return {
    layout: {
      background: { type: ColorType.Solid, color: palette.card },
      textColor: palette.muted,
      panes: { separatorColor: palette.line, enableResize: false },
    },
    grid: { vertLines: { color: palette.grid }, horzLines: { color: palette.grid } },
    crosshair: {
      vertLine: { color: palette.neutral, labelBackgroundColor: palette.accent },
      horzLine: { color: palette.neutral, labelBackgroundColor: palette.accent },
    },
  };
}
