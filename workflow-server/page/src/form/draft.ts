// The state of a form before it is sent, and the value it produces. Pure.

import { ExactNumber, exactNumber, isWhole, parseTyped, writeJson } from "../api/json.ts";
import type { Json, JsonObject } from "../api/types.ts";
import { isObject, type Field } from "./schema.ts";

/** The typed text of each field; null for an omitted field. */
export type Draft = string | boolean | null | Draft[] | { [key: string]: Draft };

export interface Mistake {
  path: string;
  message: string;
  /** A required field is empty. */
  isMissing?: boolean;
}

/** Makes the draft of a value, or of the default in the schema. */
export function draftOf(field: Field, value: Json | undefined = field.initial): Draft {
  switch (field.kind) {
    case "text":
      return typeof value === "string" ? value : "";
    case "number":
      return typeof value === "number" || value instanceof ExactNumber ? String(value) : "";
    case "flag":
      return value === true;
    case "choice": {
      const index = field.options.findIndex((option) => writeJson(option) === writeJson(value));
      return index >= 0 ? String(index) : field.options.length === 1 && !field.nullable ? "0" : "";
    }
    case "object": {
      const given = isObject(value) ? value : {};
      return Object.fromEntries(field.parts.map(({ key, field: part }) => [key, draftOf(part, given[key] ?? part.initial)]));
    }
    case "list": {
      const given = Array.isArray(value) ? value : new Array<undefined>(field.least).fill(undefined);
      return given.map((item) => draftOf(field.item, item));
    }
    case "json":
      return value === undefined ? "" : writeJson(value, 2);
  }
}

/** Returns the value of a draft; `undefined` for an empty field. */
export function valueOf(field: Field, draft: Draft, required: boolean, mistakes: Mistake[], path = ""): Json | undefined {
  const wrong = (message: string): undefined => void mistakes.push({ path, message });
  const missing = (): undefined => void mistakes.push({ path, message: "required", isMissing: true });
  switch (field.kind) {
    case "text": {
      const text = typeof draft === "string" ? draft : "";
      if (text === "" && !(required && field.least === 0 && !field.format && !field.pattern)) {
        return !required ? undefined : field.nullable ? null : missing();
      }
      if (text.length < field.least) return wrong(`must have at least ${field.least} characters`);
      if (field.most !== null && text.length > field.most) return wrong(`must have at most ${field.most} characters`);
      if (field.pattern !== null && !matches(field.pattern, text)) return wrong(`must match ${field.pattern}`);
      return text;
    }
    case "number": {
      const text = typeof draft === "string" ? draft.trim() : "";
      if (text === "") return !required ? undefined : field.nullable ? null : missing();
      const value = exactNumber(text);
      if (value === null) return wrong("must be a number");
      if (field.whole && !isWhole(value)) return wrong("must be an integer");
      if (field.least !== null && Number(value) < field.least) return wrong(`must be ${field.least} or more`);
      if (field.most !== null && Number(value) > field.most) return wrong(`must be ${field.most} or less`);
      return value;
    }
    case "flag":
      return draft === true;
    case "choice":
      if (draft === "" || draft === null) return !required ? undefined : field.nullable ? null : missing();
      return field.options[Number(draft)];
    case "object":
      return objectValue(field, draft, mistakes, path);
    case "list": {
      const items = Array.isArray(draft) ? draft : [];
      if (items.length === 0 && !required) return undefined;
      if (items.length < field.least) return wrong(`must have at least ${field.least} items`);
      if (field.most !== null && items.length > field.most) return wrong(`must have at most ${field.most} items`);
      return items.map((item, index) => valueOf(field.item, item, true, mistakes, `${path}/${index}`) ?? null);
    }
    case "json": {
      const text = typeof draft === "string" ? draft : "";
      if (text.trim() === "") return !required || path === "" ? undefined : field.nullable ? null : missing();
      const parsed = parseJson(text);
      return "problem" in parsed ? wrong(parsed.problem) : parsed.value;
    }
  }
}

function objectValue(field: Field & { kind: "object" }, draft: Draft, mistakes: Mistake[], path: string): Json {
  const given = typeof draft === "object" && draft !== null && !Array.isArray(draft) ? draft : {};
  const value: JsonObject = {};
  for (const { key, required, field: part } of field.parts) {
    const found = valueOf(part, given[key] ?? null, required, mistakes, `${path}/${key}`);
    if (found !== undefined && !(isEmptyObject(part, found) && !required)) value[key] = found;
  }
  return value;
}

/** Whether an optional object is empty, and so omitted. */
function isEmptyObject(field: Field, value: Json): boolean {
  return field.kind === "object" && isObject(value) && Object.keys(value).length === 0;
}

function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true;
  }
}

/** Parses JSON; describes the error and its place otherwise. */
export function parseJson(text: string): { value: Json } | { problem: string } {
  try {
    return { value: parseTyped(text) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const position = /position (\d+)/.exec(message)?.[1];
    if (!position) return { problem: `invalid JSON: ${message}` };
    const before = text.slice(0, Number(position));
    const line = before.split("\n").length;
    const column = Number(position) - before.lastIndexOf("\n");
    return { problem: `invalid JSON: line ${line}, column ${column}: ${message.replace(/ in JSON at position.*$/, "")}` };
  }
}
