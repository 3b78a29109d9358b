// The form of a run: its input as fields generated from the schema or as JSON text, and options.

import { useMemo, useRef, useState } from "preact/hooks";
import { Problem } from "../api/problem.ts";
import { writeJson } from "../api/json.ts";
import type { Json, JsonObject } from "../api/types.ts";
import { ProblemBox } from "../ui/problem.tsx";
import { draftOf, parseJson, valueOf, type Draft, type Mistake } from "./draft.ts";
import { FieldView } from "./field.tsx";
import { fieldOf, type Field } from "./schema.ts";

interface Props {
  schema: Json | undefined;
  type: string | null;
  action: string;
  /** Optional fields besides the input, folded away under their label. */
  options: Field;
  /** Sends the input, and the options that were given. The form shows the problem it throws. */
  run: (input: Json | undefined, options: JsonObject) => Promise<void>;
}

export function InputForm({ schema, type, action, options, run }: Props) {
  const field = useMemo(() => fieldOf(schema), [schema]);
  const [asText, setAsText] = useState(field.kind === "json");
  const [draft, setDraft] = useState<Draft>(() => draftOf(field));
  const [text, setText] = useState("");
  const [mistakes, setMistakes] = useState<Mistake[]>([]);
  const [chosen, setChosen] = useState<Draft>(() => draftOf(options));
  const [wrongOptions, setWrongOptions] = useState<Mistake[]>([]);
  const more = useRef<HTMLDetailsElement>(null);
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
    const wrong: Mistake[] = [];
    const given = valueOf(options, chosen, true, wrong) as JsonObject;
    setMistakes(found);
    setWrongOptions(wrong);
    setProblem(null);
    if (wrong.length > 0 && more.current) more.current.open = true;
    if (found.length + wrong.length > 0) return;
    setBusy(true);
    await run(value, given).catch((error: unknown) => setProblem(Problem.of(error)));
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
      <details ref={more} class="options">
        <summary>{options.label}</summary>
        <FieldView field={options} draft={chosen} change={setChosen} path="" required mistakes={wrongOptions} />
      </details>
      <ProblemBox problem={problem} />
      <div class="actions">
        <button type="submit" class="primary" disabled={busy}>{action}</button>
        {field.kind !== "json" && <button type="button" onClick={swap}>{asText ? "Edit as form" : "Edit as JSON"}</button>}
      </div>
    </form>
  );
}
