// Starts a run of a workflow, from a form.

import { useState } from "preact/hooks";
import { isStaff, post } from "../api/client.ts";
import type { Json, JsonObject, StartedRun, WorkflowDetail } from "../api/types.ts";
import { InputForm } from "../form/input-form.tsx";
import { fieldOf } from "../form/schema.ts";
import { go, href } from "../route.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Prose } from "../ui/prose.tsx";

const OPTIONS = fieldOf({
  type: "object",
  properties: {
    task_queue: { title: "Task queue", type: "string", minLength: 1, maxLength: 255, description: "The run waits there for a worker. Empty: this server runs it." },
    priority: { title: "Priority", type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1, description: "Higher ones of the same task queue start first. Empty: 0." },
  },
}, "Task queue and priority");

export function RunDialog({ path, workflow, close }: { path: string; workflow: WorkflowDetail; close: () => void }) {
  const [queued, setQueued] = useState<StartedRun | null>(null);
  const run = async (input: Json | undefined, options: JsonObject) => {
    const started = await post<StartedRun>(`${path}/run`, { ...(input === undefined ? {} : { input }), ...options });
    if (started.warning) return setQueued(started);
    close();
    go(["runs", String(started.run_id)]);
  };
  if (queued) return <Warning run={queued} close={close} />;
  return (
    <Dialog title={`Run ${workflow.name}`} close={close}>
      <InputForm schema={workflow.input_schema ?? undefined} type={workflow.input_type} action="Run" options={OPTIONS} run={run} />
    </Dialog>
  );
}

/** The run was queued, but no live worker serves its task queue. */
function Warning({ run, close }: { run: StartedRun; close: () => void }) {
  return (
    <Dialog key="queued" title="Run queued" close={close}>
      <p role="alert" class="stalled unserved"><span><Prose text={run.warning ?? ""} runs={[]} /></span></p>
      <div class="actions end">
        {isStaff() && <a class="button" href="#/workers" onClick={close}>Workers and Queues</a>}
        <a class="button primary" href={href(["runs", run.run_id])} onClick={close}>Show run</a>
      </div>
    </Dialog>
  );
}
