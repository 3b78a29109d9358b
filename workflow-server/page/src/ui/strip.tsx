// The latest runs of a workflow as a strip of bars: height shows the duration, shape and colour the status.
// For assistive technology it is one image; clicking a bar is a shortcut for the mouse.

import type { RecentRun, RunStatus } from "../api/types.ts";
import { go } from "../route.ts";
import { duration, plural, relative } from "./format.ts";
import { now } from "./time.tsx";

const STEP = 9;
const WIDTH = 7;
const HEIGHT = 24;

export function Strip({ runs, most = 20, none = "–" }: { runs: RecentRun[]; most?: number; none?: string }) {
  if (runs.length === 0) return <span class="muted">{none}</span>;
  const shown = runs.slice(-most);
  const longest = Math.max(0.001, ...shown.map((run) => run.duration_seconds ?? 0));
  return (
    <svg class="strip" width={most * STEP} height={HEIGHT} role="img" aria-label={summary(shown)}>
      {shown.map((run, index) => {
        const share = Math.sqrt((run.duration_seconds ?? longest) / longest);
        const height = Math.round(8 + share * (HEIGHT - 9));
        return <Mark key={run.id} run={run} x={(most - shown.length + index) * STEP} height={height} />;
      })}
    </svg>
  );
}

function Mark({ run, x, height }: { run: RecentRun; x: number; height: number }) {
  const y = HEIGHT - height;
  return (
    <g class="strip-run" onClick={() => go(["runs", run.id])}>
      <title>{`${run.status}, ${duration(run.duration_seconds)}`}</title>
      <rect class="hit" x={x} y={0} width={STEP} height={HEIGHT} />
      <rect class={`mark s-${run.status}`} x={x + 0.5} y={y + 0.5} width={WIDTH - 1} height={height - 1} rx="1.5" />
      {run.status === "failed" && <path class="mark-cross" d={`M${x + 1.5} ${HEIGHT - 6.5}l4 4m0-4l-4 4`} />}
    </g>
  );
}

export function summary(runs: RecentRun[]): string {
  const counts = new Map<RunStatus, number>();
  for (const run of runs) counts.set(run.status, (counts.get(run.status) ?? 0) + 1);
  const newest = runs[runs.length - 1];
  const parts = [...counts].map(([status, count]) => `${count} ${status}`).join(", ");
  const when = newest ? `; newest ${newest.status}, ${relative(Date.parse(newest.started_at), now.peek())}` : "";
  return `Last ${plural(runs.length, "run")}: ${parts}${when}`;
}
