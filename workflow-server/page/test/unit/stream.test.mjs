import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { SseParser } = await load("api/sse.ts");
const { place } = await load("api/problem.ts");
const { LogLines } = await load("live/log-lines.ts");

const text = "id: 1\nevent: job_started\ndata: {\"a\":1}\n\n: still here\r\n\r\nid: 2\r\ndata: one\r\ndata: two\r\n\r\nevent: end\ndata: {}\n\n";
const whole = [{ id: "1", event: "job_started", data: '{"a":1}' }, { id: "2", event: "message", data: "one\ntwo" }, { id: "2", event: "end", data: "{}" }];

test("messages do not depend on how the stream is split", () => {
  for (let size = 1; size <= text.length; size++) {
    const parser = new SseParser();
    const found = [];
    for (let i = 0; i < text.length; i += size) found.push(...parser.push(text.slice(i, i + size)));
    assert.deepEqual(found, whole, `in pieces of ${size}`);
  }
});

test("the position of an error is found in its message", () => {
  assert.deepEqual(place("bad: line 3, column 5"), { line: 3, column: 5 });
  assert.deepEqual(place("error\n --> workflow.yaml:7:2\n"), { line: 7, column: 2 });
  assert.deepEqual(place("4:5"), { line: 4, column: 5 });
  assert.equal(place("name is required, at 12:30"), null);
});

const record = (text, from, more = {}) => ({ job: "a", attempt: 1, stream: "stdout", text, from, end: from + text.length, ...more });

test("log records become lines without escape codes and repeats", () => {
  const log = new LogLines();
  assert.ok(log.take(record("\u001b[31mone\u001b[0m\ntw", 0)));
  assert.ok(log.take(record("o\n10 %\r20 %\r\nthree\n", 11 + 9)));
  assert.ok(!log.take(record("o\n", 0)));
  assert.deepEqual(log.lines.map((line) => line.text), ["one", "two", "20 %", "three"]);
});

test("lines of different jobs do not mix", () => {
  const log = new LogLines();
  log.take(record("begin ", 0));
  log.take(record("other\n", 10, { job: "b" }));
  log.take(record("end\n", 20));
  assert.deepEqual(log.lines.map((line) => [line.job, line.text]), [["a", "begin end"], ["b", "other"]]);
});
