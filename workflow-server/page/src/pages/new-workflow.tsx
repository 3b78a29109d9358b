// The dialog that creates a workflow from a file: pasted, dropped or chosen.

import { useRef, useState } from "preact/hooks";
import { call } from "../api/client.ts";
import { Problem } from "../api/problem.ts";
import type { WorkflowDetail } from "../api/types.ts";
import { go } from "../route.ts";
import { Dialog } from "../ui/dialog.tsx";
import { TextEditor, type EditorHandle } from "../ui/editor.tsx";
import { notify } from "../ui/notice.tsx";
import { ProblemBox } from "../ui/problem.tsx";

const EXAMPLE = `name: "hello"
project: "examples"
jobs:
  - name: "greet"
    command: "echo hello"
  - name: "part"
    command: "echo goodbye"
    depends_on: ["greet"]
`;

export function NewWorkflow({ close }: { close: () => void }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const editor = useRef<EditorHandle | null>(null);
  const isUnsaved = text.trim() !== "" && text !== EXAMPLE;
  const create = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const made = await call<WorkflowDetail>("POST", "workflows", { text: { type: "application/yaml", body: text } });
      notify(`Created workflow ${made.name}`);
      close();
      go(["workflows", String(made.id)]);
    } catch (error) {
      setProblem(Problem.of(error));
      setBusy(false);
    }
  };
  const take = async (file: File | undefined) => {
    if (file) setText(await file.text());
  };
  return (
    <Dialog title="New workflow" close={close} unsaved={isUnsaved} wide>
      <form onSubmit={(event) => void create(event)}
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => (event.preventDefault(), void take(event.dataTransfer?.files[0]))}>
        <p class="muted">Paste a workflow file (YAML), or drop one here.</p>
        <TextEditor handle={editor} label="Workflow file" value={text} change={setText} rows={16} />
        <ProblemBox problem={problem} goTo={(line, column) => editor.current?.goTo(line, column)} />
        <div class="actions">
          <button type="submit" class="primary" disabled={busy || text.trim() === ""}>Create</button>
          <label class="button">
            Choose file
            <input class="visually-hidden" type="file" accept=".yaml,.yml,.json,text/yaml" onChange={(event) => void take(event.currentTarget.files?.[0])} />
          </label>
          <button type="button" onClick={() => setText(EXAMPLE)}>Insert example</button>
        </div>
      </form>
    </Dialog>
  );
}
