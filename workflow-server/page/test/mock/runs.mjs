// Simulated runs: a timer makes their events.

import { EventEmitter } from "node:events";
import { iso, random, uuid } from "./data.mjs";

let number = 0;

export class Run extends EventEmitter {
  constructor(workflow, { input = null, at = Date.now(), user = "alice", trigger = "manual", retry_of = null, task_queue = null, priority = 0, contract = null } = {}) {
    super();
    this.setMaxListeners(0);
    number += 1;
    Object.assign(this, { number, id: uuid(number), workflow, input, user, trigger, at, status: "pending", events: [], logs: [], logEnd: 0, jobs: new Map(), result: null, error: null, endedAt: null, awaiting: null, retry_of, task_queue: task_queue ?? `default-${workflow.domain ?? "workflows"}`, priority, contract });
    const graph = workflow.dag_spec ?? { nodes: [{ id: "book" }], edges: [] };
    this.graph = graph;
    this.before = new Map(graph.nodes.map(({ id }) => [id, []]));
    for (const { source, target } of graph.edges) this.before.get(target).push(source);
    for (const { sources, targets } of graph.groups ?? []) for (const target of targets) this.before.get(target).push(...sources);
    for (const { id } of graph.nodes) this.jobs.set(id, { name: id, status: "pending", attempts: [], output: null, error: null });
  }

  get over() {
    return !["pending", "running"].includes(this.status);
  }

  emitEvent(kind, more = {}, at = Date.now()) {
    const event = { sequence: this.events.length, at: iso(at), event: kind, ...more };
    this.contract?.checkEvent(event);
    this.events.push(event);
    this.fold(event, at);
    this.emit("event", event);
  }

  fold({ event: kind, job: name, attempt, error, output, reason }, at) {
    const job = name && this.job(name);
    const last = job?.attempts.at(-1);
    if (kind === "run_started") Object.assign(this, { status: "running", begun: at });
    if (kind === "job_started") job.attempts.push({ attempt, status: "running", from: at, to: null, error: null }), (job.status = "running");
    if (kind === "attempt_failed") Object.assign(last, { status: "failed", to: at, error });
    if (kind === "job_completed") Object.assign(last, { status: "completed", to: at }), Object.assign(job, { status: "completed", output });
    if (kind === "job_failed") Object.assign(last, { status: "failed", to: at, error }), Object.assign(job, { status: "failed", error });
    if (kind === "job_skipped") Object.assign(job, { status: "skipped", reason });
    if (kind === "job_cancelled") Object.assign(last, { status: "cancelled", to: at }), (job.status = "cancelled");
    const end = { run_completed: "completed", run_failed: "failed", run_cancelled: "cancelled" }[kind];
    if (end) Object.assign(this, { status: end, endedAt: at, error: reason ?? null, result: output ?? null });
  }

  job(name) {
    if (!this.jobs.has(name)) this.jobs.set(name, { name, status: "pending", attempts: [], output: null, error: null });
    return this.jobs.get(name);
  }

  print(job, attempt, text, stream = "stdout") {
    const from = this.logEnd;
    this.logEnd += Buffer.byteLength(text);
    const record = { job, attempt, stream, text, from, end: this.logEnd };
    this.logs.push(record);
    this.emit("log", record);
  }

  ready() {
    return [...this.jobs.values()].filter((job) => job.status === "pending" && (this.before.get(job.name) ?? []).every((name) => this.jobs.get(name).status === "completed"));
  }

  start(name, at = Date.now()) {
    const job = this.job(name);
    this.emitEvent("job_started", { job: name, attempt: job.attempts.length + 1 }, at);
    this.print(name, job.attempts.length, `\u001b[32mstarting\u001b[0m ${name}\n`);
  }

