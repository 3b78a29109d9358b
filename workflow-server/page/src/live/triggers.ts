// The event triggers in the metadata of a workflow. Pure.

import type { Json, JsonObject } from "../api/types.ts";
import { isObject } from "../form/schema.ts";

/** What starts runs of a workflow, beside people and times. */
export type Trigger =
  | { kind: "webhook"; name: string; signature: string }
  | { kind: "after"; workflow: string; on: string };

/** Reads `triggers`, which the server has checked. Leaves out kinds that this page does not know. */
export function triggersOf(metadata: JsonObject | null): Trigger[] {
  const list = metadata?.triggers;
  return Array.isArray(list) ? list.flatMap((entry) => read(entry) ?? []) : [];
}

function read(entry: Json): Trigger | null {
  const { webhook, after } = fields(entry);
  if (webhook !== undefined) {
    const { name, signature } = fields(webhook);
    return { kind: "webhook", name: String(name), signature: String(signature) };
  }
  if (after !== undefined) {
    const { workflow, on } = fields(after);
    return { kind: "after", workflow: String(workflow), on: String(on ?? "succeeded") };
  }
  return null;
}

function fields(value: Json): JsonObject {
  return isObject(value) ? value : {};
}
