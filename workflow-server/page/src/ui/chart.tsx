// A chart over time in the colours of the theme. Loads uPlot on first use.

import { useEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";
import { theme } from "./theme.tsx";
import { duration } from "./format.ts";

export interface Line {
  label: string;
  /** The CSS custom property of the colour. */
  colour: string;
  values: (number | null)[];
  kind?: "line" | "bars" | "points";
}

interface Props {
  /** The accessible name of the chart. */
  label: string;
  /** In seconds since 1970. */
  times: number[];
  lines: Line[];
  unit?: "seconds" | "count";
  height?: number;
  /** The lines of the tooltip; the drawn values by default. */
  rows?: (index: number) => string[];
}

export function Chart({ label, times, lines, unit = "count", height = 180, rows }: Props) {
  const element = useRef<HTMLDivElement>(null);
  const mode = theme.value;
  const data = JSON.stringify([times, lines]);
  useEffect(() => {
    const target = element.current;
    if (!target || times.length === 0) return;
    let plot: uPlot | null = null;
    let gone = false;
    const resize = new ResizeObserver(() => plot?.setSize({ width: target.clientWidth, height }));
    void import("./plot.ts").then(({ plot: draw }) => {
      if (gone) return;
      plot = draw(target, { times, lines, height, rows, format: unit === "seconds" ? duration : String });
      resize.observe(target);
    });
    return () => {
      gone = true;
      resize.disconnect();
      plot?.destroy();
    };
  }, [data, mode, height]);
  if (times.length === 0) return <p class="muted">No data yet.</p>;
  return (
    <figure class="chart">
      <div ref={element} role="img" aria-label={label} />
      <figcaption>
        {lines.map((line) => (
          <span key={line.label} class={`legend legend-${line.kind ?? "line"}`} style={{ "--colour": `var(--${line.colour})` }}>{line.label}</span>
        ))}
      </figcaption>
    </figure>
  );
}
