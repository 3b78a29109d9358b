import assert from "node:assert/strict";
import { test } from "node:test";
import { assetItem, assets } from "../mock/assets.mjs";
import { load } from "./load.mjs";

const { blocksOf, nodeOf, partitionState, runInput, stateOf, summaryOf } = await load("live/assets.ts");
const { triggersOf } = await load("live/triggers.ts");

const named = (name) => assetItem(assets().find((asset) => asset.name === name));
const of = (more) => ({ partition: "2026-01-01", standing: "current", reasons: [], made: null, refused: null, ...more });
const made = (problem, is_blocking = false) => ({ checks: [{ name: "has_rows", is_blocking, problem }] });

test("an asset has the most urgent state that is true of it, with its reason first", () => {
  assert.equal(stateOf(named("raw_orders")).word, "current");
  assert.deepEqual(nodeOf(named("orders")), { detail: "stale: code changed", more: "540 days: 19 stale, 2 missing" });
  assert.deepEqual(nodeOf(named("revenue")), { detail: "overdue: never materialized", more: "17 months: 2 missing" });
  assert.deepEqual(nodeOf(named("clicks")), { detail: "incomplete: never materialized", more: "4,000 hours: 42 missing" });
  assert.deepEqual(nodeOf(named("board_report")), { detail: "never materialized", more: "one value" });
  assert.match(stateOf(named("orders")).why, /^code changed .* \(19 partitions\); never materialized \(2 partitions\)$/);
  assert.deepEqual(nodeOf(named("model.shop.regions")), { detail: "stale: code changed", more: "by warehouse" });
  assert.deepEqual(nodeOf(named("source.shop.files.regions")), { detail: "from outside", more: "not materialized here" });
  const young = { ...named("revenue"), total: 0, current: 0, stale: 0, missing: 0, reasons: [], last: null, is_overdue: false };
  assert.deepEqual(nodeOf(young), { detail: "no partitions yet", more: "0 months: none yet" });
});

test("a partition that runs or that a check refused says so before anything else", () => {
  const none = new Set();
  assert.equal(partitionState("a", of({ standing: "missing" }), new Set(["a[2026-01-01]"])).word, "running");
  assert.equal(partitionState("b", of({ standing: "missing" }), new Set(["a[2026-01-01]"])).word, "missing");
  assert.deepEqual(partitionState("a", of({ standing: "stale", refused: made("0 rows", true) }), none), { status: "failed", word: "failed check", why: "has_rows: 0 rows" });
  assert.deepEqual(partitionState("a", of({ made: made("few rows") }), none), { status: "completed", word: "current, with a warning", why: "has_rows: few rows" });
  assert.equal(partitionState("a", of({ made: made(null) }), none).word, "current");
});

test("days are laid out as calendars, other periods in rows, from left to right", () => {
  const cells = (keys, period) => blocksOf(keys, period).map(({ title, cells }) => `${title}: ${cells.map(({ index, text, column }) => `${index}=${text}@${column}`).join(" ")}`);
  assert.deepEqual(cells(["2026-03-02", "2026-03-01", "2026-02-28"], "daily"), ["2026-03: 1=01@7 0=02@1", "2026-02: 2=28@6"]);
  assert.deepEqual(cells(["2026-01-02T00", "2026-01-01T23"], "hourly"), ["2026-01-02: 0=00@1", "2026-01-01: 1=23@24"]);
  assert.deepEqual(cells(["2026-01", "2025-12"], "monthly"), ["2026: 0=01@1", "2025: 1=12@12"]);
  assert.deepEqual(cells(["2026-01-05", "2025-12-29"], "weekly"), ["2026: 0=01-05@0", "2025: 1=12-29@0"]);
  assert.deepEqual(cells(["us", "eu"], null), [": 0=us@0 1=eu@0"]);
  assert.deepEqual(blocksOf([], null), []);
});

test("a plan is described, and becomes the input of a run", () => {
  const step = (asset, partition, force = false) => ({ asset, partition, reasons: [{ kind: "never_made", text: "never materialized" }], force });
  const plan = { steps: [step("raw", "2026-01-01"), step("total", null, true)], current: 1, made_otherwise: [] };
  assert.equal(summaryOf(plan), "Materializes 2 partitions of 2 assets; skips 1 partition that is current.");
  assert.equal(summaryOf({ steps: [], current: 0, made_otherwise: [] }), "Nothing to materialize.");
  assert.equal(summaryOf({ steps: [], current: 0, made_otherwise: ["model.shop.a"] }), "Nothing to materialize. Skips 1 stale asset of other workflows, such as model.shop.a.");
  assert.deepEqual(runInput(plan), { steps: [{ asset: "raw", partition: "2026-01-01", reasons: ["never materialized"], force: false }, { asset: "total", partition: null, reasons: ["never materialized"], force: true }] });
});

test("triggers of unknown kinds are left out", () => {
  const list = [{ webhook: { name: "push", signature: "github", secret: "SHOP" } }, { after: { workflow: "ingest" } }, { comet: {} }, 7];
  assert.deepEqual(triggersOf({ triggers: list }), [{ kind: "webhook", name: "push", signature: "github" }, { kind: "after", workflow: "ingest", on: "succeeded" }]);
  assert.deepEqual(triggersOf({ triggers: [{ asset: { name: "orders" } }, { file: { path: "inbox/*.csv", settle: "2s" } }] }), [{ kind: "asset", name: "orders" }, { kind: "file", path: "inbox/*.csv" }]);
  assert.deepEqual([triggersOf(null), triggersOf({ triggers: "x" })], [[], []]);
});
