// The source of a workflow: an editor for its file, or its place in the code.

import { useRef, useState } from "preact/hooks";
import { get, patch } from "../api/client.ts";
import { useLoad } from "../api/load.ts";
import { Problem } from "../api/problem.ts";
import type { WorkflowDetail } from "../api/types.ts";
import { CopyButton } from "../ui/copy.tsx";
import { TextEditor, type EditorHandle } from "../ui/editor.tsx";
import { notify } from "../ui/notice.tsx";
import { mayLeave } from "../route.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { useUnsaved } from "../ui/unsaved.ts";
import { Tree } from "../ui/tree.tsx";
import { WorkflowVersions } from "./workflow-versions.tsx";

interface Props {
  path: string;
  workflow: WorkflowDetail;
  changed: () => void;
}

export function WorkflowSource({ path, workflow, changed }: Props) {
  const source = useLoad((signal) => get<string>(`${path}/source`, {}, signal), [path, workflow.updated_at]);
  const missing = source.problem?.status === 404;
  return (
    <section class="stack" aria-label="Source">
      {workflow.location && <p>Defined in code: <code>{workflow.location.file}:{workflow.location.line}</code></p>}
      {source.loading && !source.data && <Loading what="the source" />}
      {!missing && <ProblemBox problem={source.problem} retry={source.reload} />}
      {source.data !== null && <Text path={path} text={String(source.data)} editable={workflow.editable} changed={changed} />}
      {source.data !== null && <WorkflowVersions key={workflow.version} path={path} current={Number(workflow.version)} editable={workflow.editable} changed={changed} />}
      {missing && workflow.definition && <Tree value={workflow.definition} label="definition" depth={2} />}
      {missing && !workflow.definition && !workflow.location && <p class="empty">No source is stored for this workflow.</p>}
    </section>
  );
}

function Text({ path, text, editable, changed }: { path: string; text: string; editable: boolean; changed: () => void }) {
  const [draft, setDraft] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const editor = useRef<EditorHandle | null>(null);
  useUnsaved(draft !== null && draft !== text);
  const save = async () => {
    setProblem(null);
    try {
      await patch(path, { yaml: draft });
      notify("Workflow saved");
      setDraft(null);
      changed();
    } catch (error) {
      setProblem(Problem.of(error));
    }
  };
  if (draft === null) {
    return (
      <>
        <div class="actions">
          {editable && <button type="button" onClick={() => setDraft(text)}>Edit</button>}
          <CopyButton text={() => text} label="Copy source" />
        </div>
        <pre class="source" tabIndex={0} aria-label="Source">{text}</pre>
      </>
    );
  }
  return (
    <>
      <TextEditor handle={editor} label="Source" value={draft} change={setDraft} rows={Math.min(40, draft.split("\n").length + 2)} />
      <ProblemBox problem={problem} goTo={(line, column) => editor.current?.goTo(line, column)} />
      <div class="actions">
        <button type="button" class="primary" disabled={draft === text} onClick={() => void save()}>Save</button>
        <button type="button" onClick={() => mayLeave() && setDraft(null)}>Cancel</button>
      </div>
    </>
  );
}
