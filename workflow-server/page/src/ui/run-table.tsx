// A table of runs.

import type { RunItem } from "../api/types.ts";
import { time } from "../live/run-state.ts";
import { briefReason, waitingFor } from "../live/words.ts";
import { Status } from "./status.tsx";
import { Ago, now, Took } from "./time.tsx";

interface Props {
  runs: RunItem[];
  label: string;
  /** Shows a column with the workflow. */
  workflow?: boolean;
  empty: string;
}

export function RunTable({ runs, label, workflow = true, empty }: Props) {
  if (runs.length === 0) return <p class="empty">{empty}</p>;
  return (
    <table class="rows" role="table" aria-label={label}>
      <thead>
        <tr role="row">
          <th role="columnheader" scope="col">Run</th>
          <th role="columnheader" scope="col">Status</th>
          {workflow && <th role="columnheader" scope="col">Workflow</th>}
          <th role="columnheader" scope="col">Started</th>
          <th role="columnheader" scope="col" class="end">Duration</th>
          <th role="columnheader" scope="col">Started by</th>
          <th role="columnheader" scope="col">Error or wait</th>
        </tr>
      </thead>
      <tbody>{runs.map((run) => <Row key={run.id} run={run} workflow={workflow} />)}</tbody>
    </table>
  );
}

function Row({ run, workflow }: { run: RunItem; workflow: boolean }) {
  const waiting = run.stall?.waiting && waitingFor(run.stall.waiting, now.value);
  const note = (run.error_line && briefReason(run.error_line)) ?? waiting ?? run.stall?.detail;
  return (
    <tr role="row">
      <td role="cell"><a class="main-link" href={`#/runs/${encodeURIComponent(run.id)}`}>#{run.number}</a></td>
      <td role="cell"><Status status={run.status} stall={run.stall?.state} /></td>
      {workflow && (
        <td role="cell" class="name">
          <a href={`#/workflows/${encodeURIComponent(run.workflow_id ?? run.workflow)}`}>{run.workflow}</a>
        </td>
      )}
      <td role="cell" data-label="Started"><Ago at={run.started_at} /></td>
      <td role="cell" data-label="Duration" class="end">
        {run.status === "pending" ? <span class="muted">–</span>
          : <Took seconds={run.duration_seconds} from={time(run.begun_at ?? run.started_at)} to={time(run.completed_at)} />}
      </td>
      <td role="cell" class="wide-only">{run.user ?? run.trigger ?? <span class="muted">–</span>}</td>
      <td role="cell" class={run.error ? "error-cell" : "error-cell note"} title={run.error ?? run.stall?.detail}>{note}</td>
    </tr>
  );
}
