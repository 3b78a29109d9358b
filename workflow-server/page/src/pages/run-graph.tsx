// The graph of a run, coloured by job status.

import { useMemo, useRef } from "preact/hooks";
import { extend, readGraph } from "../graph/model.ts";
import { GraphView, type Look } from "../graph/view.tsx";
import { isFinal, type JobState } from "../live/run-state.ts";
import { duration } from "../ui/format.ts";
import type { RunPartProps } from "./run.tsx";

export function RunGraph({ run, state, selected, select }: RunPartProps) {
  const given = useRef(run.graph);
  const base = useMemo(() => readGraph(given.current), []);
  const known = state.jobs.size;
  const graph = useMemo(() => extend(base, state.jobs.values()), [base, known]);
  const look = (name: string): Look | null => {
    const job = state.jobs.get(name);
    if (!job) return { status: isFinal(state.status) ? "skipped" : "pending", detail: "" };
    return { status: job.status, detail: detailOf(job) };
  };
  if (graph.nodes.length === 0) return <p class="empty">No jobs have started yet.</p>;
  return <GraphView graph={graph} label={`Graph of run ${run.number} of ${run.workflow}`} look={look} selected={selected} select={select} />;
}

function detailOf(job: JobState): string {
  if (job.signal) return `waits for ${job.signal.signal}`;
  if (job.skippedBecause !== null) return job.skippedBecause;
  if (job.retryAt !== null) return `attempt ${job.attempts} failed, will retry`;
  const tries = job.attempts > 1 ? `, attempt ${job.attempts}` : "";
  if (job.status === "running") return `running${tries}`;
  if (job.startedAt === null || job.endedAt === null) return job.status;
  return `${duration((job.endedAt - job.startedAt) / 1000)}${tries}${job.isReused ? ", reused" : ""}`;
}
