// The page applies events as the server does: `fixtures/runs.json` has runs with the server's response after each event.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { load } from "./load.mjs";

const { RunState } = await load("live/run-state.ts");
const { decisiveLine } = await load("live/decisive.ts");
const { readEvent, startedBy } = await load("live/event.ts");
const { briefReason, noteOf, waitingFor } = await load("live/words.ts");
const runs = JSON.parse(await readFile(new URL("../fixtures/runs.json", import.meta.url), "utf8"));
const NOW = Date.UTC(2026, 0, 1, 0, 1);

/** The visible state of a run. */
function visible(state) {
  const { status, startedAt, endedAt, reason, cancelling, last } = state;
  // Only the server describes it.
  const described = state.stall(NOW);
  const stall = described && { state: described.state, reason: described.reason, waiting: described.waiting };
  // `waiting` has a sleep while it lasts and the job waits for nothing else.
  const jobs = Object.fromEntries([...state.jobs].map(([name, { sleep, ...job }]) => [name, job]));
  return { status, startedAt, endedAt, reason, cancelling, last, stall, waiting: state.waiting(NOW), counts: [...state.counts()].sort(), jobs };
}

for (const { name, events, documents } of runs) {
  test(`events lead from one response to the next: ${name}`, () => {
    const state = new RunState(documents[0]);
    events.forEach((event, index) => {
      assert.ok(state.apply(event));
      const answered = new RunState(documents[index + 1]);
      assert.deepEqual(visible(state), visible(answered), `after event ${index}, ${event.event}`);
      for (const [key, bar] of answered.bars) assert.deepEqual(state.bars.get(key), bar, `bar ${key} after event ${index}`);
    });
  });

  test(`the state does not depend on when the page was opened: ${name}`, () => {
    documents.forEach((document, from) => {
      const state = new RunState(document);
      events.forEach((event) => state.apply(event));
      const wanted = visible(new RunState(documents.at(-1)));
      assert.deepEqual(visible(state), wanted, `opened after ${from} events`);
    });
  });
}

test("the most significant line is the server's", () => {
  const jobs = runs.flatMap(({ documents }) => documents.flatMap((document) => document.jobs));
  const failed = jobs.filter((job) => job.error_line !== null);
  assert.ok(failed.length > 0);
  for (const { error, error_line } of failed) assert.equal(decisiveLine(error), error_line);
  const reasons = runs.map(({ documents }) => documents.at(-1)).filter((document) => document.error !== null);
  for (const { error, error_line } of reasons) assert.equal(decisiveLine(error), error_line);
});

const fixture = (name) => runs.find((run) => run.name.includes(name));

test("the words for a blocked run are the server's", () => {
  const { events, documents } = fixture("a process dies");
  const blocked = documents.findIndex(({ stall }) => stall?.state === "blocked");
  const opened = new RunState(documents[blocked]).stall(NOW);
  assert.deepEqual(opened, documents[blocked].stall);
  assert.ok(opened.detail !== "" && opened.cure !== "");
  const state = new RunState(documents[blocked - 1]);
  state.apply(events[blocked - 1]);
  assert.deepEqual(state.stall(NOW), { state: "blocked", reason: "definition_changed" });
});

test("a repeated event changes nothing", () => {
  const { events, documents } = fixture("fails twice");
  const state = new RunState(documents.at(-1));
  const before = structuredClone(visible(state));
  for (const event of events) assert.ok(!state.apply(event));
  assert.deepEqual(visible(state), before);
});

test("bars from the server and from events can arrive in any order", () => {
  const { events, documents } = fixture("fails twice");
  const bars = (state) => [...state.bars.values()].filter(({ job }) => job === "load").map(({ attempt, from, to, status }) => [attempt, (to - from) / 1000, status]);
  const state = new RunState(documents[4]);
  events.slice(4).forEach((event) => state.apply(event));
  assert.deepEqual(bars(state), [[1, 1, "failed"], [2, 1, "failed"]]);
  const at = (second) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  state.takeBars([{ job: "load", attempt: 2, started_at: at(5), ended_at: null, status: "running" }]);
  assert.deepEqual(bars(state), [[1, 1, "failed"], [2, 1, "failed"]], "a response older than the events");
});

test("a wait shows how long it has lasted", () => {
  const { documents } = fixture("waits for a signal");
  const [wait] = documents[3].waiting;
  assert.equal(waitingFor(wait, Date.parse(wait.since) + 252_000), "for approved, 4 m 12 s");
  const state = new RunState(documents[3]);
  assert.match(noteOf(state.job("approval"), NOW), /^waits for approved, /);
  assert.equal(state.stall(NOW).state, "waiting");
  assert.equal(briefReason("job `load` failed: no route"), "load: no route");
  assert.equal(briefReason("the run took too long"), "the run took too long");
});

test("waits of a function are listed beside those of its jobs", () => {
  const { events, documents } = fixture("a function waits by itself");
  const state = new RunState(documents[0]);
  const waits = events.map((event) => {
    state.apply(event);
    return state.waiting(NOW).map(({ job, signal, until }) => `${job}: ${signal ?? until.slice(0, 4)}`).join(", ");
  });
  assert.deepEqual(waits.slice(3), ["", "book: stop", "ask: answer, book: stop", "book: stop", "book: stop", "", "book: 2096", "book: go", "book: 2096", "book: 2128", "", ""]);
});

test("invalid events are ignored", () => {
  assert.equal(readEvent('{"sequence":1,"at":"","event":"run_started"}').event, "run_started");
  assert.equal(readEvent("no json"), null);
  assert.equal(readEvent('{"sequence":1,"kind":"run_started"}'), null);
  assert.equal(startedBy({ called: { by: "saga", attempt: 1 } }), "saga");
});
