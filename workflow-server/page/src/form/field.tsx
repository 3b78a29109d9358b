// One field of a form generated from a JSON Schema.

import { useId } from "preact/hooks";
import { writeJson } from "../api/json.ts";
import type { Draft, Mistake } from "./draft.ts";
import { draftOf } from "./draft.ts";
import type { Field } from "./schema.ts";

interface Props {
  field: Field;
  draft: Draft;
  change: (draft: Draft) => void;
  path: string;
  required: boolean;
  mistakes: Mistake[];
}

export function FieldView(props: Props) {
  const { field } = props;
  if (field.kind === "object") return <ObjectField {...props} />;
  if (field.kind === "list") return <ListField {...props} />;
  return <Single {...props} />;
}

function Single({ field, draft, change, path, required, mistakes }: Props) {
  const id = useId();
  const wrong = mistakes.filter((mistake) => mistake.path === path);
  const described = [field.description && `${id}-about`, wrong.length > 0 && `${id}-wrong`].filter(Boolean).join(" ");
  const common = { id, "aria-describedby": described || undefined, "aria-invalid": wrong.length > 0 ? ("true" as const) : undefined };
  const flag = field.kind === "flag";
  return (
    <div class={`field ${flag ? "flag" : ""}`}>
      {flag && <input {...common} type="checkbox" checked={draft === true} onChange={(event) => change(event.currentTarget.checked)} />}
      <label for={id}>{field.label}{!flag && !required && <span class="muted"> (optional)</span>}</label>
      {!flag && <Control field={field} text={typeof draft === "string" ? draft : ""} change={change} common={common} />}
      {field.description && <p id={`${id}-about`} class="about">{field.description}</p>}
      {wrong.length > 0 && <p id={`${id}-wrong`} class="wrong">{wrong.map((mistake) => mistake.message).join("; ")}</p>}
    </div>
  );
}

const TYPES: Record<string, "date" | "email" | "url" | "password"> = { date: "date", email: "email", uri: "url", url: "url", password: "password" };

interface ControlProps {
  field: Field;
  text: string;
  change: (text: string) => void;
  common: { id: string; "aria-describedby": string | undefined; "aria-invalid": "true" | undefined };
}

function Control({ field, text, change, common }: ControlProps) {
  if (field.kind === "choice") {
    return (
      <select {...common} value={text} onChange={(event) => change(event.currentTarget.value)}>
        <option value="">–</option>
        {field.options.map((option, index) => (
          <option key={index} value={String(index)}>{typeof option === "string" ? option : writeJson(option)}</option>
        ))}
      </select>
    );
  }
  if (field.kind === "json" || (field.kind === "text" && field.format === "textarea")) {
    return (
      <textarea {...common} class="code" rows={5} spellcheck={false} value={text} placeholder={field.kind === "json" ? "JSON" : ""}
        onInput={(event) => change(event.currentTarget.value)} />
    );
  }
  const type = field.kind === "text" ? (TYPES[field.format ?? ""] ?? "text") : "text";
  const mode = field.kind === "number" ? (field.whole ? ("numeric" as const) : ("decimal" as const)) : undefined;
  return <input {...common} {...({ type } as object)} inputMode={mode} autocomplete="off" value={text} onInput={(event) => change(event.currentTarget.value)} />;
}

function ObjectField({ field, draft, change, path, mistakes }: Props) {
  if (field.kind !== "object") return null;
  const given = typeof draft === "object" && draft !== null && !Array.isArray(draft) ? draft : {};
  const parts = field.parts.map(({ key, required, field: part }) => (
    <FieldView key={key} field={part} draft={given[key] ?? draftOf(part)} path={`${path}/${key}`} required={required} mistakes={mistakes}
      change={(next) => change({ ...given, [key]: next })} />
  ));
  if (path === "") return <>{parts}</>;
  return (
    <fieldset>
      <legend>{field.label}</legend>
      {field.description && <p class="about">{field.description}</p>}
      {parts}
    </fieldset>
  );
}

function ListField({ field, draft, change, path, mistakes }: Props) {
  if (field.kind !== "list") return null;
  const items = Array.isArray(draft) ? draft : [];
  const wrong = mistakes.filter((mistake) => mistake.path === path);
  const name = (index: number): Field => ({ ...field.item, label: `${field.label} ${index + 1}` });
  return (
    <fieldset>
      <legend>{field.label}</legend>
      {field.description && <p class="about">{field.description}</p>}
      {items.map((item, index) => (
        <div key={index} class="list-item">
          <FieldView field={name(index)} draft={item} path={`${path}/${index}`} required mistakes={mistakes}
            change={(next) => change(items.map((old, i) => (i === index ? next : old)))} />
          <button type="button" aria-label={`Remove ${field.label} ${index + 1}`} onClick={() => change(items.filter((_, i) => i !== index))}>Remove</button>
        </div>
      ))}
      {wrong.length > 0 && <p class="wrong">{wrong.map((mistake) => mistake.message).join("; ")}</p>}
      <button type="button" onClick={() => change([...items, draftOf(field.item)])}>Add to {field.label}</button>
    </fieldset>
  );
}
