// The current state of a run: the server's response with later events applied, as `RunView` of workflow-core
// applies them. Pure. `test/unit/run-state.test.mjs` checks that both agree.

import type { Bar, Failure, JobItem, JobStatus, RunDetail, RunStatus, Stall, Wait } from "../api/types.ts";
import { decisiveLine } from "./decisive.ts";
import { startedBy, type RunEvent } from "./event.ts";

export interface JobState {
  name: string;
  status: JobStatus;
  attempts: number;
  startedAt: number | null;
  endedAt: number | null;
  /** The error of the latest attempt. */
  error: string | null;
  /** Its most significant line. */
  errorLine: string | null;
  /** Why it was skipped. */
  skippedBecause: string | null;
  /** The start of the next attempt, while the job waits for it. */
  retryAt: number | null;
  /** The signal that it waits for. */
  signal: Wait | null;
  /** Its latest sleep; it may be over. */
  sleep: Wait | null;
  /** The job that started it dynamically; null for jobs of the graph. */
  startedBy: string | null;
  /** Whether its result comes from the original run of this retry. */
  isReused: boolean;
}

/** Why the run makes no progress. Its words come from the server: after an event, the next response has them. */
export type LiveStall = Pick<Stall, "state" | "reason" | "waiting"> & Partial<Pick<Stall, "detail" | "cure">>;

export interface BarState {
  job: string;
  attempt: number;
  from: number;
  to: number | null;
  status: JobStatus;
}

export class RunState {
  status: RunStatus;
  startedAt: number | null;
  endedAt: number | null;
  reason: string | null;
  cancelling: boolean;
  blocked: LiveStall | null;
  readonly jobs = new Map<string, JobState>();
  readonly bars = new Map<string, BarState>();
  /** The sequence number of the last applied event; -1 for none. */
  last: number;

  constructor(run: RunDetail) {
    this.status = run.status;
    this.startedAt = time(run.begun_at);
    this.endedAt = time(run.completed_at);
    this.reason = run.error;
    this.cancelling = run.is_cancelling;
    this.blocked = run.stall?.state === "blocked" ? run.stall : null;
    this.last = run.events - 1;
    for (const job of run.jobs) this.#takeJob(job);
    for (const wait of run.waiting) this.job(wait.job)[wait.signal !== null ? "signal" : "sleep"] = wait;
  }

  /** Adds bars from the server, except those that an event has ended in the meantime. */
  takeBars(bars: Bar[]): void {
    for (const bar of bars) {
      const key = `${bar.job}\n${bar.attempt}`;
      if (bar.ended_at === null && this.bars.get(key)?.to != null) continue;
      const from = time(bar.started_at) ?? 0;
      this.bars.set(key, { job: bar.job, attempt: bar.attempt, from, to: time(bar.ended_at), status: bar.status });
    }
  }

  /** Applies an event. A repeated event changes nothing and returns false. */
  apply(event: RunEvent): boolean {
    if (event.sequence <= this.last) return false;
    this.last = event.sequence;
    const at = time(event.at) ?? 0;
    // Events of the run can name a job, too: `run_blocked` does.
    if (event.job !== undefined && !event.event.startsWith("run_")) this.#applyToJob(event, event.job, at);
    else this.#applyToRun(event, at);
    return true;
  }

  /** How many jobs are in each status. */
  counts(): Map<JobStatus, number> {
    const counts = new Map<JobStatus, number>();
    for (const { status } of this.jobs.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
    return counts;
  }

  /** The waiting jobs and their reasons. Other jobs may be running. */
  waiting(now: number): Wait[] {
    const underWay = this.#underWay();
    const parents = new Set(underWay.map((job) => job.startedBy));
    // A job that waits for its own jobs may also wait for a signal.
    return underWay.flatMap((job) => (parents.has(job.name) ? job.signal : waitOf(job, now)) ?? []);
  }

  /** The jobs whose next attempt starts later. */
  retries(now: number): JobState[] {
    if (isFinal(this.status)) return [];
    return [...this.jobs.values()].filter((job) => job.status === "running" && job.retryAt !== null && job.retryAt > now);
  }

  /** Why the run makes no progress: it is blocked, or all of its jobs wait. */
  stall(now: number): LiveStall | null {
    if (this.blocked) return this.blocked;
    const underWay = this.#underWay();
    const parents = new Set(underWay.map((job) => job.startedBy));
    const isAtWork = underWay.some((job) => !parents.has(job.name) && !waitOf(job, now));
    const first = isAtWork ? undefined : this.waiting(now)[0];
    return first ? { state: "waiting", reason: first.signal !== null ? "signal" : "time", waiting: first } : null;
  }

  job(name: string): JobState {
    let job = this.jobs.get(name);
    if (!job) {
      job = {
        name, status: "pending", attempts: 0, startedAt: null, endedAt: null, error: null, errorLine: null,
        skippedBecause: null, retryAt: null, signal: null, sleep: null, startedBy: null, isReused: false,
      };
      this.jobs.set(name, job);
    }
    return job;
  }

  /** The running jobs by name; empty if no job waits. */
  #underWay(): JobState[] {
    if (isFinal(this.status) || ![...this.jobs.values()].some((job) => job.signal ?? job.sleep)) return [];
    return [...this.jobs.values()].filter((job) => job.status === "running" && job.retryAt === null).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #takeJob(item: JobItem): void {
    const job = this.job(item.name);
    const isSkipped = item.status === "skipped";
    Object.assign(job, {
      status: item.status, attempts: item.attempts, startedAt: time(item.started_at), endedAt: time(item.completed_at),
      error: isSkipped ? null : item.error, errorLine: item.error_line, skippedBecause: isSkipped ? item.error : null,
      retryAt: time(item.retry_at), startedBy: item.started_by, isReused: item.is_reused,
    });
    const from = time(item.attempt_started_at);
    // The end of an attempt that will be retried is only known from the server's bars.
    if (from === null || job.retryAt !== null) return;
    this.bars.set(`${job.name}\n${job.attempts}`, { job: job.name, attempt: job.attempts, from, to: job.endedAt, status: job.status });
  }

