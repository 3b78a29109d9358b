// A JSON value as an expandable tree.

import { useState } from "preact/hooks";
import { ExactNumber, writeJson } from "../api/json.ts";
import type { Json } from "../api/types.ts";
import { plural } from "./format.ts";
import { CopyButton } from "./copy.tsx";

const CHUNK = 100;
const LONG = 300;

export function Tree({ value, label, depth = 1 }: { value: Json | undefined; label: string; depth?: number }) {
  if (value === undefined) return <p class="muted">No value.</p>;
  return (
    <div class="tree" role="group" aria-label={label}>
      <CopyButton text={() => writeJson(value, 2)} label={`Copy ${label}`} />
      <Value value={value} open={depth} />
    </div>
  );
}

function Value({ name, value, open }: { name?: string; value: Json; open: number }) {
  const nested = typeof value === "object" && value !== null && !(value instanceof ExactNumber);
  if (nested && Object.keys(value).length > 0) return <Branch name={name} value={value} open={open} />;
  return (
    <div class="leaf">
      {name !== undefined && <span class="key">{name}: </span>}
      {nested ? <span class="json-null">{Array.isArray(value) ? "[ ]" : "{ }"}</span> : <Leaf value={value} />}
    </div>
  );
}

function Branch({ name, value, open }: { name?: string; value: Json[] | { [key: string]: Json }; open: number }) {
  const [shown, setShown] = useState(open > 0);
  const [most, setMost] = useState(CHUNK);
  const entries = shown ? Object.entries(value) : [];
  const size = Object.keys(value).length;
  return (
    <details open={shown} onToggle={(event) => setShown(event.currentTarget.open)}>
      <summary>
        {name !== undefined && <span class="key">{name}: </span>}
        <span class="muted">{Array.isArray(value) ? `[ ${plural(size, "item")} ]` : `{ ${plural(size, "entry", "entries")} }`}</span>
      </summary>
      <div class="branch">
        {entries.slice(0, most).map(([key, entry]) => <Value key={key} name={key} value={entry} open={open - 1} />)}
        {entries.length > most && (
          <button type="button" class="link" onClick={() => setMost(most + CHUNK * 5)}>
            Show more of {plural(entries.length - most, "entry", "entries")}
          </button>
        )}
      </div>
    </details>
  );
}

function Leaf({ value }: { value: null | boolean | number | ExactNumber | string }) {
  const [whole, setWhole] = useState(false);
  if (value instanceof ExactNumber) return <span class="json-number">{value.text}</span>;
  if (typeof value !== "string") return <span class={`json-${value === null ? "null" : typeof value}`}>{String(value)}</span>;
  const cut = value.length > LONG && !whole;
  return (
    <span class="json-string">
      "{cut ? value.slice(0, LONG) : value}{cut ? "…" : '"'}{" "}
      {value.length > LONG && (
        <button type="button" class="link" onClick={() => setWhole(!whole)}>
          {whole ? "Show less" : `Show all ${value.length.toLocaleString("en")} characters`}
        </button>
      )}
    </span>
  );
}
