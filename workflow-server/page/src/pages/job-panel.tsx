// One job of a run: attempts, error, inputs, output and log.

import { useEffect, useState } from "preact/hooks";
import { get } from "../api/client.ts";
import { writeJson } from "../api/json.ts";
import { useLoad } from "../api/load.ts";
import type { Attempt, AttemptFailure, JobDetail, Json, JsonObject, RunDetail } from "../api/types.ts";
import { decisiveLine } from "../live/decisive.ts";
import { isFinal, time, type RunState } from "../live/run-state.ts";
import { noteOf } from "../live/words.ts";
import { attempt } from "../ui/notice.tsx";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { Status } from "../ui/status.tsx";
import { now, Took } from "../ui/time.tsx";
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
  const failure = data?.attempts.findLast((entry) => entry.error !== null)?.error ?? null;
  const note = live && noteOf(live, now.value);
  const again = () => void attempt(() => retry(run, { from: job }));
  return (
    <section class="card panel" aria-label={`Job ${job}`}>
      <div class="panel-head">
        <h2>{job}</h2>
        <button type="button" class="quiet" aria-label="Close job" onClick={close}>✕</button>
      </div>
      <p class="facts">
        <Status status={status} />
        {live?.startedAt != null && <span class="muted">{isFinal(status) ? "took" : "running for"} <Took from={live.startedAt} to={live.endedAt} /></span>}
        {isFinal(state.status) && <button type="button" onClick={again}>Retry from here</button>}
      </p>
      {(note ?? data?.reason) && <p class="muted">{note ?? data?.reason}</p>}
      {live?.error != null && status !== "completed" && status !== "skipped" && <FailureBox text={live.error} failure={failure} />}
      {!data && (load.problem ? <ProblemBox problem={load.problem} /> : <Loading what="the job" />)}
      {data && <Details run={run} job={data} />}
    </section>
  );
}

function Details({ run, job }: { run: RunDetail; job: JobDetail }) {
  const logged = job.attempts;
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
      {filled(job.values) && <><h3>Saved values</h3><Tree value={job.values!} label="values" depth={1} /></>}
      {(job.waits_for ?? []).length > 0 && <p class="muted">Depends on {job.waits_for!.join(", ")}</p>}
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
            <span class="attempt-error">{entry.error?.line}</span>
            {filled(entry.annotations) && <span class="facts-of">{Object.entries(entry.annotations).map(([key, value]) => <span key={key} class="chip">{key}: {short(value)}</span>)}</span>}
          </li>
        ))}
      </ol>
    </>
  );
}

function short(value: Json): string {
  return typeof value === "string" ? value : writeJson(value);
}

function FailureBox({ text, failure }: { text: string; failure: AttemptFailure | null }) {
  const line = decisiveLine(text);
  const kind = failure ? FAILURE_TITLES[failure.kind] : undefined;
  return (
    <div class="problem">
      <p class="problem-title">{kind && <>{kind}: </>}{line}</p>
      {text.trim() !== line && <pre>{text}</pre>}
      {failure?.error_type && <p class="muted"><code>{failure.error_type}</code></p>}
    </div>
  );
}

/** Titles of failures that have a more specific kind than an error. */
const FAILURE_TITLES: Record<string, string> = {
  panicked: "Panicked",
  cancelled: "Cancelled",
  start_to_close: "Attempt timed out",
  schedule_to_close: "Job timed out over all attempts",
  heartbeat: "Heartbeat timed out",
};