  #applyToJob(event: RunEvent, name: string, at: number): void {
    const job = this.job(name);
    const attempt = event.attempt ?? Math.max(1, job.attempts);
    switch (event.event) {
      case "job_started":
        // After a crash, the restarted attempt replaces the lost one.
        if (attempt === 1) job.startedAt = at;
        Object.assign(job, { status: "running", endedAt: null, retryAt: null, ...AWAKE, attempts: attempt });
        job.startedAt ??= at;
        job.startedBy ??= startedBy(event.origin);
        job.isReused = this.startedAt !== null && job.startedAt < this.startedAt;
        this.bars.set(`${name}\n${attempt}`, { job: name, attempt, from: at, to: null, status: "running" });
        return;
      case "attempt_failed":
        Object.assign(job, { status: "running", ...AWAKE, retryAt: at + (event.retry_in ?? 0) * 1000, ...failed(event.error) });
        return this.#endBar(name, attempt, at, "failed");
      case "job_completed":
        return this.#endJob(job, attempt, at, "completed");
      case "job_failed":
        this.#endJob(job, attempt, at, "failed");
        Object.assign(job, failed(event.error));
        return;
      case "job_cancelled":
        this.#endJob(job, attempt, at, "cancelled");
        Object.assign(job, failed(event.error));
        return;
      case "job_skipped":
        Object.assign(job, { status: "skipped", ...AWAKE, skippedBecause: event.reason ?? null });
        return;
      case "sleep_started":
        job.sleep = { job: name, signal: null, until: event.until ?? null, since: event.at };
        return;
      case "signal_awaited":
        job.signal = { job: name, signal: event.signal ?? "", until: null, since: event.at };
        return;
      case "signal_received":
        job.signal = null;
        return;
    }
  }

  #endJob(job: JobState, attempt: number, at: number, status: JobStatus): void {
    const endedAt = job.attempts > 0 ? at : null;
    Object.assign(job, { status, endedAt, error: null, errorLine: null, retryAt: null, ...AWAKE });
    this.#endBar(job.name, attempt, at, status);
  }

  #endBar(job: string, attempt: number, to: number, status: JobStatus): void {
    const bar = this.bars.get(`${job}\n${attempt}`);
    if (bar && bar.to === null) this.bars.set(`${job}\n${attempt}`, { ...bar, to, status });
  }

  #applyToRun(event: RunEvent, at: number): void {
    switch (event.event) {
      case "run_started":
        this.status = "running";
        this.startedAt ??= at;
        return;
      case "run_resumed":
        this.status = "running";
        this.blocked = null;
        for (const job of this.jobs.values()) this.#interrupt(job);
        return;
      case "run_blocked":
        this.blocked = { state: "blocked", reason: event.reason ?? "" };
        return;
      case "run_unblocked":
        this.blocked = null;
        return;
      case "cancel_requested":
        this.cancelling = true;
        return;
      case "run_completed":
        return this.#end("completed", at, null);
      case "run_failed":
        return this.#end("failed", at, event.reason ?? null);
      case "run_cancelled":
        return this.#end("cancelled", at, null);
    }
  }

  /** The run was resumed: its running jobs start again. */
  #interrupt(job: JobState): void {
    if (job.status !== "running" || job.retryAt !== null) return;
    this.bars.delete(`${job.name}\n${job.attempts}`);
    Object.assign(job, { status: "pending", ...AWAKE, attempts: job.attempts - 1 });
    if (job.attempts === 0) job.startedAt = null;
  }

  #end(status: RunStatus, at: number, reason: string | null): void {
    this.status = status;
    this.endedAt = at;
    this.reason = reason;
    this.cancelling = false;
    this.blocked = null;
  }
}

/** The fields of a job's state for an error. */
function failed(error: Failure | undefined): { error: string | null; errorLine: string | null } {
  if (!error) return { error: null, errorLine: null };
  const text = error.kind === "panicked" ? `panicked: ${error.message}` : error.message;
  return { error: text, errorLine: decisiveLine(text) };
}

const AWAKE = { signal: null, sleep: null };

/** What the job itself currently waits for. */
export function waitOf({ signal, sleep }: JobState, now: number): Wait | null {
  const isOver = sleep?.until != null && (time(sleep.until) ?? 0) <= now;
  return signal ?? (isOver ? null : sleep);
}

export function isFinal(status: JobStatus): boolean {
  return status !== "pending" && status !== "running";
}

export function time(text: string | null | undefined): number | null {
  const at = text ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? null : at;
}
