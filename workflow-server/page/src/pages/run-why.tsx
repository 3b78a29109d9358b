// Why an unfinished run makes no progress: a blockage, waits and other reasons, each with what resolves it.

import { useEffect, useState } from "preact/hooks";
import { get, isStaff, post } from "../api/client.ts";
import { useLoad, type Load } from "../api/load.ts";
import type { Problem } from "../api/problem.ts";
import type { Reason, RunDetail, Wait } from "../api/types.ts";
import { concernsQueue, needsWorker, sortReasons } from "../live/reasons.ts";
import type { JobState, LiveStall, RunState } from "../live/run-state.ts";
import { waitingFor } from "../live/words.ts";
import { duration } from "../ui/format.ts";
import { attempt, notify } from "../ui/notice.tsx";
import { ProblemBox } from "../ui/problem.tsx";
import { Prose } from "../ui/prose.tsx";
import { now } from "../ui/time.tsx";
import { SignalForm } from "./signal-form.tsx";

interface Props {
  run: RunDetail;
  state: RunState;
  version: number;
}

export function RunWhy({ run, state, version }: Props) {
  const why = useReasons(run.id, version);
  if (state.blocked) return <Blocked run={run} stall={state.blocked} />;
  const { holding, jobs } = sortReasons(why.data ?? [], state.jobs);
  const waits = state.waiting(now.value);
  const retries = state.retries(now.value);
  const signals = waits.flatMap((wait) => wait.signal ?? []);
  const isHeld = holding.length + waits.length + retries.length > 0;
  return (
    <>
      {isHeld && (
        <section class={`stalled ${holding.some(needsWorker) ? "unserved" : ""}`} aria-label="Waiting">
          <Few items={holding} row={(reason) => <Held reason={reason} />} />
          <Few items={waits} row={(wait) => <LiveWait wait={wait} />} />
          <Few items={retries} row={(job) => <Retry job={job} />} />
          {signals.length > 0 && <SignalForm run={run} names={[...new Set(signals)]} />}
        </section>
      )}
      {jobs.length > 0 && <Jobs reasons={jobs} others={isHeld} />}
      <ProblemBox problem={reported(why.problem)} retry={why.reload} />
    </>
  );
}

/** Loads the reasons again after each change of the run, and regularly: a worker that starts makes no event. */
function useReasons(run: string, version: number): Load<Reason[]> {
  const load = useLoad(async (signal) => (await get<{ items: Reason[] }>(`runs/${encodeURIComponent(run)}/why`, {}, signal)).items, [run], 5);
  useEffect(() => {
    if (load.data === null) return;
    const timer = setTimeout(load.reload, PAUSE);
    return () => clearTimeout(timer);
  }, [version]);
  return load;
}

/** Changes within this time, in milliseconds, are one. */
const PAUSE = 300;

/** The page shows a lost connection and a deleted run itself. */
function reported(problem: Problem | null): Problem | null {
  return problem && problem.status !== 0 && problem.status !== 404 ? problem : null;
}

/** Why no engine resumes the run, and how to resolve it. */
function Blocked({ run, stall }: { run: RunDetail; stall: LiveStall }) {
  const unblock = async () => {
    await post(`runs/${encodeURIComponent(run.id)}/unblock`);
    notify("Run unblocked");
  };
  return (
    <div class="problem">
      <p class="problem-title">Blocked{stall.detail && `: ${stall.detail}`}</p>
      {stall.cure && <p>{stall.cure}</p>}
      {stall.reason === "poisoned" && <button type="button" onClick={() => void attempt(unblock)}>Unblock</button>}
    </div>
  );
}

/** The first rows of a list, and how many more there are. */
function Few<T>({ items, row }: { items: T[]; row: (item: T) => preact.ComponentChildren }) {
  if (items.length === 0) return null;
  return (
    <>
      <ul class="waits">{items.slice(0, FEW).map((item, index) => <li key={index}>{row(item)}</li>)}</ul>
      {items.length > FEW && <p class="muted">and {(items.length - FEW).toLocaleString("en")} more</p>}
    </>
  );
}

const FEW = 5;

/** A wait, from the events of the run. Other jobs may be running. */
function LiveWait({ wait }: { wait: Wait }) {
  return (
    <>
      <strong>{wait.signal === null ? "Sleeps" : "Waits"} {waitingFor(wait, now.value)}</strong>{" "}
      <span class="muted">job {wait.job}</span>
    </>
  );
}

/** A job whose next attempt starts later, from the events of the run. */
function Retry({ job }: { job: JobState }) {
  const seconds = Math.ceil(((job.retryAt ?? 0) - now.value) / 1000);
  return (
    <>
      <strong>Retries in {duration(seconds)}</strong>{" "}
      <span class="muted">job {job.name}, attempt {job.attempts} failed</span>
    </>
  );
}

/** A reason of the server. */
function Held({ reason }: { reason: Reason }) {
  return (
    <>
      <strong><Prose text={reason.detail} runs={reason.runs} /></strong>
      <span class="cure">
        <Prose text={reason.cure} runs={reason.runs} />
        {concernsQueue(reason) && isStaff() && <>; see <a href="#/workers">Workers and Queues</a></>}
      </span>
    </>
  );
}

/** What unfinished jobs do or wait for: all of them, or those that do not hold the run up. */
function Jobs({ reasons, others }: { reasons: Reason[]; others: boolean }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="why" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>What {others ? "other" : "the"} jobs do or wait for <span class="count">{reasons.length.toLocaleString("en")}</span></summary>
      {open && (
        <ul class="waits">
          {reasons.slice(0, MANY).map((reason) => (
            <li key={reason.job}>
              <Prose text={reason.detail} runs={reason.runs} />
              <span class="cure"><Prose text={reason.cure} runs={reason.runs} /></span>
            </li>
          ))}
        </ul>
      )}
      {open && reasons.length > MANY && <p class="muted">and {(reasons.length - MANY).toLocaleString("en")} more</p>}
    </details>
  );
}

const MANY = 100;
