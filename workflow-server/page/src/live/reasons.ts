// Sorts the server's reasons why a run makes no progress. Pure.

import type { Reason } from "../api/types.ts";
import { isFinal, type JobState } from "./run-state.ts";

/** What jobs do in a run that makes progress. */
const ORDINARY = new Set(["running", "dependencies"]);

/** What the page knows from the events and shows elsewhere, without waiting for the server. */
const SHOWN = new Set(["signal", "time", "retry", "starting", "cancelling", "ended"]);

/** Reasons that end when the job starts. */
const BEFORE_START = new Set(["dependencies", "job_slot"]);

/** Reasons that workers or task queues resolve. */
const QUEUES = new Set(["queued", "no_worker", "workers_full", "owner_died"]);

/** Separates what holds the run up from what its other jobs do. Leaves out what an event has overtaken. */
export function sortReasons(reasons: Reason[], states: ReadonlyMap<string, JobState>): { holding: Reason[]; jobs: Reason[] } {
  const current = reasons.filter((reason) => !isOvertaken(reason, states));
  const jobs = current.filter(({ reason }) => ORDINARY.has(reason));
  const holding = current.filter(({ reason }) => !ORDINARY.has(reason) && !SHOWN.has(reason));
  return { holding, jobs };
}

function isOvertaken({ job, reason }: Reason, states: ReadonlyMap<string, JobState>): boolean {
  const status = job === null ? undefined : states.get(job)?.status;
  if (status === undefined) return false;
  return isFinal(status) || (BEFORE_START.has(reason) && status === "running");
}

export function concernsQueue({ reason }: Reason): boolean {
  return QUEUES.has(reason);
}

/** Whether somebody has to start a worker. */
export function needsWorker({ reason }: Reason): boolean {
  return reason === "no_worker";
}

/** A piece of a text: as it is, in a code font, the ID of a run, or a time. */
export interface Piece {
  kind: "text" | "code" | "run" | "time";
  text: string;
}

/** Splits a text of the server at `code`, times, and IDs of these runs. Starts it with a capital letter. */
export function pieces(text: string, runs: string[]): Piece[] {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  const split = upper.split(/`([^`]*)`/).flatMap((part, index): Piece[] => (index % 2 === 1 ? [{ kind: "code", text: part }] : linked(part, runs)));
  return split.filter((piece) => piece.text !== "");
}

function linked(text: string, runs: string[]): Piece[] {
  const [run, ...others] = runs;
  if (run === undefined) return text.split(TIME).map((part, index) => ({ kind: index % 2 === 1 ? "time" : "text", text: part }));
  const parts = text.split(run).map((part) => linked(part, others));
  return parts.flatMap((part, index) => (index === 0 ? part : [{ kind: "run" as const, text: run }, ...part]));
}

const TIME = /\b(\d{4}-\d\d-\d\dT[\d:.]+Z)/;
