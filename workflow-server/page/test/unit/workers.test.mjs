// What the page says about workers, task queues, and runs that make no progress.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { load } from "./load.mjs";

const { servedQueues, slotsOf, urgentFirst, workerCommand } = await load("live/workers.ts");
const { pieces, sortReasons } = await load("live/reasons.ts");
const { RunState } = await load("live/run-state.ts");

const queue = (name, workers, oldest) => ({ queue: name, workers, oldest: `2026-01-01T00:0${oldest}:00Z`, runs: 1, jobs: 0 });

test("queues without a worker come first, then those that wait longest", () => {
  const queues = [queue("served", 1, 0), queue("new", 0, 3), queue("later", 2, 2), queue("old", 0, 1)];
  assert.deepEqual(urgentFirst(queues).map((entry) => entry.queue), ["old", "new", "served", "later"]);
  assert.equal(queues[0].queue, "served", "the given list does not change");
});

test("slots have a limit, or none", () => {
  assert.deepEqual(slotsOf(3, 50), { text: "3 of 50", isFull: false });
  assert.deepEqual(slotsOf(50, 50), { text: "50 of 50, full", isFull: true });
  assert.deepEqual(slotsOf(1204, null), { text: "1,204, no limit", isFull: false });
});

test("a worker serves named queues, other queues, or both", () => {
  assert.deepEqual(servedQueues({ queues: ["a"], serves_others: false }), { named: ["a"], others: null });
  assert.deepEqual(servedQueues({ queues: ["a"], serves_others: true }), { named: ["a"], others: "all other queues" });
  assert.deepEqual(servedQueues({ queues: [], serves_others: true }), { named: [], others: "all queues" });
});

test("a shell passes every name of a queue on as it is", () => {
  assert.equal(workerCommand("estuary-critical"), "workflow worker --task-queue estuary-critical");
  for (const name of ["it's", "a b", "$(touch x)", "`id`", 'x"; rm -rf ~; "', "~root", "a\\b", "*", "é!"]) {
    const printed = execFileSync("sh", ["-c", `workflow() { printf '%s\\n' "$3"; }; ${workerCommand(name)}`], { encoding: "utf8" });
    assert.equal(printed, `${name}\n`);
  }
  assert.equal(workerCommand("-x"), "workflow worker --task-queue=-x");
});

const reason = (code, job = null) => ({ job, reason: code, detail: "", cure: "", runs: [] });
const codes = (reasons) => reasons.map((entry) => entry.reason);

test("reasons that hold a run up are apart from what other jobs do and from what events tell", () => {
  const all = ["no_worker", "running", "signal", "child_run", "dependencies", "time", "retry", "job_slot", "cancelling", "starting", "ended"];
  const { holding, jobs } = sortReasons(all.map((code) => reason(code)), new Map());
  assert.deepEqual(codes(holding), ["no_worker", "child_run", "job_slot"]);
  assert.deepEqual(codes(jobs), ["running", "dependencies"]);
});

test("a reason that an event has overtaken is left out", () => {
  const reasons = ["job_slot", "dependencies", "child_run", "running"].map((code) => reason(code, "load"));
  const after = (status) => {
    const { holding, jobs } = sortReasons([...reasons, reason("no_worker")], new Map([["load", { status }]]));
    return codes([...holding, ...jobs]);
  };
  assert.deepEqual(after("pending"), ["job_slot", "child_run", "no_worker", "dependencies", "running"]);
  assert.deepEqual(after("running"), ["child_run", "no_worker", "running"]);
  assert.deepEqual(after("completed"), ["no_worker"]);
});

test("sentences of the server have code, times and links to runs", () => {
  const texts = (text, runs = []) => pieces(text, runs).map((piece) => `${piece.kind}:${piece.text}`);
  assert.deepEqual(texts("job `load` waits for run 01-a", ["01-a"]), ["text:Job ", "code:load", "text: waits for run ", "run:01-a"]);
  assert.deepEqual(texts("the run continues with run 01-a, which started it", ["01-a"]), ["text:The run continues with run ", "run:01-a", "text:, which started it"]);
  assert.deepEqual(texts("waits for 01-a and 02-b", ["01-a", "02-b"]), ["text:Waits for ", "run:01-a", "text: and ", "run:02-b"]);
  assert.deepEqual(texts("running since 2026-01-01T00:00:00.5Z, says `2026-01-01T00:00:00Z`"), ["text:Running since ", "time:2026-01-01T00:00:00.5Z", "text:, says ", "code:2026-01-01T00:00:00Z"]);
  assert.deepEqual(texts("nothing to do"), ["text:Nothing to do"]);
  assert.deepEqual(texts("`a` waits"), ["code:a", "text: waits"]);
});

test("a job whose next attempt starts later is listed until then", () => {
  const state = new RunState({ status: "running", begun_at: null, completed_at: null, error: null, is_cancelling: false, stall: null, events: 0, waiting: [], jobs: [] });
  const at = "2026-01-01T00:00:00Z";
  state.apply({ sequence: 0, at, event: "job_started", job: "load", attempt: 1 });
  state.apply({ sequence: 1, at, event: "attempt_failed", job: "load", attempt: 1, retry_in: 10 });
  const from = Date.parse(at);
  assert.deepEqual(state.retries(from + 9_000).map((job) => job.name), ["load"]);
  assert.deepEqual(state.retries(from + 10_000), []);
  state.apply({ sequence: 2, at, event: "run_cancelled" });
  assert.deepEqual(state.retries(from), []);
});
