// The state of the mock server: accounts, tokens, workflows, runs, open streams.

import { assets } from "./assets.mjs";
import { NOW, random, workers, workflows } from "./data.mjs";
import { pastRun, play, Run } from "./runs.mjs";

export class World {
  constructor({ open, contract }) {
    this.open = open;
    /** The contract to check responses against, if any. */
    this.contract = contract;
    /** Responses that violate the contract. */
    this.faults = [];
    this.sessions = new Map();
    this.users = [
      { username: "alice", password: "alice", is_staff: true, is_active: true },
      { username: "bob", password: "bob", is_staff: false, is_active: true },
    ];
    this.tokens = [{ id: 1, name: "ci", scope: "run", user: "alice", created_at: new Date(NOW - 864e6).toISOString(), expires_at: new Date(NOW + 864e6).toISOString() }];
    this.workflows = workflows();
    this.workers = workers();
    this.assets = assets();
    this.runs = [];
    this.streams = new Set();
    /** Whether streams are refused. */
    this.down = false;
    for (const workflow of this.workflows.slice(0, 30)) {
      const count = workflow.execution_count === 0 || workflow.id === 2 ? 0 : 8 + Math.floor(random() * 16);
      for (let i = 0; i < count; i++) this.runs.push(pastRun(workflow, NOW - 6e4 - random() * 864e5));
    }
    this.failed = pastRun(this.workflows[0], NOW - 1e5, 1);
    this.large = pastRun(this.workflows[1], NOW - 4e5, 0.004);
    this.runs.push(this.failed, this.large);
    for (const [task_queue, count] of [["default-analytics", 3], ["reports-of-the-night-that-nobody-serves", 12]]) {
      for (let i = 0; i < count; i++) this.queued = this.enqueue(this.workflows[0], { task_queue, priority: 10, at: NOW - 6e4 * (count - i) });
    }
  }

  /** Starts a simulated run. */
  begin(workflow, options = {}, pace = {}) {
    const run = play(new Run(workflow, { ...options, contract: this.contract }), workflow.id === 2 ? { tick: 100, each: 40, trouble: 0.01, ...pace } : { trouble: 0.05, ...pace });
    this.runs.push(run);
    workflow.execution_count += 1;
    workflow.last_executed_at = new Date().toISOString();
    return run;
  }

  /** Queues a run; no worker starts it. */
  enqueue(workflow, options = {}) {
    const run = new Run(workflow, { ...options, contract: this.contract });
    this.runs.push(run);
    return run;
  }

  find(key) {
    return this.workflows.find((w) => String(w.id) === key || w.slug === key || w.name === key);
  }

  run(key) {
    return this.runs.find((run) => run.id === key || String(run.number) === key);
  }

  /** Deletes a run that has open streams. */
  delete(run) {
    clearInterval(run.timer);
    this.runs.splice(this.runs.indexOf(run), 1);
    run.emit("deleted");
  }

  cutStreams() {
    for (const stream of this.streams) stream.destroy();
  }

  stop() {
    for (const run of this.runs) clearInterval(run.timer);
    this.cutStreams();
  }
}
