// JSON with exact numbers: keeps the text of numbers that a JavaScript number cannot represent, such as integers above
// 2^53 and 1e400. Pure.

import type { Json } from "./types.ts";

/** A number that JavaScript cannot represent, as its JSON text. */
export class ExactNumber {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
  /** `JSON.stringify` would write an object: use `writeJson`. */
  toJSON(): never {
    throw new TypeError(`use writeJson to write the number ${this.text}`);
  }
}

const TOKEN = /"(?:[^"\\]+|\\.)*"|-?\d[\d.eE+-]*/g;
/** Whether a text may have such a number: avoids a second parse for most texts. */
const LIKELY = /(?:^|[:,[\s])-?\d(?:[\d.]{15}|[\d.]*[eE])/;

/** Parses JSON with exact numbers; throws the errors of `JSON.parse`. */
export function parseExact(text: string): Json {
  const value = JSON.parse(text) as Json;
  return LIKELY.test(text) ? withExact(text, value, isExact) : value;
}

/** Parses typed JSON and keeps every number as written: `2.0` is not `2`. */
export function parseTyped(text: string): Json {
  return withExact(text, JSON.parse(text) as Json, (written) => String(Number(written)) === written);
}

/** Replaces the numbers for which `has` is false by `ExactNumber`. */
function withExact(text: string, value: Json, has: (written: string) => boolean): Json {
  // Mark such numbers as strings with a unique prefix, then turn the marked strings into numbers.
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

/** Parses a typed number; null if the text is not a number. */
export function exactNumber(text: string): number | ExactNumber | null {
  // Also accept `+1`, `.5`, `5.` and `007`.
  const parts = /^([+-]?)0*(\d*)(?:\.(\d*))?([eE][+-]?\d+)?$/.exec(text.trim());
  if (!parts || !/^[+-]?\.?\d/.test(text.trim())) return null;
  const [, sign, whole, fraction, exponent = ""] = parts;
  const written = `${sign === "-" ? "-" : ""}${whole || "0"}${fraction ? `.${fraction}` : ""}${exponent}`;
  return isExact(written) ? Number(written) : new ExactNumber(written);
}

/** Whether a number is an integer. */
export function isWhole(value: number | ExactNumber): boolean {
  return typeof value === "number" ? Number.isInteger(value) : !/\.\d*[1-9]|[eE]-/.test(value.text);
}

/** Whether a JavaScript number keeps the value of the text in both directions. */
function isExact(written: string): boolean {
  const value = Number(written);
  if (!Number.isFinite(value)) return false;
  if (value === 0) return !/^[^eE]*[1-9]/.test(written);
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return true;
  // Beyond, JavaScript may write an integer as a float or the reverse: 1e20 as 100000000000000000000.
  return String(value) === written || (/[eE]/.test(written) && String(value).includes("e"));
}

/** Writes JSON, on several lines if an indent is given. */
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
