// Draws charts with uPlot in the style of the page.

import uPlot from "uplot";
import type { Line } from "./chart.tsx";

interface Plan {
  times: number[];
  lines: Line[];
  height: number;
  format: (value: number) => string;
  rows?: (index: number) => string[];
}

export function plot(target: HTMLElement, { times, lines, height, format, rows }: Plan): uPlot {
  const colour = (name: string) => resolved(target, name);
  const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  const bars = uPlot.paths.bars!({ size: [0.7, 40] });
  const options: uPlot.Options = {
    width: target.clientWidth,
    height,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { y: { range: (_, __, high) => [0, Math.max(high * 1.1, 1e-3)] } },
    axes: [
      { ...axis, space: 70, size: 30, values: (_, splits) => splits.map(tick) },
      { ...axis, size: 62, values: (_, splits) => splits.map((value) => format(value)) },
    ],
    series: [{}, ...lines.map((line) => series(line, colour(line.colour), bars))],
    plugins: [tip(rows ?? ((index) => lines.flatMap(({ label, values }) => (values[index] == null ? [] : [`${label}: ${format(values[index])}`]))))],
  };
  return new uPlot(options, [times, ...lines.map((line) => line.values)] as uPlot.AlignedData, target);
}

function series(line: Line, stroke: string, bars: uPlot.Series.PathBuilder): uPlot.Series {
  const common = { label: line.label, stroke, width: 1.5, spanGaps: true };
  if (line.kind === "bars") return { ...common, fill: stroke, paths: bars, points: { show: false }, width: 0 };
  if (line.kind === "points") return { ...common, paths: () => null, points: { show: true, size: 6, fill: stroke } };
  return { ...common, points: { show: line.values.filter((value) => value !== null).length < 40, size: 4, fill: stroke } };
}

/** The label of a time: time of day, with seconds for short ranges, or the date at midnight. */
function tick(at: number, _: number, all: number[]): string {
  const date = new Date(at * 1000);
  const midnight = date.getHours() === 0 && date.getMinutes() === 0;
  const long = all.length > 1 && all[1]! - all[0]! >= 86400;
  if (midnight || long) return date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  const second = all.length > 1 && all[1]! - all[0]! < 60 ? ("2-digit" as const) : undefined;
  return date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second, hourCycle: "h23" });
}

/** Resolves a colour of the theme for the canvas. */
function resolved(target: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  target.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/** A tooltip with the values at the pointer. */
function tip(rows: (index: number) => string[]): uPlot.Plugin {
  const box = document.createElement("div");
  box.className = "chart-tip";
  box.hidden = true;
  return {
    hooks: {
      init: (plot) => void plot.over.append(box),
      setCursor: (plot) => {
        const index = plot.cursor.idx;
        box.hidden = index === null || index === undefined;
        if (index === null || index === undefined) return;
        const at = new Date(plot.data[0][index]! * 1000);
        box.textContent = [at.toLocaleString(), ...rows(index)].join("\n");
        const left = plot.cursor.left ?? 0;
        const right = left > plot.over.clientWidth / 2;
        box.style.left = right ? "auto" : `${left + 12}px`;
        box.style.right = right ? `${plot.over.clientWidth - left + 12}px` : "auto";
      },
    },
  };
}