  complete(name, at = Date.now()) {
    const attempt = this.job(name).attempts.length;
    this.print(name, attempt, `read 1024 rows\nwrote 1020 rows, 4 were empty\n`);
    this.emitEvent("job_completed", { job: name, attempt, output: { rows: 1020, table: name, ok: true, parts: [1, 2, 3] }, annotations: { exit_code: 0 } }, at);
  }

  fail(name, at = Date.now(), final = true) {
    const attempt = this.job(name).attempts.length;
    const error = { kind: "retryable", message: `the command exited with code 1; the end of its stderr:\nTraceback (most recent call last):\n  File "${name}.py", line 12, in <module>\nConnectionError: warehouse:5432 refused the connection`, error_type: "workflow_core::command::CommandError" };
    this.print(name, attempt, `Traceback (most recent call last):\n  File "${name}.py", line 12, in <module>\nConnectionError: warehouse:5432 refused the connection\n`, "stderr");
    this.emitEvent(final ? "job_failed" : "attempt_failed", { job: name, attempt, error, ...(final ? {} : { retry_in: 1 }) }, at);
    if (final) this.failure = error;
  }

  finish(at = Date.now()) {
    const failed = [...this.jobs.values()].find((job) => job.status === "failed");
    for (const job of this.jobs.values()) if (job.status === "pending") this.emitEvent("job_skipped", { job: job.name, reason: `\`${failed?.name}\` failed` }, at);
    if (failed) this.emitEvent("run_failed", { reason: `job \`${failed.name}\` failed: ${failed.error.message}` }, at);
    else this.emitEvent("run_completed", { output: { rows: 1020, published: true } }, at);
    this.emit("end");
  }

  cancel() {
    if (this.over) return;
    this.emitEvent("cancel_requested");
    clearInterval(this.timer);
    for (const job of this.jobs.values()) if (job.status === "running") this.emitEvent("job_cancelled", { job: job.name, attempt: job.attempts.length });
    this.emitEvent("run_cancelled");
    this.emit("end");
  }
}

/** Makes a finished run. */
export function pastRun(workflow, at, trouble = workflow.trouble) {
  const run = new Run(workflow, { at, trigger: random() < 0.5 ? "schedule" : "manual", user: workflow.user });
  run.emitEvent("run_started", {}, at);
  let now = at;
  const failing = random() < trouble;
  for (let ready = run.ready(); ready.length > 0; ready = run.ready()) {
    const ends = [];
    for (const job of ready) {
      run.start(job.name, now);
      const took = 400 + random() * 9000;
      const bad = failing && ends.length === 0 && random() < 0.5;
      if (bad) {
        run.fail(job.name, now + took / 2, false);
        run.start(job.name, now + took / 2 + 500);
        run.fail(job.name, now + took);
      } else run.complete(job.name, now + took);
      ends.push(now + took);
    }
    now = Math.max(...ends);
  }
  run.finish(now);
  return run;
}

/** Advances a run by a timer: `each` jobs end at each tick. */
export function play(run, { tick = 400, each = 2, trouble = 0 } = {}) {
  run.emitEvent("run_started");
  run.timer = setInterval(() => {
    const busy = [...run.jobs.values()].filter((job) => job.status === "running");
    for (const job of busy.slice(0, each)) {
      if (job.name.startsWith("wait_for")) {
        if (!run.awaiting) {
          run.awaiting = [job.name, "signature", Date.now()];
          run.emitEvent("signal_awaited", { job: job.name, attempt: 1, signal: "signature" });
        }
        continue;
      }
      if (random() < trouble && job.attempts.length < 2) {
        run.fail(job.name, Date.now(), false);
        run.start(job.name);
      } else run.complete(job.name);
    }
    const ready = run.ready();
    for (const job of ready.slice(0, each * 2)) run.start(job.name);
    const still = [...run.jobs.values()].some((job) => job.status === "running");
    if (ready.length === 0 && !still) {
      clearInterval(run.timer);
      run.finish();
    }
  }, tick);
  return run;
}
