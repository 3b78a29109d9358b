// What a run is and how it fares, with what can be done about it.

import { useState } from "preact/hooks";
import { post } from "../api/client.ts";
import type { RunDetail, Stall } from "../api/types.ts";
import { isFinal, type RunState } from "../live/run-state.ts";
import { go } from "../route.ts";
import { Confirm } from "../ui/dialog.tsx";
import { attempt, notify } from "../ui/notice.tsx";
import { Status, StatusCounts } from "../ui/status.tsx";
import { Ago, Took } from "../ui/time.tsx";
import { Title } from "../ui/title.tsx";
import { SignalDialog } from "./signal-form.tsx";

export async function retry(run: RunDetail, body: { failed_only?: boolean; from?: string }): Promise<void> {
  const begun = await post<{ run_id: string }>(`runs/${encodeURIComponent(run.id)}/retry`, body);
  if (String(begun.run_id) === run.id) throw new Error("The server began no new run.");
  notify("A new run has begun");
  go(["runs", String(begun.run_id)]);
}

export function RunHead({ run, state }: { run: RunDetail; state: RunState }) {
  const counts = state.counts();
  const workflow = `#/workflows/${encodeURIComponent(run.workflow_id ?? run.workflow)}`;
  return (
    <>
      <Title text={`${run.workflow} #${run.number}`} above={<><a href="#/runs">Runs</a> / <a href={workflow}>{run.workflow}</a></>}>
        <Actions run={run} state={state} />
      </Title>
      <div class="facts">
        <span role="status"><Status status={state.status} note={state.cancelling ? "cancelling …" : state.stall?.state} /></span>
        <span class="muted">took <Took from={state.startedAt} to={state.endedAt} /></span>
        <span class="muted">started <Ago at={run.started_at} /></span>
        {run.user && <span class="muted">by {run.user}</span>}
        {run.trigger && <span class="muted">{run.trigger}</span>}
        {run.parent && <span class="muted">child of <a href={`#/runs/${encodeURIComponent(run.parent.run)}`}>{run.parent.job}</a></span>}
        <StatusCounts counts={counts} />
      </div>
      {state.stall && <Stalled run={run} stall={state.stall} />}
      {state.reason && <RunError id={run.id} reason={state.reason} state={state} />}
    </>
  );
}

/** Why the run makes no progress, and what ends that. */
function Stalled({ run, stall }: { run: RunDetail; stall: Stall }) {
  const unblock = async () => {
    await post(`runs/${encodeURIComponent(run.id)}/unblock`);
    notify("The run was unblocked");
  };
  return (
    <div class={stall.state === "blocked" ? "problem" : "stalled"}>
      <p class="problem-title">{stall.state === "blocked" ? "Blocked" : "Waiting"}: {stall.detail}</p>
      {stall.cure && <p>{stall.cure}</p>}
      {stall.reason === "poisoned" && <button type="button" onClick={() => void attempt(unblock)}>Unblock</button>}
    </div>
  );
}

function RunError({ id, reason, state }: { id: string; reason: string; state: RunState }) {
  const failed = [...state.jobs.values()].filter((job) => job.status === "failed").slice(0, 5);
  return (
    <div class="problem">
      <p class="problem-title">{reason.split("\n")[0]}</p>
      {reason.includes("\n") && <pre>{reason.slice(reason.indexOf("\n") + 1)}</pre>}
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
    notify("The run was asked to stop");
  };
  return (
    <>
      {!over && <button type="button" onClick={() => setSignalling(true)}>Signal</button>}
      {!over && <button type="button" class="danger" disabled={state.cancelling} onClick={() => setAsking(true)}>Cancel</button>}
      {over && failed && <button type="button" class="primary" onClick={() => void attempt(() => retry(run, { failed_only: true }))}>Retry failed</button>}
      {over && <button type="button" onClick={() => void attempt(() => retry(run, {}))}>Run again</button>}
      {signalling && <SignalDialog run={run} close={() => setSignalling(false)} />}
      {asking && (
        <Confirm title={`Cancel run #${run.number}?`} text="Jobs that run now are stopped; what has completed stays completed."
          action="Cancel the run" run={() => void attempt(cancel)} close={() => setAsking(false)} />
      )}
    </>
  );
}
