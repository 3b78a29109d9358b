import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { draftOf, fieldOf, parseExact, parseJson, valueOf, writeJson } = await load("api/json.ts", "form/schema.ts", "form/draft.ts");

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

test("schemas become fields of every kind", () => {
  const { parts } = fieldOf(schema);
  assert.deepEqual(parts.map(({ key, field }) => [key, field.kind]), [["day", "text"], ["rows", "number"], ["mode", "choice"], ["dry", "flag"], ["tags", "list"], ["target", "object"], ["note", "text"], ["limit", "number"]]);
  assert.ok(parts.at(-1).field.nullable);
});

test("defaults make a value, and missing required fields are reported", () => {
  const { mistakes } = read(schema);
  assert.deepEqual(mistakes, [{ path: "/day", message: "required", isMissing: true }]);
  const draft = { ...draftOf(fieldOf(schema)), day: "2026-01-01" };
  assert.deepEqual(read(schema, draft).value, { day: "2026-01-01", rows: 5, mode: "delta", dry: false, tags: ["x"], target: { table: "t" } });
});

test("numbers are validated", () => {
  const wrong = (text) => read({ type: "integer", minimum: 1, maximum: 9 }, text).mistakes[0]?.message;
  assert.equal(wrong("x"), "must be a number");
  assert.equal(wrong("1.5"), "must be an integer");
  assert.equal(wrong("0"), "must be 1 or more");
  assert.equal(wrong("10"), "must be 9 or less");
  assert.equal(wrong("9"), undefined);
});

test("a number keeps its digits from the default to the request", () => {
  const number = (text, more = {}) => {
    const { value, mistakes } = read({ type: "integer", ...more }, text);
    return mistakes[0]?.message ?? writeJson(value);
  };
  for (const text of ["9007199254740993", "18446744073709551615", "-9223372036854775808", "1e400"]) assert.equal(number(text), text);
  assert.equal(number("9007199254740993.5"), "must be an integer");
  assert.equal(number("18446744073709551616", { maximum: 10 }), "must be 10 or less");
  const field = fieldOf(parseExact('{"type": "object", "properties": {"n": {"type": "integer", "default": 9007199254740993}, "c": {"enum": [9007199254740993, 1]}}}'));
  assert.equal(draftOf(field).n, "9007199254740993");
  assert.equal(writeJson(valueOf(field, { n: draftOf(field).n, c: "0" }, true, [])), '{"n":9007199254740993,"c":9007199254740993}');
});

test("a value survives the round trip through the form", () => {
  const value = { day: "2026-02-03", rows: 7, mode: "full", dry: true, tags: ["a", "b"], target: { table: "z" }, note: "n", limit: 2.5 };
  const field = fieldOf(schema);
  assert.deepEqual(valueOf(field, draftOf(field, value), true, []), value);
});

test("a schema without a matching field becomes JSON text", () => {
  const endless = { $ref: "#/$defs/N", $defs: { N: { type: "object", properties: { next: { $ref: "#/$defs/N" } } } } };
  assert.equal(fieldOf(true).kind, "json");
  assert.equal(fieldOf({ anyOf: [{ type: "string" }, { type: "number" }] }).kind, "json");
  assert.equal(fieldOf({ $ref: "http://elsewhere/schema" }).kind, "json");
  assert.equal(fieldOf(endless).kind, "object");
  assert.deepEqual(read({}, '{"a": 1}').value, { a: 1 });
});

test("errors in JSON have a position", () => {
  assert.match(parseJson('{\n  "a": x\n}').problem, /line 2, column 8|Unexpected/);
  assert.deepEqual(parseJson("[1]"), { value: [1] });
});
