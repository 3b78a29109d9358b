// JSON whose numbers keep what is written, where a number of JavaScript would be another one: integers above 2^53,
// and numbers such as 1e400. Pure.

import type { Json } from "./types.ts";

/** A number that JavaScript has none for, as JSON writes it. */
export class ExactNumber {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
  /** `JSON.stringify` would write it as an object: `writeJson` is to be used. */
  toJSON(): never {
    throw new TypeError(`the number ${this.text} is written by writeJson alone`);
  }
}

const TOKEN = /"(?:[^"\\]+|\\.)*"|-?\d[\d.eE+-]*/g;
/** Where there may be such a number: few texts are looked at twice. */
const LIKELY = /(?:^|[:,[\s])-?\d(?:[\d.]{15}|[\d.]*[eE])/;

/** Reads JSON. What is wrong with it is said as `JSON.parse` says it. */
export function parseExact(text: string): Json {
  const value = JSON.parse(text) as Json;
  return LIKELY.test(text) ? keep(text, value, isExact) : value;
}

/** Reads JSON that somebody has typed, whose numbers are sent as they were typed: `2.0` is not `2`. */
export function parseTyped(text: string): Json {
  return keep(text, JSON.parse(text) as Json, (written) => String(Number(written)) === written);
}

/** The value of a text, with numbers as they are written but for those that JavaScript has. */
function keep(text: string, value: Json, has: (written: string) => boolean): Json {
  // Such numbers become strings with a mark that no string has, and those become numbers again.
  let mark = "";
  do mark = `number ${Math.random()} `;
  while (text.includes(mark));
  let found = false;
  const marked = text.replace(TOKEN, (token) => {
    if (token.startsWith('"') || has(token)) return token;
    found = true;
    return JSON.stringify(mark + token);
  });
  if (!found) return value;
  const revive = (_: string, entry: unknown) =>
    typeof entry === "string" && entry.startsWith(mark) ? new ExactNumber(entry.slice(mark.length)) : entry;
  return JSON.parse(marked, revive) as Json;
}

/** The number that a text writes; null for a text that is none. */
export function exactNumber(text: string): number | ExactNumber | null {
  // People also write `+1`, `.5`, `5.` and `007`.
  const parts = /^([+-]?)0*(\d*)(?:\.(\d*))?([eE][+-]?\d+)?$/.exec(text.trim());
  if (!parts || !/^[+-]?\.?\d/.test(text.trim())) return null;
  const [, sign, whole, fraction, exponent = ""] = parts;
  const written = `${sign === "-" ? "-" : ""}${whole || "0"}${fraction ? `.${fraction}` : ""}${exponent}`;
  return isExact(written) ? Number(written) : new ExactNumber(written);
}

/** Whether a number is whole. */
export function isWhole(value: number | ExactNumber): boolean {
  return typeof value === "number" ? Number.isInteger(value) : !/\.\d*[1-9]|[eE]-/.test(value.text);
}

/** Whether JavaScript has the number that JSON writes, and writes it so that it is read as the same. */
function isExact(written: string): boolean {
  const value = Number(written);
  if (!Number.isFinite(value)) return false;
  if (value === 0) return !/^[^eE]*[1-9]/.test(written);
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return true;
  // From here on an integer is written as a float or the other way round: 1e20 as 100000000000000000000.
  return String(value) === written || (/[eE]/.test(written) && String(value).includes("e"));
}

/** Writes JSON; with an indent, over several lines. */
export function writeJson(value: Json | undefined, indent = 0): string {
  return write(value ?? null, " ".repeat(indent), "");
}

function write(value: Json, step: string, before: string): string {
  if (value instanceof ExactNumber) return value.text;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inside = before + step;
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const colon = step ? ": " : ":";
  const parts = Array.isArray(value)
    ? value.map((entry) => write(entry ?? null, step, inside))
    : Object.entries(value).flatMap(([key, entry]) => (entry === undefined ? [] : [JSON.stringify(key) + colon + write(entry, step, inside)]));
  if (parts.length === 0) return open + close;
  if (!step) return open + parts.join(",") + close;
  return `${open}\n${inside}${parts.join(`,\n${inside}`)}\n${before}${close}`;
}
