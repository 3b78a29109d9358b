// Sample assets with partitions of every kind, in every state.

import { iso, NOW, uuid } from "./data.mjs";

const DAY = 864e5;
const day = (at) => iso(at).slice(0, 10);

/** The keys of periods that have ended, newest first. */
const days = (count) => Array.from({ length: count }, (_, back) => day(NOW - (back + 1) * DAY));
const hours = (count) => Array.from({ length: count }, (_, back) => iso(NOW - (back + 1) * 36e5).slice(0, 13));
const monday = NOW - ((new Date(NOW).getUTCDay() + 6) % 7) * DAY;
const weeks = (count) => Array.from({ length: count }, (_, back) => day(monday - (back + 1) * 7 * DAY));
const months = (count) => Array.from({ length: count }, (_, back) => new Date(Date.UTC(new Date(NOW).getUTCFullYear(), new Date(NOW).getUTCMonth() - 1 - back, 1)).toISOString().slice(0, 7));

const CHANGED = { kind: "code_changed", text: "code changed (7d3f0a12 -> b81c22e9)" };
const NEVER = { kind: "never_made", text: "never materialized" };
const check = (name, is_blocking, problem = null) => ({ name, is_blocking, problem });

let number = 0;
function record(asset, partition, more = {}) {
  number += 1;
  return {
    partition, run: uuid(700_000 + (number % 40)), made_at: iso(NOW - number * 7e4), is_refused: false, code_version: "b81c22e9-0000-5000-8000-000000000001", data_version: uuid(number), file: `${asset}/${partition ?? ""}/value.json`,
    bytes: 1000 + number * 37, rows: 40 + (number % 90), schema: [{ name: "id", type: "integer" }, { name: "customer", type: "string" }, { name: "total", type: "number" }], inputs: [{ asset: "raw_orders", partition, data_version: uuid(1) }],
    checks: [check("has_rows", true), check("is_usual", false)], reasons: ["never materialized"], milliseconds: 40 + number, ...more,
  };
}

function asset(name, partitions, period, keys, inputs, more = {}) {
  const states = keys.map((partition, at) => state(name, partition, more.trouble?.(at) ?? "current"));
  const records = states.flatMap(({ made, refused }) => [refused, made].filter(Boolean)).slice(0, 500);
  const { trouble, ...rest } = more;
  return { name, description: null, location: "src/assets.rs:12:1", made_by: ["assets"], partitions, period, freshness: null, is_overdue: false, code_version: "b81c22e9-0000-5000-8000-000000000001", inputs, readers: [], checks: [], ...rest, states, records };
}

function state(name, partition, trouble) {
  const made = record(name, partition);
  if (trouble === "missing") return { partition, standing: "missing", reasons: [NEVER], made: null, refused: null };
  if (trouble === "stale") return { partition, standing: "stale", reasons: [CHANGED], made, refused: null };
  if (trouble === "warning") return { partition, standing: "current", reasons: [], made: { ...made, checks: [check("has_rows", true), check("is_usual", false, "12 % fewer rows than usual")] }, refused: null };
  if (trouble !== "refused") return { partition, standing: "current", reasons: [], made, refused: null };
  const refused = { ...made, is_refused: true, file: null, checks: [check("has_rows", true, "0 rows"), check("is_usual", false)] };
  return { partition, standing: "missing", reasons: [NEVER], made: null, refused };
}

export function assets() {
  const checks = [{ name: "has_rows", is_blocking: true }, { name: "is_usual", is_blocking: false }];
  const all = [
    asset("raw_orders", "daily from 2024-06-01, Europe/Vienna", "daily", days(540), [], { description: "Orders of a day, as the shop exports them." }),
    asset("clicks", "hourly from 2026-01-01T00", "hourly", hours(4000), [], { trouble: (at) => (at % 97 === 5 ? "missing" : "current") }),
    asset("orders", "daily from 2024-06-01, Europe/Vienna", "daily", days(540), ["raw_orders"], {
      description: "The orders that count.", checks, trouble: (at) => ({ 0: "missing", 3: "refused", 9: "warning" })[at] ?? (at > 40 && at < 60 ? "stale" : "current"),
    }),
    asset("attribution_of_orders_to_campaigns", "weekly from 2025-01-06", "weekly", weeks(80), ["clicks", "orders"]),
    asset("revenue", "monthly from 2024-06", "monthly", months(17), ["orders"], { freshness: 7200, is_overdue: true, trouble: (at) => (at < 2 ? "missing" : "current") }),
    asset("prices", "eu, us, asia, a_region_with_a_long_name", null, ["eu", "us", "asia", "a_region_with_a_long_name"], [], { trouble: (at) => (at === 1 ? "stale" : "current") }),
    asset("forecast", null, null, [null], ["prices", "revenue"], { freshness: 86400, checks }),
    asset("source.shop.files.regions", null, null, [], [], { made_by: [], code_version: "", location: "models/sources.yml", records: [] }),
    asset("model.shop.regions", null, null, [null], ["orders", "source.shop.files.regions"], { made_by: ["warehouse"], location: "models/regions.sql", checks: [{ name: "unique_regions_name", is_blocking: true }], trouble: () => "stale" }),
    asset("board_report", null, null, [null], ["forecast", "attribution_of_orders_to_campaigns"], { trouble: () => "missing" }),
  ];
  for (const one of all) one.readers = all.filter(({ inputs }) => inputs.includes(one.name)).map(({ name }) => name);
  return all;
}

export function assetItem({ states, records, ...item }) {
  const count = (standing) => states.filter((state) => state.standing === standing).length;
  const kinds = new Map();
  for (const { reasons } of states) for (const { kind, text } of reasons) kinds.set(kind, { kind, text, partitions: (kinds.get(kind)?.partitions ?? 0) + 1 });
  const made = records.filter(({ is_refused }) => !is_refused);
  return { ...item, total: states.length, current: count("current"), stale: count("stale"), missing: count("missing"), reasons: [...kinds.values()], last: made[0] ?? null };
}

export function planOf(assets, { asset: name, partitions, from, to, force }) {
  const wanted = assets.filter((one) => (!name || one.name === name) && one.made_by[0] === "assets");
  const made_otherwise = assets.filter((one) => !name && one.made_by.length > 0 && one.made_by[0] !== "assets").map((one) => one.name);
  const inRange = (key) => (!from || key >= from) && (!to || key <= to);
  const chosen = wanted.flatMap((one) => {
    const within = partitions === "all" || from || to ? one.states.filter(({ partition }) => inRange(partition ?? "")) : one.period ? one.states.slice(0, 1) : one.states;
    return within.map((state) => ({ ...state, asset: one.name }));
  });
  const steps = chosen.flatMap(({ asset, partition, standing, reasons }) => {
    if (standing === "current" && !force) return [];
    return [{ asset, partition, reasons: standing === "current" ? [{ kind: "forced", text: "forced" }] : reasons, force: standing === "current" }];
  });
  return { steps, current: chosen.length - steps.length, made_otherwise };
}
