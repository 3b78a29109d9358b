// A job of a workflow, with its definition.

import type { Json, WorkflowDetail } from "../api/types.ts";
import { isObject } from "../form/schema.ts";
import type { Graph } from "../graph/model.ts";
import { Tree } from "../ui/tree.tsx";

export function JobDefinition({ workflow, graph, job }: { workflow: WorkflowDetail; graph: Graph; job: string }) {
  const node = graph.index.get(job);
  const names = (pick: (edge: [number, number]) => number | null) => graph.edges.flatMap((edge) => graph.nodes[pick(edge) ?? -1] ?? []);
  const before = names(([from, to]) => (to === node ? from : null));
  const after = names(([from, to]) => (from === node ? to : null));
  const definition = definitionOf(workflow, job);
  return (
    <div class="card" role="region" aria-label={`Job ${job}`}>
      <h2>{job}</h2>
      <dl class="pairs">
        <dt>Depends on</dt><dd>{before.join(", ") || "nothing"}</dd>
        <dt>Required by</dt><dd>{after.join(", ") || "nothing"}</dd>
      </dl>
      {definition !== undefined && <Tree value={definition} label={`definition of ${job}`} depth={2} />}
    </div>
  );
}

function definitionOf(workflow: WorkflowDetail, job: string): Json | undefined {
  const jobs = workflow.definition?.jobs;
  if (Array.isArray(jobs)) return jobs.find((entry) => isObject(entry) && entry.name === job);
  return isObject(jobs) ? jobs[job] : undefined;
}
