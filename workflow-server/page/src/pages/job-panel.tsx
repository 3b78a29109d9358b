// One job of a run: its attempts, why it failed, what went in and came out, and what it printed.

import { useEffect, useState } from "preact/hooks";
import { get } from "../api/client.ts";
import { useLoad } from "../api/load.ts";
import type { Attempt, Failure, JobDetail, Json, JsonObject, RunDetail } from "../api/types.ts";
import { isFinal, time, type RunState } from "../live/run-state.ts";
import { attempt } from "../ui/notice.tsx";
import { ProblemBox, Waiting } from "../ui/problem.tsx";
import { Status } from "../ui/status.tsx";
import { Took } from "../ui/time.tsx";
import { Tree } from "../ui/tree.tsx";
import { Log } from "./log.tsx";
import { retry } from "./run-head.tsx";

interface Props {
  run: RunDetail;
  state: RunState;
  job: string;
  close: () => void;
}

export function JobPanel({ run, state, job, close }: Props) {
  const live = state.jobs.get(job);
  const stage = `${live?.status} ${live?.attempts} ${isFinal(state.status)}`;
  const path = `runs/${encodeURIComponent(run.id)}/jobs/${encodeURIComponent(job)}`;
  const load = useLoad((signal) => get<JobDetail>(path, {}, signal), [path]);
  useEffect(() => load.reload(), [stage]);
  const { data } = load;
  const status = live?.status ?? data?.status ?? "pending";
  const error = data?.error ?? data?.attempts.at(-1)?.error ?? live?.error ?? null;
  const again = () => void attempt(() => retry(run, { from: job }));
  return (
    <section class="card panel" aria-label={`Job ${job}`}>
      <div class="panel-head">
        <h2>{job}</h2>
        <button type="button" class="quiet" aria-label="Close the job" onClick={close}>✕</button>
      </div>
      <p class="facts">
        <Status status={status} />
        {live?.startedAt != null && <span class="muted">took <Took from={live.startedAt} to={live.endedAt} /></span>}
        {isFinal(state.status) && <button type="button" onClick={again}>Retry from here</button>}
      </p>
      {(live?.note ?? data?.reason) && <p class="muted">{live?.note ?? data?.reason}</p>}
      {error && status !== "completed" && status !== "skipped" && <FailureBox error={error} />}
      {!data && (load.problem ? <MaybeProblem problem={load.problem} status={status} /> : <Waiting what="the job" />)}
      {data && <Details run={run} job={data} />}
    </section>
  );
}

/** A job that has not begun may have no page of its own yet. */
function MaybeProblem({ problem, status }: { problem: NonNullable<ReturnType<typeof useLoad>["problem"]>; status: string }) {
  if (problem.status === 404 && status === "pending") return <p class="muted">It has not begun.</p>;
  return <ProblemBox problem={problem} />;
}

function Details({ run, job }: { run: RunDetail; job: JobDetail }) {
  const logged = job.attempts.filter((entry) => entry.log !== false);
  const [chosen, setChosen] = useState<number | null>(null);
  const last = logged[logged.length - 1]?.attempt;
  const shown = chosen ?? last;
  return (
    <>
      {job.attempts.length > 0 && <Attempts attempts={job.attempts} />}
      {shown !== undefined && (
        <>
          <div class="panel-head">
            <h3>Log</h3>
            {logged.length > 1 && (
              <label>Attempt{" "}
                <select value={String(shown)} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
                  {logged.map((entry) => <option key={entry.attempt} value={String(entry.attempt)}>{entry.attempt}</option>)}
                </select>
              </label>
            )}
          </div>
          <Log key={shown} run={run.id} job={job.name} attempt={shown} label={`Log of ${job.name}`} height={240} />
        </>
      )}
      {filled(job.inputs) && <><h3>Inputs</h3><Tree value={job.inputs!} label="inputs" depth={1} /></>}
      {job.output !== null && job.output !== undefined && <><h3>Output</h3><Tree value={job.output} label="output" depth={2} /></>}
      {filled(job.values) && <><h3>Values kept</h3><Tree value={job.values!} label="values" depth={1} /></>}
      {(job.waits_for ?? []).length > 0 && <p class="muted">Waits for {job.waits_for!.join(", ")}</p>}
    </>
  );
}

function filled(value: JsonObject | null | undefined): boolean {
  return value !== null && value !== undefined && Object.keys(value).length > 0;
}

function Attempts({ attempts }: { attempts: Attempt[] }) {
  return (
    <>
      <h3>Attempts</h3>
      <ol class="attempts">
        {attempts.map((entry) => (
          <li key={entry.attempt}>
            <span class="number">{entry.attempt}</span>
            <Status status={entry.status} />
            <Took from={time(entry.started_at)} to={time(entry.ended_at)} seconds={entry.duration_seconds} />
            <span class="attempt-error">{(typeof entry.error === "string" ? entry.error : entry.error?.message)?.split("\n")[0]}</span>
            {filled(entry.facts) && <span class="facts-of">{Object.entries(entry.facts!).map(([key, value]) => <span key={key} class="chip">{key}: {short(value)}</span>)}</span>}
          </li>
        ))}
      </ol>
    </>
  );
}

function short(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function FailureBox({ error }: { error: Failure | string }) {
  if (typeof error === "string") return <div class="problem"><pre>{error}</pre></div>;
  const { message, kind, error_type: type } = error;
  const place = placeOf(error);
  return (
    <div class="problem">
      <p class="problem-title">{typeof kind === "string" ? kind.replace(/_/g, " ") : kind ? short(kind) : "failed"}{type && <> · <code>{type}</code></>}</p>
      <pre>{message}</pre>
      {place && <p>at <code>{place}</code></p>}
    </div>
  );
}

function placeOf(error: Failure): string | null {
  const found = error.location ?? error.place ?? null;
  if (typeof found === "string") return found;
  if (typeof found !== "object" || found === null || Array.isArray(found)) return null;
  return [found.file, found.line, found.column].filter((part) => part !== undefined && part !== null).join(":") || null;
}
