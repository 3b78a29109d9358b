import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { duration, percent, plain, relative, shorten, visible } = await load("ui/format.ts");

test("durations", () => {
  const cases = [[0, "0 s"], [0.0004, "< 1 ms"], [0.25, "250 ms"], [1.24, "1.2 s"], [9.97, "10 s"], [75, "1 m 15 s"], [3600, "1 h 00 m"], [90000, "1 d 01 h"], [null, "–"]];
  for (const [seconds, text] of cases) assert.equal(duration(seconds), text);
});

test("relative times", () => {
  assert.equal(relative(0, 2000), "now");
  assert.equal(relative(0, 120_000), "2 min ago");
  assert.equal(relative(7_200_000, 0), "in 2 h");
});

test("percentages, shortened names and escape codes", () => {
  assert.equal(percent(0.999), "> 99 %");
  assert.equal(percent(0.5), "50 %");
  assert.equal(shorten("extract_everything_3", 12), "extract_…g_3");
  assert.equal(plain("\u001b[1;32mok\u001b[0m \u001b]0;title\u0007x"), "ok x");
});

test("hidden characters are shown", () => {
  assert.equal(visible("a\n\u0000\u001b[31m\u007f"), "a\\n\\u0000\\u001b[31m\\u007f");
  assert.equal(visible("\u202egnp.exe\u200b \u0085"), "\\u202egnp.exe\\u200b \\u0085");
  assert.equal(visible("<b>ä 🚢</b>"), "<b>ä 🚢</b>");
});
