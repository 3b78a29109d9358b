// Describes what jobs and runs wait for. Pure.

import type { Wait } from "../api/types.ts";
import { clock, duration, moment } from "../ui/format.ts";
import { time, waitOf, type JobState } from "./run-state.ts";

/** `for approved, 4 m 12 s`, or `until 20:15:00`. */
export function waitingFor(wait: Wait, now: number): string {
  if (wait.signal === null) return `until ${at(wait.until, now)}`;
  const since = time(wait.since) ?? now;
  return `for ${wait.signal}, ${duration(Math.max(0, Math.round((now - since) / 1000)))}`;
}

/** Why a job makes no progress, or what it does next; null otherwise. */
export function noteOf(job: JobState, now: number): string | null {
  if (job.skippedBecause !== null) return job.skippedBecause;
  const wait = waitOf(job, now);
  if (wait) return `${wait.signal !== null ? "waits" : "sleeps"} ${waitingFor(wait, now)}`;
  if (job.retryAt !== null) return job.retryAt > now ? `retries in ${duration(Math.ceil((job.retryAt - now) / 1000))}` : "retrying";
  if (job.isReused) return "result of the original run";
  return null;
}

/** Shortens the reason of a failed run for lists: `load: no route` for a failed job `load`. */
export function briefReason(reason: string): string {
  const of = /^job `(.+?)` failed: (.*)$/.exec(reason);
  return of ? `${of[1]}: ${of[2]}` : reason;
}

function at(text: string | null, now: number): string {
  const until = time(text);
  if (until === null) return "later";
  return until - now < 12 * 3_600_000 ? clock(until) : moment(until);
}
