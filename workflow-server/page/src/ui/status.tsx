// The status of a run or a job: icon, word and colour.

import type { JobStatus } from "../api/types.ts";

/** The displayed status: a run in progress can be waiting or blocked. */
export type DisplayStatus = JobStatus | "waiting" | "blocked";

const SHAPES: Record<DisplayStatus, string> = {
  waiting: "M6.2 5.2v5.6M9.8 5.2v5.6",
  blocked: "M5 8h6",
  pending: "M8 5v3.2l2 1.4",
  running: "M8 2.75a5.25 5.25 0 1 1-5.25 5.25",
  completed: "M4.9 8.3l2.1 2.1 4.1-4.6",
  failed: "M5.6 5.6l4.8 4.8m0-4.8l-4.8 4.8",
  cancelled: "M4.3 11.7l7.4-7.4",
  skipped: "M4.6 5.2L7.4 8l-2.8 2.8M8.4 5.2L11.2 8l-2.8 2.8",
};

interface IconProps {
  status: DisplayStatus;
  size?: number;
  x?: number;
  y?: number;
}

export function StatusIcon({ status, size = 16, x, y }: IconProps) {
  return (
    <svg class={`status-icon s-${status}`} viewBox="0 0 16 16" width={size} height={size} x={x} y={y} aria-hidden="true">
      {status !== "running" && <circle cx="8" cy="8" r="6.25" />}
      <path d={SHAPES[status] ?? SHAPES.pending} />
    </svg>
  );
}

/** Shows a status. `stall` replaces the status, `note` replaces its text. */
export function Status({ status, stall, note }: { status: JobStatus; stall?: "waiting" | "blocked"; note?: string }) {
  const shown = stall ?? status;
  return <Mark status={shown} text={note ?? shown} />;
}

/** Shows a text with the icon and colour of a status. */
export function Mark({ status, text }: { status: DisplayStatus; text: string }) {
  return (
    <span class={`status s-${status}`}>
      <StatusIcon status={status} />
      <span>{text}</span>
    </span>
  );
}

/** The number of jobs in each status. */
export function StatusCounts({ counts }: { counts: Map<JobStatus, number> }) {
  const order: JobStatus[] = ["running", "failed", "completed", "cancelled", "skipped", "pending"];
  return (
    <ul class="counts" aria-label="Jobs by status">
      {order.filter((status) => counts.get(status)).map((status) => (
        <li key={status} class={`status s-${status}`}>
          <StatusIcon status={status} />
          <span>{counts.get(status)?.toLocaleString()} {status}</span>
        </li>
      ))}
    </ul>
  );
}
