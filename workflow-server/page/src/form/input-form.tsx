// The input form of a run: fields generated from the schema, or JSON text.

import { useMemo, useState } from "preact/hooks";
import { Problem } from "../api/problem.ts";
import { writeJson } from "../api/json.ts";
import type { Json } from "../api/types.ts";
import { ProblemBox } from "../ui/problem.tsx";
import { draftOf, parseJson, valueOf, type Draft, type Mistake } from "./draft.ts";
import { FieldView } from "./field.tsx";
import { fieldOf } from "./schema.ts";

interface Props {
  schema: Json | undefined;
  type: string | null;
  action: string;
  /** Sends the value. The form shows the problem it throws. */
  run: (value: Json | undefined) => Promise<void>;
}

export function InputForm({ schema, type, action, run }: Props) {
  const field = useMemo(() => fieldOf(schema), [schema]);
  const [asText, setAsText] = useState(field.kind === "json");
  const [draft, setDraft] = useState<Draft>(() => draftOf(field));
  const [text, setText] = useState("");
  const [mistakes, setMistakes] = useState<Mistake[]>([]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);

  const read = (found: Mistake[]): Json | undefined => {
    if (!asText) return valueOf(field, draft, true, found);
    if (text.trim() === "") return undefined;
    const parsed = parseJson(text);
    if ("problem" in parsed) found.push({ path: "", message: parsed.problem });
    return "problem" in parsed ? undefined : parsed.value;
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    const found: Mistake[] = [];
    const value = read(found);
    setMistakes(found);
    setProblem(null);
    if (found.length > 0) return;
    setBusy(true);
    await run(value).catch((error: unknown) => setProblem(Problem.of(error)));
    setBusy(false);
  };
  const swap = () => {
    const found: Mistake[] = [];
    const value = read(found);
    // Switching would lose invalid text.
    if (found.some((mistake) => asText || !mistake.isMissing)) return setMistakes(found);
    if (asText) setDraft(draftOf(field, value));
    else setText(value === undefined ? "" : writeJson(value, 2));
    setMistakes([]);
    setAsText(!asText);
  };
  return (
    <form class="input-form" onSubmit={(event) => void submit(event)} noValidate>
      {type && <p class="muted">Type: <code>{type}</code></p>}
      {asText ? (
        <div class="field">
          <label for="input-json">Input as JSON <span class="muted">(optional)</span></label>
          <textarea id="input-json" class="code" rows={8} spellcheck={false} value={text} aria-invalid={mistakes.length > 0 ? "true" : undefined}
            onInput={(event) => setText(event.currentTarget.value)} />
          {mistakes.map((mistake) => <p key={mistake.message} class="wrong">{mistake.message}</p>)}
        </div>
      ) : (
        <FieldView field={field} draft={draft} change={setDraft} path="" required mistakes={mistakes} />
      )}
      <ProblemBox problem={problem} />
      <div class="actions">
        <button type="submit" class="primary" disabled={busy}>{action}</button>
        {field.kind !== "json" && <button type="button" onClick={swap}>{asText ? "Edit as form" : "Edit as JSON"}</button>}
      </div>
    </form>
  );
}
