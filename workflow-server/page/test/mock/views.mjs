// Makes the responses of the API from workflows and runs.

import { iso } from "./data.mjs";

const seconds = (from, to) => (from && to ? (to - from) / 1000 : null);

/** The most significant line of an error. */
const line = (text) => text?.split("\n").at(-1) ?? null;
const wait = (run) => {
  const [job, signal, since] = run.awaiting ?? [];
  return job && !run.over ? { job, signal, until: null, since: iso(since) } : null;
};

function stall(run) {
  const waiting = wait(run);
  const working = [...run.jobs.values()].some((job) => job.status === "running" && job.name !== waiting?.job);
  if (!waiting || working) return null;
  return { state: "waiting", reason: "signal", detail: `job \`${waiting.job}\` waits for signal \`${waiting.signal}\``, cure: `send the run the signal \`${waiting.signal}\``, waiting };
}

export function runItem(run) {
  return {
    id: run.id, number: run.number, workflow_id: run.workflow.id, workflow: run.workflow.name, status: run.status, trigger: run.trigger, idempotency_key: null, parent: null, user: run.user,
    started_at: iso(run.at), begun_at: run.begun ? iso(run.begun) : null, completed_at: run.endedAt ? iso(run.endedAt) : null, duration_seconds: seconds(run.begun, run.endedAt),
    error: run.error, error_line: line(run.error), events: run.events.length, owner: "worker-1", task_queue: run.task_queue, priority: run.priority, stall: stall(run),
  };
}

export function runDetail(run) {
  const jobs = [...run.jobs.values()].map((job) => {
    const [first, last] = [job.attempts[0], job.attempts.at(-1)];
    const ended = !["pending", "running"].includes(job.status);
    return {
      name: job.name, status: job.status, attempts: job.attempts.length, started_at: first ? iso(first.from) : null, attempt_started_at: last ? iso(last.from) : null,
      completed_at: ended && last?.to ? iso(last.to) : null, duration_seconds: ended ? seconds(first?.from, last?.to) : null,
      error: job.error?.message ?? job.reason ?? null, error_line: line(job.error?.message), retry_at: null, started_by: null, is_reused: false,
    };
  });
  return { ...runItem(run), input: run.input, result: run.result ?? {}, jobs, waiting: [wait(run)].filter(Boolean), is_cancelling: false, retry_of: run.retry_of, graph: run.graph, editable: true };
}

