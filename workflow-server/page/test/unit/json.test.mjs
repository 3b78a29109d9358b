import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { ExactNumber, exactNumber, isWhole, parseExact, parseTyped, writeJson } = await load("api/json.ts");

/** Numbers as the server writes them. */
const WRITTEN = ["9007199254740993", "-9007199254740993", "9223372036854775808", "18446744073709551615", "-9223372036854775808", "9007199254740994", "100000000000000000000", "1e400", "-1e400", "1e-400", "1e+20", "1.2345678901234567e19", "99999999999999999999.5"];
/** Numbers that JavaScript can represent. */
const PLAIN = ["0", "-7", "0.1", "1.1", "3.1", "9007199254740991", "1e+300", "5e-324", "1.5e-7"];

test("a number keeps its text at any place", () => {
  for (const number of [...WRITTEN, ...PLAIN]) {
    for (const text of [number, `[${number}]`, `{"a":{"b":[1,${number},"x"]},"c":${number}}`]) assert.equal(writeJson(parseExact(text)), text);
    assert.equal(String(parseExact(number)), number.replace("e+20", "e+20"));
  }
  for (const number of PLAIN) assert.equal(typeof parseExact(`[${number}]`)[0], "number", number);
  assert.ok(parseExact("[9007199254740993]")[0] instanceof ExactNumber);
});

test("typed numbers are sent as typed", () => {
  for (const number of [...WRITTEN, ...PLAIN, "1.10", "3.10", "2.0", "1E5", "-0"]) assert.equal(writeJson(parseTyped(`{"n": ${number}}`)), `{"n":${number}}`);
});

test("strings do not change", () => {
  const text = JSON.stringify({ '9007199254740993": 1': 'a "9007199254740993" \\ [1e400, "', b: "\\", c: ["18446744073709551616"], "é\u2028": "🦀" });
  assert.deepEqual(parseExact(`[${text}, 1e400]`)[0], JSON.parse(text));
  assert.equal(parseExact(`["${"x\\n".repeat(2_000_000)}", 1e400]`)[1].text, "1e400");
});

test("invalid JSON is rejected", () => {
  for (const text of ["", "[1e400", "{a: 9007199254740993}", "01", "9007199254740993 x", "[1.]", "- 1"]) {
    for (const read of [parseExact, parseTyped]) assert.throws(() => read(text), SyntaxError, text);
  }
});

test("JSON is written as by JSON.stringify", () => {
  const value = { a: [1, { b: null, c: true }, [], {}], "d e": "x\n\"", f: undefined, g: { h: [[2]] } };
  assert.equal(writeJson(value), JSON.stringify(value));
  assert.equal(writeJson(value, 2), JSON.stringify(value, null, 2));
  assert.equal(writeJson(undefined), "null");
  assert.throws(() => JSON.stringify({ n: parseExact("1e400") }), TypeError);
});

test("typed numbers are parsed leniently", () => {
  const typed = (text) => String(exactNumber(text));
  for (const [text, number] of [["5", "5"], [" -3 ", "-3"], ["+1", "1"], [".5", "0.5"], ["5.", "5"], ["007", "7"], ["1e3", "1000"], ["0", "0"], ["9007199254740993", "9007199254740993"], ["1e400", "1e400"], ["1.10", "1.1"]]) assert.equal(typed(text), number);
  for (const text of ["", "x", "1 2", "0x10", "1_000", ".", "-", "1e", "Infinity", "NaN", "1.2.3"]) assert.equal(exactNumber(text), null, text);
  for (const text of ["9007199254740993", "2.0", "1e400", "18446744073709551616.0"]) assert.ok(isWhole(exactNumber(text)), text);
  for (const text of ["0.5", "9007199254740993.5", "1e-400"]) assert.ok(!isWhole(exactNumber(text)), text);
});
