// The details of a workflow, with a form that edits project, domain, description and metadata.

import { useState } from "preact/hooks";
import { patch, remove } from "../api/client.ts";
import { writeJson } from "../api/json.ts";
import { Problem } from "../api/problem.ts";
import type { JsonObject, WorkflowDetail } from "../api/types.ts";
import { parseJson } from "../form/draft.ts";
import { isObject } from "../form/schema.ts";
import { dropUnsaved, go } from "../route.ts";
import { Confirm } from "../ui/dialog.tsx";
import { plural } from "../ui/format.ts";
import { attempt, notify } from "../ui/notice.tsx";
import { ProblemBox } from "../ui/problem.tsx";
import { TextEditor } from "../ui/editor.tsx";
import { Ago } from "../ui/time.tsx";
import { Tree } from "../ui/tree.tsx";
import { useUnsaved } from "../ui/unsaved.ts";
import { WorkflowTriggers } from "./workflow-triggers.tsx";

interface Props {
  path: string;
  workflow: WorkflowDetail;
  changed: () => void;
}

export function WorkflowDetails(props: Props) {
  return (
    <section class="columns" aria-label="Details">
      {props.workflow.editable ? <EditForm {...props} /> : (
        <div class="card">
          <h2>Metadata</h2>
          <Tree value={props.workflow.metadata ?? {}} label="metadata" depth={2} />
        </div>
      )}
      <div class="stack">
        <About {...props} />
        <WorkflowTriggers workflow={props.workflow} />
      </div>
    </section>
  );
}

function EditForm({ path, workflow, changed }: Props) {
  const [metadata, setMetadata] = useState(() => writeJson(workflow.metadata ?? {}, 2));
  const [problem, setProblem] = useState<Problem | null>(null);
  const parsed = readMetadata(metadata);
  const [typed, setTyped] = useState(false);
  const [saved, setSaved] = useState(metadata);
  useUnsaved(typed || metadata !== saved);
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    if ("problem" in parsed) return;
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (key: string) => String(form.get(key) ?? "").trim() || null;
    setProblem(null);
    try {
      const change = { project: text("project"), domain: text("domain"), description: text("description"), metadata: parsed.value };
      await patch(path, change);
      setTyped(false);
      setSaved(metadata);
      notify("Saved");
      changed();
    } catch (error) {
      setProblem(Problem.of(error));
    }
  };
  return (
    <form class="card" onSubmit={(event) => void save(event)} onInput={(event) => event.target instanceof HTMLInputElement && setTyped(true)}>
      <h2>Edit</h2>
      {(["project", "domain", "description"] as const).map((key) => (
        <div class="field" key={key}>
          <label for={`edit-${key}`}>{key[0]!.toUpperCase() + key.slice(1)}</label>
          <input id={`edit-${key}`} name={key} defaultValue={workflow[key] ?? ""} autocomplete="off" />
        </div>
      ))}
      <div class="field">
        <span class="field-label">Metadata (JSON object)</span>
        <TextEditor label="Metadata" value={metadata} change={setMetadata} rows={10} invalid={"problem" in parsed} />
        {"problem" in parsed && <p class="wrong" role="status">{parsed.problem}</p>}
      </div>
      <ProblemBox problem={problem} />
      <button type="submit" class="primary" disabled={"problem" in parsed}>Save</button>
    </form>
  );
}

function readMetadata(text: string): { value: JsonObject | null } | { problem: string } {
  if (text.trim() === "") return { value: null };
  const parsed = parseJson(text);
  if ("problem" in parsed) return parsed;
  return isObject(parsed.value) ? { value: parsed.value } : { problem: "must be a JSON object" };
}

function About({ path, workflow, changed }: Props) {
  const [asking, setAsking] = useState(false);
  const setActive = async () => {
    await patch(path, { is_active: !workflow.is_active });
    changed();
  };
  const erase = async () => {
    const deleted = await remove<{ deleted_runs?: number } | undefined>(path);
    notify(`Deleted workflow ${workflow.name} and ${plural(deleted?.deleted_runs ?? 0, "run")}`);
    dropUnsaved();
    go(["workflows"]);
  };
  return (
    <div class="card">
      <h2>About</h2>
      <dl class="pairs">
        <dt>ID</dt><dd>{workflow.id}</dd>
        <dt>Slug</dt><dd><code>{workflow.slug}</code></dd>
        <dt>Source</dt><dd>{workflow.source === "registered" ? "registered in code" : "workflow file"}</dd>
        <dt>Version</dt><dd>{workflow.version ?? "–"}</dd>
        <dt>Owner</dt><dd>{workflow.user ?? "–"}</dd>
        <dt>App</dt><dd>{workflow.app_name ?? "–"}</dd>
        <dt>Created</dt><dd><Ago at={workflow.created_at} /></dd>
        <dt>Updated</dt><dd><Ago at={workflow.updated_at} /></dd>
        {(workflow.molecules_used ?? []).length > 0 && <><dt>Molecules</dt><dd>{workflow.molecules_used!.join(", ")}</dd></>}
      </dl>
      {workflow.editable && (
        <div class="actions">
          <button type="button" onClick={() => void attempt(setActive)}>{workflow.is_active ? "Deactivate" : "Activate"}</button>
          <button type="button" class="danger" onClick={() => setAsking(true)}>Delete</button>
        </div>
      )}
      {asking && (
        <Confirm title={`Delete workflow ${workflow.name}?`} text="Also deletes its runs and their logs. This cannot be undone."
          action="Delete" run={() => void attempt(erase)} close={() => setAsking(false)} />
      )}
    </div>
  );
}
