// The input and the output of a run.

import type { RunDetail } from "../api/types.ts";
import { Tree } from "../ui/tree.tsx";

export function RunValues({ run }: { run: RunDetail }) {
  return (
    <div class="columns">
      <section class="card">
        <h2>Input</h2>
        <Tree value={run.input} label="input" depth={2} />
      </section>
      <section class="card">
        <h2>Output</h2>
        {run.result === null && run.status !== "completed" ? <p class="muted">None yet.</p> : <Tree value={run.result} label="output" depth={2} />}
      </section>
    </div>
  );
}
