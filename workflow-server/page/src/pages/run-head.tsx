// The head of a run: status, facts, errors and actions.

import { useState } from "preact/hooks";
import { post } from "../api/client.ts";
import type { RunDetail } from "../api/types.ts";
import { decisiveLine } from "../live/decisive.ts";
import { isFinal, type RunState } from "../live/run-state.ts";
import { waitingFor } from "../live/words.ts";
import { go } from "../route.ts";
import { Confirm } from "../ui/dialog.tsx";
import { attempt, notify } from "../ui/notice.tsx";
import { Status, StatusCounts } from "../ui/status.tsx";
import { Ago, now, Took } from "../ui/time.tsx";
import { Title } from "../ui/title.tsx";
import { RunWhy } from "./run-why.tsx";
import { SignalDialog } from "./signal-form.tsx";

export async function retry(run: RunDetail, body: { failed_only?: boolean; from?: string }): Promise<void> {
  const started = await post<{ run_id: string }>(`runs/${encodeURIComponent(run.id)}/retry`, body);
  if (String(started.run_id) === run.id) throw new Error("the server returned the same run instead of a new one");
  notify("Started a new run");
  go(["runs", String(started.run_id)]);
}

export function RunHead({ run, state, version }: { run: RunDetail; state: RunState; version: number }) {
  const counts = state.counts();
  const stall = state.stall(now.value);
  const workflow = `#/workflows/${encodeURIComponent(run.workflow_id ?? run.workflow)}`;
  return (
    <>
      <Title text={`${run.workflow} #${run.number}`} above={<><a href="#/runs">Runs</a> / <a href={workflow}>{run.workflow}</a></>}>
        <Actions run={run} state={state} />
      </Title>
      <div class="facts">
        <span role="status"><Status status={state.status} stall={state.cancelling ? undefined : stall?.state} note={state.cancelling ? "cancelling …" : undefined} /></span>
        {stall?.waiting && <span class="muted">{waitingFor(stall.waiting, now.value)}</span>}
        {(state.startedAt !== null || isFinal(state.status)) && <span class="muted">{isFinal(state.status) ? "took" : "running for"} <Took from={state.startedAt} to={state.endedAt} /></span>}
        <span class="muted">{state.status === "pending" ? "requested" : "started"} <Ago at={run.started_at} /></span>
        {run.user && <span class="muted">by {run.user}</span>}
        {run.trigger && <span class="muted">{run.trigger}</span>}
        <span class="muted flow">task queue <code>{run.task_queue}</code></span>
        <span class="muted">priority {run.priority}</span>
        {run.retry_of && <span class="muted">retry of <a href={`#/runs/${encodeURIComponent(run.retry_of)}`}>an earlier run</a></span>}
        {run.parent && <span class="muted">child of <a href={`#/runs/${encodeURIComponent(run.parent.run)}`}>{run.parent.job}</a></span>}
        <StatusCounts counts={counts} />
      </div>
      {!isFinal(state.status) && <RunWhy run={run} state={state} version={version} />}
      {state.reason && <RunError id={run.id} reason={state.reason} state={state} />}
    </>
  );
}

function RunError({ id, reason, state }: { id: string; reason: string; state: RunState }) {
  const failed = [...state.jobs.values()].filter((job) => job.status === "failed").slice(0, 5);
  return (
    <div class="problem">
      <p class="problem-title">{decisiveLine(reason)}</p>
      {reason.includes("\n") && <details><summary>Full error</summary><pre>{reason}</pre></details>}
      {failed.length > 0 && (
        <p>
          {failed.map((job) => <a key={job.name} class="link" href={`#/runs/${encodeURIComponent(id)}?job=${encodeURIComponent(job.name)}`}>See {job.name}</a>)}
        </p>
      )}
    </div>
  );
}

function Actions({ run, state }: { run: RunDetail; state: RunState }) {
  const [asking, setAsking] = useState(false);
  const [signalling, setSignalling] = useState(false);
  const over = isFinal(state.status);
  const failed = [...state.jobs.values()].some((job) => job.status === "failed" || job.status === "cancelled");
  const cancel = async () => {
    await post(`runs/${encodeURIComponent(run.id)}/cancel`);
    notify("Cancellation requested");
  };
  return (
    <>
      {!over && <button type="button" onClick={() => setSignalling(true)}>Signal</button>}
      {!over && <button type="button" class="danger" disabled={state.cancelling} onClick={() => setAsking(true)}>Cancel</button>}
      {over && failed && <button type="button" class="primary" onClick={() => void attempt(() => retry(run, { failed_only: true }))}>Retry failed</button>}
      {over && <button type="button" onClick={() => void attempt(() => retry(run, {}))}>Run again</button>}
      {signalling && <SignalDialog run={run} close={() => setSignalling(false)} />}
      {asking && (
        <Confirm title={`Cancel run #${run.number}?`} text="Stops the running jobs. Completed jobs stay completed."
          action="Cancel run" run={() => void attempt(cancel)} close={() => setAsking(false)} />
      )}
    </>
  );
}
