// Filters of a list, stored in the address.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { setParams } from "../route.ts";

interface FilterProps {
  label: string;
  name: string;
  value: string | undefined;
}

/** Applies the filter 250 ms after the last key. */
export function TextFilter({ label, name, value = "", suggestions = [], search = false }: FilterProps & { suggestions?: string[]; search?: boolean }) {
  const [text, setText] = useState(value);
  const id = useId();
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (next: string) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setParams({ [name]: next.trim() || null }), 250);
  };
  return (
    <div class={`filter ${search ? "search" : ""}`}>
      <label for={id}>{label}</label>
      <input id={id} type={search ? "search" : "text"} value={text} autocomplete="off" spellcheck={false} onInput={(event) => type(event.currentTarget.value)}
        list={suggestions.length > 0 ? `${id}-list` : undefined} />
      {suggestions.length > 0 && <datalist id={`${id}-list`}>{suggestions.map((entry) => <option key={entry} value={entry} />)}</datalist>}
    </div>
  );
}

export function ChoiceFilter({ label, name, value = "", options, any = "any" }: FilterProps & { options: [string, string][]; any?: string }) {
  const id = useId();
  return (
    <div class="filter">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => setParams({ [name]: event.currentTarget.value || null })}>
        <option value="">{any}</option>
        {options.map(([key, text]) => <option key={key} value={key}>{text}</option>)}
      </select>
    </div>
  );
}

export const STATUSES: [string, string][] = ["pending", "running", "completed", "failed", "cancelled"].map((status) => [status, status]);
