// The configuration of a workflow: its definition without the jobs, its input schema, and configurations with its name.

import { get } from "../api/client.ts";
import { useLoad } from "../api/load.ts";
import type { Json, JsonObject, WorkflowDetail } from "../api/types.ts";
import { isObject } from "../form/schema.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { Tree } from "../ui/tree.tsx";

export function WorkflowConfig({ workflow }: { workflow: WorkflowDetail }) {
  const names = useLoad((signal) => get<Json>("configs", {}, signal), []);
  const own = namesOf(names.data).filter((name) => name === workflow.name || name === workflow.slug || name === workflow.domain);
  const { jobs: _, ...rest } = workflow.definition ?? {};
  return (
    <section class="stack" aria-label="Config">
      {Object.keys(rest).length > 0 && (
        <div class="card">
          <h2>Definition</h2>
          <Tree value={rest as JsonObject} label="definition without its jobs" depth={2} />
        </div>
      )}
      <div class="card">
        <h2>Input</h2>
        {workflow.input_type && <p>Type: <code>{workflow.input_type}</code></p>}
        {workflow.input_schema ? <Tree value={workflow.input_schema} label="input schema" depth={2} /> : <p class="muted">No input schema.</p>}
      </div>
      {own.map((name) => <Named key={name} name={name} />)}
    </section>
  );
}

function Named({ name }: { name: string }) {
  const config = useLoad((signal) => get<Json>(`configs/${encodeURIComponent(name)}`, {}, signal), [name]);
  return (
    <div class="card">
      <h2>Configuration {name}</h2>
      <ProblemBox problem={config.problem} retry={config.reload} />
      {config.data !== null ? <Tree value={config.data} label={`configuration ${name}`} depth={3} /> : config.loading && <Loading what="the configuration" />}
    </div>
  );
}

function namesOf(answer: Json): string[] {
  const items = Array.isArray(answer) ? answer : isObject(answer) && Array.isArray(answer.items) ? answer.items : [];
  return items.flatMap((item) => {
    const name = isObject(item) ? item.name : item;
    return typeof name === "string" ? [name] : [];
  });
}