/** Why a run makes no progress: a reason for the run, or one for each unfinished job. */
export function why(run, workers) {
  if (run.over) return { items: [{ job: null, reason: "ended", detail: `the run is ${run.status}`, cure: "nothing to do", runs: [] }], next: null };
  if (run.status === "pending") {
    const queue = run.task_queue;
    const served = workers.some((worker) => serves(worker, queue));
    const [reason, detail, cure] = served
      ? ["queued", `the run waits in task queue \`${queue}\`, and a worker will start it`, "nothing to do"]
      : ["no_worker", `the run waits in task queue \`${queue}\`, which no live worker serves`, `start a worker for it: \`workflow worker --task-queue ${queue}\``];
    return { items: [{ job: null, reason, detail, cure, runs: [] }], next: null };
  }
  const [waiting, signal] = run.awaiting ?? [];
  const reasonOf = (job) => {
    if (job.name === waiting) return ["signal", `job \`${job.name}\` waits for signal \`${signal}\``, `send the run the signal \`${signal}\``];
    if (job.status === "running") return ["running", `job \`${job.name}\` is running, attempt ${job.attempts.length} since ${iso(job.attempts.at(-1).from)}`, "wait, or cancel the run"];
    const before = (run.before.get(job.name) ?? []).filter((name) => run.jobs.get(name).status !== "completed");
    if (before.length === 0) return ["job_slot", `job \`${job.name}\` is ready, and waits for a slot`, "wait for other jobs to end, or raise the limit"];
    return ["dependencies", `job \`${job.name}\` waits for jobs ${before.map((name) => `\`${name}\``).join(", ")}`, "see why these jobs have not ended"];
  };
  const open = [...run.jobs.values()].filter((job) => ["pending", "running"].includes(job.status));
  const items = open.map((job) => {
    const [reason, detail, cure] = reasonOf(job);
    return { job: job.name, reason, detail, cure, runs: [] };
  });
  return { items, next: null };
}

const serves = (worker, queue) => worker.state === "alive" && (worker.serves_others || worker.queues.includes(queue));

/** The task queues in which runs wait, by name. */
export function queues(runs, workers) {
  const waiting = runs.filter((run) => run.status === "pending");
  const names = [...new Set(waiting.map((run) => run.task_queue))].sort();
  const items = names.map((queue) => {
    const own = waiting.filter((run) => run.task_queue === queue);
    return { queue, runs: own.length, jobs: 0, oldest: iso(Math.min(...own.map((run) => run.at))), workers: workers.filter((worker) => serves(worker, queue)).length };
  });
  return { items, next: null };
}

const failure = (error) => error && { kind: error.kind, message: error.message, line: line(error.message), error_type: error.error_type };

export function jobDetail(run, name) {
  const job = run.jobs.get(name);
  if (!job) return null;
  const before = run.before.get(name) ?? [];
  return {
    name, status: job.status, output: job.output, reason: job.reason ?? null, waits_for: before.slice(0, 20), values: {},
    inputs: Object.fromEntries(before.slice(0, 20).map((other) => [other, run.jobs.get(other).output])),
    attempts: job.attempts.map((a) => ({ attempt: a.attempt, status: a.status, started_at: iso(a.from), ended_at: a.to ? iso(a.to) : null, duration_seconds: seconds(a.from, a.to), error: failure(a.error), annotations: a.to ? { exit_code: a.error ? 1 : 0 } : {} })),
  };
}

export function gantt(run) {
  return { items: [...run.jobs.values()].flatMap((job) => job.attempts.map((a) => ({ job: job.name, attempt: a.attempt, started_at: iso(a.from), ended_at: a.to ? iso(a.to) : null, status: a.status }))) };
}

export function workflowItem(workflow, runs) {
  const { dag_spec, definition, location, input_schema, input_type, output_schema, runnable, editable, yaml, speed, trouble, ...item } = workflow;
  const own = runs.filter((run) => run.workflow === workflow).sort((a, b) => a.at - b.at);
  const ended = own.filter((run) => run.over);
  const recent = own.slice(-20).map((run) => ({ id: run.id, status: run.status, started_at: iso(run.at), duration_seconds: seconds(run.begun, run.endedAt) }));
  return { ...item, recent, success_rate: ended.length ? ended.filter((run) => run.status === "completed").length / ended.length : null };
}

export function workflowDetail(workflow, runs) {
  const { dag_spec, definition, location, input_schema, input_type, output_schema, runnable, editable } = workflow;
  return { ...workflowItem(workflow, runs), dag_spec, definition, location, input_schema, input_type, output_schema, runnable, editable };
}

export function overview(runs, workflows, now = Date.now()) {
  const recent = runs.filter((run) => run.at > now - 864e5);
  const counts = { pending: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
  for (const run of recent) counts[run.status] += 1;
  const timeline = Array.from({ length: 24 }, (_, hour) => {
    const from = now - (24 - hour) * 36e5;
    const here = recent.filter((run) => run.over && run.endedAt >= from && run.endedAt < from + 36e5);
    const of = (status) => here.filter((run) => run.status === status).length;
    const took = here.map((run) => seconds(run.begun, run.endedAt)).sort((a, b) => a - b);
    return { at: iso(from), completed: of("completed"), failed: of("failed"), cancelled: of("cancelled"), p50_seconds: took[Math.floor(took.length / 2)] ?? null, p95_seconds: took.length < 20 ? null : took[Math.floor(took.length * 0.95)], max_seconds: took.at(-1) ?? null };
  });
  const newest = (list) => list.sort((a, b) => b.at - a.at).slice(0, 20).map(runItem);
  const most = [...workflows].sort((a, b) => b.execution_count - a.execution_count).slice(0, 8);
  return {
    running: newest(recent.filter((run) => run.status === "running")), failures: newest(recent.filter((run) => run.status === "failed")),
    most_executed: most.map((w) => ({ workflow_id: w.id, workflow: w.name, execution_count: w.execution_count })), timeline, counts,
  };
}

export const usage = {
  molecules: [{ name: "data-loader", workflows: 4, executions: 812 }, { name: "data-processor", workflows: 3, executions: 640 }, { name: "mailer", workflows: 1, executions: 12 }],
  atoms: [{ name: "csv-reader", molecule: "data-loader", workflows: 4, executions: 800 }, { name: "clean-data", molecule: "data-processor", workflows: 3, executions: 611 }, { name: "aggregate", molecule: "data-processor", workflows: 2, executions: 300 }],
};

export function stats(workflow) {
  const figures = (k) => ({ completed: 20 * k, failed: k, cancelled: 0, success_rate: 20 / 21, mean_seconds: 3.4 * k, p50_seconds: 3 * k, p95_seconds: 8 * k, max_seconds: 12.5 * k });
  const jobs = (workflow.dag_spec?.nodes ?? []).slice(0, 30).map(({ id }, i) => ({ job: id, ...figures(1 + (i % 3)) }));
  return { items: [{ workflow_id: workflow.id, workflow: workflow.name, requested: 42, runs: figures(2), jobs }] };
}
