import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { fieldOf } = await load("form/schema.ts");
const { draftOf, parseJson, valueOf } = await load("form/draft.ts");

const read = (schema, draft) => {
  const mistakes = [];
  const field = fieldOf(schema);
  return { value: valueOf(field, draft ?? draftOf(field), true, mistakes), mistakes };
};

const schema = {
  type: "object", required: ["day", "rows", "target"],
  properties: {
    day: { type: "string", format: "date" }, rows: { type: "integer", minimum: 1, default: 5 }, mode: { oneOf: [{ const: "full" }, { const: "delta" }], default: "delta" },
    dry: { type: "boolean" }, tags: { type: "array", items: { type: "string" }, default: ["x"] }, target: { $ref: "#/$defs/T" }, note: { type: ["string", "null"] }, limit: { anyOf: [{ $ref: "#/$defs/L" }, { type: "null" }] },
  },
  $defs: { T: { type: "object", required: ["table"], properties: { table: { type: "string", default: "t" } } }, L: { type: "number", maximum: 10 } },
};

test("every kind of field is found", () => {
  const { parts } = fieldOf(schema);
  assert.deepEqual(parts.map(({ key, field }) => [key, field.kind]), [["day", "text"], ["rows", "number"], ["mode", "choice"], ["dry", "flag"], ["tags", "list"], ["target", "object"], ["note", "text"], ["limit", "number"]]);
  assert.ok(parts.at(-1).field.nullable);
});

test("defaults make a value, and what is needed is asked for", () => {
  const { mistakes } = read(schema);
  assert.deepEqual(mistakes, [{ path: "/day", message: "is needed" }]);
  const draft = { ...draftOf(fieldOf(schema)), day: "2026-01-01" };
  assert.deepEqual(read(schema, draft).value, { day: "2026-01-01", rows: 5, mode: "delta", dry: false, tags: ["x"], target: { table: "t" } });
});

test("numbers are checked", () => {
  const wrong = (text) => read({ type: "integer", minimum: 1, maximum: 9 }, text).mistakes[0]?.message;
  assert.equal(wrong("x"), "is no number");
  assert.equal(wrong("1.5"), "is no whole number");
  assert.equal(wrong("0"), "must be 1 or more");
  assert.equal(wrong("10"), "must be 9 or less");
  assert.equal(wrong("9"), undefined);
});

test("a value that a form showed is the value that it gives", () => {
  const value = { day: "2026-02-03", rows: 7, mode: "full", dry: true, tags: ["a", "b"], target: { table: "z" }, note: "n", limit: 2.5 };
  const field = fieldOf(schema);
  assert.deepEqual(valueOf(field, draftOf(field, value), true, []), value);
});

test("what no field can show is a text of JSON", () => {
  const endless = { $ref: "#/$defs/N", $defs: { N: { type: "object", properties: { next: { $ref: "#/$defs/N" } } } } };
  assert.equal(fieldOf(true).kind, "json");
  assert.equal(fieldOf({ anyOf: [{ type: "string" }, { type: "number" }] }).kind, "json");
  assert.equal(fieldOf({ $ref: "http://elsewhere/schema" }).kind, "json");
  assert.equal(fieldOf(endless).kind, "object");
  assert.deepEqual(read({}, '{"a": 1}').value, { a: 1 });
});

test("mistakes in JSON have their place", () => {
  assert.match(parseJson('{\n  "a": x\n}').problem, /line 2, column 8|Unexpected/);
  assert.deepEqual(parseJson("[1]"), { value: [1] });
});
