// What a run looks like now: a snapshot, and the events after it folded in. Pure.

import type { Bar, Failure, JobItem, JobStatus, RunDetail, RunStatus, Stall } from "../api/types.ts";
import { startedBy, type RunEvent } from "./event.ts";

export interface JobState {
  name: string;
  status: JobStatus;
  attempts: number;
  startedAt: number | null;
  endedAt: number | null;
  error: Failure | string | null;
  /** Why it was skipped, or what it waits for. */
  note: string | null;
  /** The job that started it, when the graph does not have it. */
  origin: string | null;
}

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
  cancelling = false;
  stall: Stall | null;
  readonly jobs = new Map<string, JobState>();
  readonly bars = new Map<string, BarState>();
  /** The sequence of the last event that is in here; -1 for none. */
  last: number;

  constructor(run: RunDetail) {
    this.status = run.status;
    this.startedAt = time(run.begun_at ?? run.started_at);
    this.endedAt = time(run.completed_at);
    this.reason = typeof run.error === "string" ? run.error : (run.error?.message ?? null);
    this.stall = run.stall ?? null;
    this.last = run.events - 1;
    for (const job of run.jobs) this.#takeJob(job);
  }

  /** Bars from the server; those that events have drawn already are newer. */
  takeBars(bars: Bar[]): void {
    for (const bar of bars) {
      const key = `${bar.job}\n${bar.attempt}`;
      const known = this.bars.get(key);
      if (known && known.to !== null) continue;
      const from = time(bar.started_at) ?? 0;
      this.bars.set(key, { job: bar.job, attempt: bar.attempt, from, to: time(bar.ended_at), status: bar.status });
    }
  }

  /** Folds an event in. One that was there before changes nothing, and gives false. */
  apply(event: RunEvent): boolean {
    if (event.sequence <= this.last) return false;
    this.last = event.sequence;
    const at = time(event.at) ?? 0;
    // A run that goes on does not wait; what blocks it is told by events of its own.
    if (this.stall?.state === "waiting") this.stall = null;
    // What blocks a run may name the job at fault.
    if (event.job !== undefined && !event.kind.startsWith("run_")) this.#applyToJob(event, event.job, at);
    else this.#applyToRun(event, at);
    return true;
  }

  /** How many jobs are in each status. */
  counts(): Map<JobStatus, number> {
    const counts = new Map<JobStatus, number>();
    for (const { status } of this.jobs.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
    return counts;
  }

  job(name: string): JobState {
    let job = this.jobs.get(name);
    if (!job) {
      job = { name, status: "pending", attempts: 0, startedAt: null, endedAt: null, error: null, note: null, origin: null };
      this.jobs.set(name, job);
    }
    return job;
  }

  #takeJob(item: JobItem): void {
    const job = this.job(item.name);
    job.status = item.status;
    job.attempts = item.attempts;
    job.startedAt = time(item.started_at);
    job.endedAt = time(item.completed_at);
    job.error = item.status === "skipped" ? null : item.error;
    if (item.status === "skipped" && typeof item.error === "string") job.note = item.error;
  }

  #applyToJob(event: RunEvent, name: string, at: number): void {
    const job = this.job(name);
    const attempt = event.attempt ?? Math.max(1, job.attempts);
    switch (event.kind) {
      case "job_started":
        Object.assign(job, { status: "running", endedAt: null, note: null, attempts: Math.max(job.attempts, attempt) });
        job.startedAt ??= at;
        job.origin ??= startedBy(event.origin);
        this.bars.set(`${name}\n${attempt}`, { job: name, attempt, from: at, to: null, status: "running" });
        return;
      case "attempt_failed":
        Object.assign(job, { status: "running", error: event.error ?? null, note: retryNote(event.retry_in) });
        return this.#endBar(name, attempt, at, "failed");
      case "job_completed":
        Object.assign(job, { status: "completed", endedAt: at, error: null, note: null });
        return this.#endBar(name, attempt, at, "completed");
      case "job_failed":
        Object.assign(job, { status: "failed", endedAt: at, error: event.error ?? null, note: null });
        return this.#endBar(name, attempt, at, "failed");
      case "job_skipped":
        Object.assign(job, { status: "skipped", note: event.reason ?? null });
        return;
      case "job_cancelled":
        Object.assign(job, { status: "cancelled", endedAt: at, note: null });
        return this.#endBar(name, attempt, at, "cancelled");
      case "sleep_started":
        job.note = event.until ? `sleeps until ${event.until}` : "sleeps";
        return;
      case "signal_awaited":
        job.note = `waits for signal ${event.signal ?? ""}`;
        return;
      case "signal_received":
        job.note = null;
        return;
    }
  }

  #endBar(job: string, attempt: number, to: number, status: JobStatus): void {
    const bar = this.bars.get(`${job}\n${attempt}`);
    this.bars.set(`${job}\n${attempt}`, { job, attempt, from: bar?.from ?? to, to, status });
  }

  #applyToRun(event: RunEvent, at: number): void {
    switch (event.kind) {
      case "run_started":
        this.status = "running";
        this.startedAt ??= at;
        return;
      case "run_resumed":
        this.status = "running";
        this.stall = null;
        return;
      case "run_blocked":
        this.stall = blockedBy(event);
        return;
      case "run_unblocked":
        this.stall = null;
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

  #end(status: RunStatus, at: number, reason: string | null): void {
    this.status = status;
    this.endedAt = at;
    this.reason = reason;
    this.cancelling = false;
    this.stall = null;
  }
}

/** What blocks a run, from the event that tells of it; a snapshot says more. */
function blockedBy(event: RunEvent): Stall {
  const reason = event.reason ?? "blocked";
  const what = event.difference ?? event.problem ?? (event.job && `job \`${event.job}\``);
  const detail = reason.replaceAll("_", " ") + (what ? `: ${what}` : "");
  return { state: "blocked", reason, detail, cure: "" };
}

export function isFinal(status: JobStatus): boolean {
  return status !== "pending" && status !== "running";
}

export function time(text: string | null | undefined): number | null {
  const at = text ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? null : at;
}

function retryNote(seconds: number | undefined): string {
  return seconds === undefined ? "waits for another attempt" : `tries again after ${seconds} s`;
}
