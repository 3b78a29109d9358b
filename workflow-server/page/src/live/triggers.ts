// The event triggers in the metadata of a workflow. Pure.

import type { Json, JsonObject } from "../api/types.ts";
import { isObject } from "../form/schema.ts";

/** What starts runs of a workflow, beside people and times. */
export type Trigger =
  | { kind: "webhook"; name: string; signature: string }
  | { kind: "after"; workflow: string; on: string }
  | { kind: "asset"; name: string }
  | { kind: "file"; path: string };

/** Reads `triggers`, which the server has checked. Leaves out kinds that this page does not know. */
export function triggersOf(metadata: JsonObject | null): Trigger[] {
  const list = metadata?.triggers;
  return Array.isArray(list) ? list.flatMap((entry) => read(entry) ?? []) : [];
}

function read(entry: Json): Trigger | null {
  const { webhook, after, asset, file } = fields(entry);
  if (webhook !== undefined) {
    const { name, signature } = fields(webhook);
    return { kind: "webhook", name: String(name), signature: String(signature) };
  }
  if (after !== undefined) {
    const { workflow, on } = fields(after);
    return { kind: "after", workflow: String(workflow), on: String(on ?? "succeeded") };
  }
  if (asset !== undefined) return { kind: "asset", name: String(fields(asset).name) };
  if (file !== undefined) return { kind: "file", path: String(fields(file).path) };
  return null;
}

function fields(value: Json): JsonObject {
  return isObject(value) ? value : {};
}
