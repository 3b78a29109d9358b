import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { RunState } = await load("live/run-state.ts");
const { readEvent, startedBy } = await load("live/event.ts");

const at = (second) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const job = (name, status = "pending") => ({ name, status, attempts: 0, started_at: null, completed_at: null, duration_seconds: null, error: null });
const fresh = (jobs, events = 0) => new RunState({ status: "pending", begun_at: null, started_at: null, completed_at: null, error: null, events, jobs });

test("events make a run", () => {
  const state = fresh([job("a"), job("b")]);
  const error = { message: "no" };
  const events = [
    { kind: "run_started" },
    { kind: "job_started", job: "a", attempt: 1 },
    { kind: "attempt_failed", job: "a", attempt: 1, error, retry_in: 1 },
    { kind: "job_started", job: "a", attempt: 2 },
    { kind: "job_failed", job: "a", attempt: 2, error },
    { kind: "job_skipped", job: "b", reason: "`a` failed" },
    { kind: "run_failed", reason: "job `a` failed" },
  ];
  events.forEach((event, sequence) => assert.ok(state.apply({ ...event, sequence, at: at(sequence) })));
  assert.equal(state.status, "failed");
  assert.equal(state.reason, "job `a` failed");
  assert.equal(state.jobs.get("a").attempts, 2);
  assert.equal(state.jobs.get("b").note, "`a` failed");
  assert.deepEqual([...state.bars.values()].map(({ attempt, from, to, status }) => [attempt, (to - from) / 1000, status]), [[1, 1, "failed"], [2, 1, "failed"]]);
});

test("an event that was there before changes nothing", () => {
  const state = fresh([job("a")]);
  const started = { sequence: 0, at: at(0), kind: "job_started", job: "a", attempt: 1 };
  const completed = { sequence: 1, at: at(1), kind: "job_completed", job: "a", attempt: 1 };
  assert.ok(state.apply(started) && state.apply(completed));
  assert.ok(!state.apply(started) && !state.apply(completed));
  assert.equal(state.jobs.get("a").status, "completed");
});

test("what a snapshot has in it is not folded in again", () => {
  const state = fresh([job("a", "completed")], 3);
  assert.ok(!state.apply({ sequence: 2, at: at(2), kind: "job_started", job: "a", attempt: 1 }));
  assert.equal(state.jobs.get("a").status, "completed");
});

test("bars of the server do not undo those of newer events", () => {
  const state = fresh([job("a")]);
  state.apply({ sequence: 0, at: at(0), kind: "job_started", job: "a", attempt: 1 });
  state.apply({ sequence: 1, at: at(5), kind: "job_completed", job: "a", attempt: 1 });
  state.takeBars([{ job: "a", attempt: 1, started_at: at(0), ended_at: null, status: "running" }]);
  assert.equal(state.bars.get("a\n1").status, "completed");
});

test("a blocked run says why until it goes on", () => {
  const state = fresh([job("a")]);
  state.apply({ sequence: 0, at: at(0), kind: "run_started" });
  state.apply({ sequence: 1, at: at(1), kind: "run_blocked", reason: "definition_changed", difference: "job `audit` is new" });
  assert.deepEqual(state.stall, { state: "blocked", reason: "definition_changed", detail: "definition changed: job `audit` is new", cure: "" });
  state.apply({ sequence: 2, at: at(2), kind: "run_resumed", after_crash: true });
  assert.equal(state.stall, null);
});

test("a run that waits says so until something happens", () => {
  const waiting = { state: "waiting", reason: "signal", detail: "job `a` waits for signal `go`", cure: "send it" };
  const state = new RunState({ status: "running", begun_at: null, started_at: null, completed_at: null, error: null, events: 2, jobs: [], stall: waiting });
  assert.deepEqual(state.stall, waiting);
  state.apply({ sequence: 2, at: at(2), kind: "signal_received", job: "a", attempt: 1, signal: "go" });
  assert.equal(state.stall, null);
});

test("events are read under either name of their kind", () => {
  assert.equal(readEvent("message", '{"sequence":1,"at":"","event":"run_started"}').kind, "run_started");
  assert.equal(readEvent("run_started", '{"sequence":1,"at":""}').kind, "run_started");
  assert.equal(readEvent("x", "no json"), null);
  assert.equal(startedBy({ called: { by: "saga", attempt: 1 } }), "saga");
});
