// Turns a JSON Schema into form fields. Pure. A schema without a matching field becomes a JSON text field.

import { ExactNumber } from "../api/json.ts";
import type { Json, JsonObject } from "../api/types.ts";

interface Common {
  label: string;
  description: string | null;
  initial: Json | undefined;
  nullable: boolean;
}

export type Field = Common &
  (
    | { kind: "text"; format: string | null; pattern: string | null; least: number; most: number | null }
    | { kind: "number"; whole: boolean; least: number | null; most: number | null }
    | { kind: "flag" }
    | { kind: "choice"; options: Json[] }
    | { kind: "object"; parts: Part[]; open: boolean }
    | { kind: "list"; item: Field; least: number; most: number | null }
    | { kind: "json" }
  );

export interface Part {
  key: string;
  required: boolean;
  field: Field;
}

type Schema = JsonObject;

/** The deepest nesting with fields of its own; deeper and recursive schemas become JSON text fields. */
const DEEPEST = 6;

export function fieldOf(schema: Json | undefined, label = "Input"): Field {
  return read(schema, { label, root: isObject(schema) ? schema : {}, depth: 0 });
}

interface Context {
  label: string;
  root: Schema;
  depth: number;
}

function read(given: Json | undefined, context: Context): Field {
  const base: Common = { label: context.label, description: null, initial: undefined, nullable: false };
  if (!isObject(given) || context.depth > DEEPEST) return { ...base, kind: "json" };
  const { schema, nullable } = plainSchema(resolve(given, context.root), context.root);
  base.label = text(given.title) ?? text(schema.title) ?? context.label;
  base.description = text(given.description) ?? text(schema.description);
  base.initial = given.default ?? schema.default;
  base.nullable = nullable;
  if ("const" in schema) return { ...base, kind: "choice", options: [schema.const!] };
  if (Array.isArray(schema.enum)) return { ...base, kind: "choice", options: schema.enum.filter((option) => !(nullable && option === null)) };
  const constants = constantsOf(schema);
  if (constants) return { ...base, kind: "choice", options: constants };
  return typed(schema, base, context);
}

function typed(schema: Schema, base: Common, context: Context): Field {
  switch (schema.type ?? (isObject(schema.properties) ? "object" : null)) {
    case "string":
      return { ...base, kind: "text", format: text(schema.format), pattern: text(schema.pattern), least: number(schema.minLength) ?? 0, most: number(schema.maxLength) };
    case "number":
    case "integer":
      return { ...base, kind: "number", whole: schema.type === "integer", least: number(schema.minimum), most: number(schema.maximum) };
    case "boolean":
      return { ...base, kind: "flag" };
    case "object":
      return objectField(schema, base, context);
    case "array": {
      if (!isObject(schema.items)) return { ...base, kind: "json" };
      const item = read(schema.items, { ...context, label: "Item", depth: context.depth + 1 });
      return { ...base, kind: "list", item, least: number(schema.minItems) ?? 0, most: number(schema.maxItems) };
    }
    default:
      return { ...base, kind: "json" };
  }
}

function objectField(schema: Schema, base: Common, context: Context): Field {
  if (!isObject(schema.properties) || schema.allOf || schema.oneOf || schema.anyOf) return { ...base, kind: "json" };
  const required = Array.isArray(schema.required) ? schema.required : [];
  const parts = Object.entries(schema.properties).map(([key, part]) => ({
    key,
    required: required.includes(key),
    field: read(part, { ...context, label: key, depth: context.depth + 1 }),
  }));
  const open = schema.additionalProperties !== false;
  return { ...base, kind: "object", parts, open };
}

/** Resolves `$ref`, and merges the keys beside the reference. */
function resolve(schema: Schema, root: Schema): Schema {
  let found = schema;
  for (let step = 0; step < 10 && typeof found.$ref === "string"; step++) {
    const { $ref, ...beside } = found;
    let target: Json | undefined = root;
    if (!$ref?.toString().startsWith("#")) return {};
    for (const part of $ref.toString().slice(1).split("/").filter(Boolean)) {
      const key = decodeURIComponent(part).replace(/~1/g, "/").replace(/~0/g, "~");
      target = isObject(target) ? target[key] : undefined;
    }
    if (!isObject(target)) return {};
    found = { ...target, ...beside };
  }
  return found;
}

/** Removes a null alternative, and unwraps an `allOf` with a single schema. */
function plainSchema(schema: Schema, root: Schema): { schema: Schema; nullable: boolean } {
  if (Array.isArray(schema.type) && schema.type.includes("null")) {
    const types = schema.type.filter((type) => type !== "null");
    return { schema: { ...schema, type: types.length === 1 ? types[0]! : types }, nullable: true };
  }
  for (const way of ["anyOf", "oneOf"] as const) {
    const options = schema[way];
    if (!Array.isArray(options) || options.length !== 2) continue;
    const others = options.filter((option) => !(isObject(option) && option.type === "null"));
    if (others.length !== 1 || !isObject(others[0])) continue;
    const { [way]: _, ...rest } = schema;
    return { schema: { ...resolve(others[0], root), ...rest }, nullable: true };
  }
  if (Array.isArray(schema.allOf) && schema.allOf.length === 1 && isObject(schema.allOf[0])) {
    const { allOf, ...rest } = schema;
    return { schema: { ...resolve(schema.allOf[0], root), ...rest }, nullable: false };
  }
  return { schema, nullable: false };
}

/** The values of an enum written as `oneOf` constants, as schemars does for documented variants. */
function constantsOf(schema: Schema): Json[] | null {
  const options = schema.oneOf ?? schema.anyOf;
  if (!Array.isArray(options) || options.length === 0) return null;
  const values = options.flatMap((option): Json[] => {
    if (!isObject(option)) return [];
    if ("const" in option) return [option.const!];
    return Array.isArray(option.enum) ? option.enum : [];
  });
  return values.length >= options.length ? values : null;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

function text(value: Json | undefined): string | null {
  return typeof value === "string" ? value : null;
}

function number(value: Json | undefined): number | null {
  if (value instanceof ExactNumber) return Number(value.text);
  return typeof value === "number" ? value : null;
}
