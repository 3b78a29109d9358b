// The timeline of a run: a line for each job, a bar for each attempt.

import { useEffect } from "preact/hooks";
import { isFinal, type BarState, type RunState } from "../live/run-state.ts";
import { duration, plural } from "../ui/format.ts";
import { now } from "../ui/time.tsx";
import { VirtualList } from "../ui/virtual.tsx";
import { StatusIcon } from "../ui/status.tsx";
import type { RunPartProps } from "./run.tsx";

interface Line {
  job: string;
  /** Its result comes from the original run of this retry. */
  isReused: boolean;
  bars: BarState[];
}

export function RunTimeline({ live, state, selected, select }: RunPartProps) {
  useEffect(() => void live.loadBars().catch(() => undefined), [live]);
  const lines = linesOf(state);
  const drawn = lines.find((line) => !line.isReused && line.bars.length > 0);
  if (lines.every((line) => line.bars.length === 0)) return <p class="empty">No jobs have started yet.</p>;
  const from = Math.min(state.startedAt ?? Infinity, drawn?.bars[0]!.from ?? Infinity);
  const ends = lines.flatMap((line) => (line.isReused ? [] : line.bars.map((bar) => bar.to ?? 0)));
  const to = isFinal(state.status) ? Math.max(state.endedAt ?? 0, ...ends) : Math.max(now.value, ...ends);
  const span = Math.max(1, to - from);
  return (
    <section class="timeline" aria-label="Timeline">
      <Scale span={span} />
      <VirtualList count={lines.length} rowHeight={26} height={520} label={`Timeline of ${plural(lines.length, "job")}`}
        row={(index, current) => {
          const line = lines[index]!;
          const status = state.jobs.get(line.job)?.status ?? "pending";
          const [first, last] = [line.bars[0], line.bars[line.bars.length - 1]];
          const took = first && last ? duration(((last.to ?? to) - first.from) / 1000) : "";
          const began = !first ? "not started" : line.isReused ? "reused" : `started after ${duration((first.from - from) / 1000)}`;
          const tries = line.bars.length > 1 ? `, ${line.bars.length} attempts` : "";
          return (
            <button type="button" class="line" data-row={index} tabIndex={current ? 0 : -1} aria-pressed={line.job === selected} onClick={() => select(line.job)}>
              <span class="line-name"><StatusIcon status={status} size={14} /><span>{line.job}</span></span>
              <span class="visually-hidden">{`, ${status}, ${began}${tries}${first ? ", took" : ""}`}</span>
              <span class="line-track">
                {line.isReused && <span class="line-reused" aria-hidden="true">reused</span>}
                {!line.isReused && line.bars.map((bar) => {
                  const left = ((bar.from - from) / span) * 100;
                  const width = (((bar.to ?? to) - bar.from) / span) * 100;
                  return <span key={bar.attempt} class={`line-bar s-${bar.status}`} style={{ left: `${left}%`, width: `${width}%` }} />;
                })}
              </span>
              <span class="line-took number">{took}</span>
            </button>
          );
        }} />
    </section>
  );
}

/** The jobs by start time; jobs that have not started come last, in the order of the graph. */
function linesOf(state: RunState): Line[] {
  const lines = new Map<string, Line>();
  for (const { name, isReused } of state.jobs.values()) lines.set(name, { job: name, isReused, bars: [] });
  for (const bar of state.bars.values()) lines.get(bar.job)?.bars.push(bar);
  for (const line of lines.values()) line.bars.sort((a, b) => a.from - b.from);
  const startOf = (line: Line) => line.bars[0]?.from ?? Infinity;
  const order = (a: Line, b: Line) => (startOf(a) === startOf(b) ? 0 : startOf(a) - startOf(b));
  return [...lines.values()].sort(order);
}

function Scale({ span }: { span: number }) {
  return (
    <div class="line scale" aria-hidden="true">
      <span class="line-name" />
      <span class="line-track">
        {[0, 0.25, 0.5, 0.75].map((share) => <span key={share} style={{ left: `${share * 100}%` }}>{duration((span * share) / 1000)}</span>)}
      </span>
      <span class="line-took number">{duration(span / 1000)}</span>
    </div>
  );
}
