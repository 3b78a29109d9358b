// The states of assets and their partitions in words, and where their cells are. Pure.

import type { AssetItem, AssetPartition, AssetPlan, AssetReasonCount, JobStatus, Json, Materialization, Period } from "../api/types.ts";
import { plural } from "../ui/format.ts";

/** A state with the status whose icon and colour it has. */
export interface State {
  status: JobStatus;
  word: string;
  /** Why it is so; empty if there is nothing to say. */
  why: string;
}

/** The state of an asset: the most urgent of what is true of it. */
export function stateOf(asset: AssetItem): State {
  const why = reasonsOf(asset).map(({ text, partitions }) => (partitions > 1 ? `${text} (${partitions.toLocaleString("en")} partitions)` : text)).join("; ");
  if (asset.made_by.length === 0) return { status: "skipped", word: "from outside", why: "" };
  if (asset.total === 0) return { status: "pending", word: "no partitions yet", why: "no period has ended" };
  if (asset.last === null) return { status: "pending", word: "never materialized", why: "" };
  if (asset.is_overdue) return { status: "failed", word: "overdue", why };
  if (asset.stale > 0) return { status: "cancelled", word: "stale", why };
  if (asset.missing > 0) return { status: "skipped", word: asset.partitions === null ? "missing" : "incomplete", why };
  return { status: "completed", word: "current", why: "" };
}

/** Whether a function makes it, so that a run of the workflow `assets` can. */
export function isMadeByFunction({ made_by }: AssetItem): boolean {
  return made_by.length === 1 && made_by[0] === "assets";
}

/** The reasons; those of values that are there come first. */
function reasonsOf({ reasons }: AssetItem): AssetReasonCount[] {
  return [...reasons.filter(({ kind }) => !MISSING.has(kind)), ...reasons.filter(({ kind }) => MISSING.has(kind))];
}

const MISSING = new Set(["never_made", "value_missing"]);

/** The number of partitions by state, in words; empty for an asset without partitions. */
export function countsOf(asset: AssetItem): string {
  if (asset.partitions === null) return "";
  return countsIn([[asset.current, "current"], [asset.stale, "stale"], [asset.missing, "missing"]]);
}

function countsIn(counts: [number, string][]): string {
  return counts.filter(([count]) => count > 0).map(([count, word]) => `${count.toLocaleString("en")} ${word}`).join(", ");
}

/** What a node of the graph says: the state with its first reason, and the partitions that are not current. */
export function nodeOf(asset: AssetItem): { detail: string; more: string } {
  const { word, why } = stateOf(asset);
  const first = reasonsOf(asset)[0];
  const detail = why && first ? `${word}: ${KINDS[first.kind] ?? first.text}` : word;
  if (!isMadeByFunction(asset)) return { detail, more: asset.made_by.length === 0 ? "not materialized here" : `by ${asset.made_by.join(", ")}` };
  if (asset.partitions === null) return { detail, more: "one value" };
  const unit = asset.period === null ? "key" : UNITS[asset.period];
  return { detail, more: `${plural(asset.total, unit)}: ${countsIn([[asset.stale, "stale"], [asset.missing, "missing"]]) || (asset.total === 0 ? "none yet" : "all current")}` };
}

/** Kinds of reasons, for little room. */
const KINDS: Record<string, string> = {
  never_made: "never materialized", value_missing: "file missing", value_changed: "file changed",
  code_changed: "code changed", input_changed: "input changed", input_added: "new input",
  input_removed: "input removed", input_planned: "input not current",
};

const UNITS: Record<Period, string> = { hourly: "hour", daily: "day", weekly: "week", monthly: "month" };

/** The name of a partition, which is that of its job in a run. */
export function partitionName(asset: string, partition: string | null): string {
  return partition === null ? asset : `${asset}[${partition}]`;
}

/** The state of a partition. `running` are the names of partitions that runs make now. */
export function partitionState(asset: string, of: AssetPartition, running: ReadonlySet<string>): State {
  const why = of.reasons.map(({ text }) => text).join("; ");
  if (running.has(partitionName(asset, of.partition))) return { status: "running", word: "running", why };
  const refusal = of.refused && problemsOf(of.refused)[0];
  if (refusal) return { status: "failed", word: "failed check", why: refusal };
  if (of.standing === "missing") return { status: "pending", word: "missing", why };
  if (of.standing === "stale") return { status: "cancelled", word: "stale", why };
  const warning = of.made && problemsOf(of.made)[0];
  return { status: "completed", word: warning ? "current, with a warning" : "current", why: warning ?? "" };
}

/** The checks of a record that failed, with their messages. */
export function problemsOf(made: Materialization): string[] {
  return made.checks.flatMap(({ name, problem }) => (problem === null ? [] : [`${name}: ${problem}`]));
}

/** Cells of one month, year or day. */
export interface Block {
  title: string;
  columns: number;
  /** The column of the first cell, from 1. */
  cells: { index: number; text: string; column: number }[];
}

/** Lays out partitions, which come newest first: days as calendars, other periods as rows. */
export function blocksOf(keys: readonly string[], period: Period | null): Block[] {
  if (period === null) return keys.length === 0 ? [] : [{ title: "", columns: 0, cells: keys.map((text, index) => ({ index, text, column: 0 })) }];
  const blocks = new Map<string, Block>();
  keys.forEach((key, index) => {
    const { title, text, column } = PLACES[period](key);
    let block = blocks.get(title);
    if (!block) blocks.set(title, (block = { title, columns: COLUMNS[period], cells: [] }));
    block.cells.push({ index, text, column });
  });
  // Newest blocks first, but time runs from left to right.
  for (const block of blocks.values()) block.cells.reverse();
  return [...blocks.values()];
}

const COLUMNS: Record<Period, number> = { hourly: 24, daily: 7, weekly: 0, monthly: 12 };

const PLACES: Record<Period, (key: string) => { title: string; text: string; column: number }> = {
  hourly: (key) => ({ title: key.slice(0, 10), text: key.slice(11, 13), column: Number(key.slice(11, 13)) + 1 }),
  daily: (key) => ({ title: key.slice(0, 7), text: key.slice(8, 10), column: weekday(key) }),
  weekly: (key) => ({ title: key.slice(0, 4), text: key.slice(5), column: 0 }),
  monthly: (key) => ({ title: key.slice(0, 4), text: key.slice(5), column: Number(key.slice(5)) }),
};

/** The day of the week, from 1 for Monday. */
function weekday(day: string): number {
  return (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7 + 1;
}

/** The input of a run that carries out a plan. */
export function runInput(plan: AssetPlan): Json {
  return { steps: plan.steps.map(({ asset, partition, reasons, force }) => ({ asset, partition, reasons: reasons.map(({ text }) => text), force })) };
}

/** What a plan does, in one sentence. */
export function summaryOf(plan: AssetPlan): string {
  const assets = new Set(plan.steps.map(({ asset }) => asset)).size;
  const made = plan.steps.length === 0 ? "Nothing to materialize" : `Materializes ${plural(plan.steps.length, "partition")} of ${plural(assets, "asset")}`;
  const current = plan.current === 0 ? "" : `; skips ${plural(plan.current, "partition")} that ${plan.current === 1 ? "is" : "are"} current`;
  const [first] = plan.made_otherwise;
  const others = first === undefined ? "" : ` Skips ${plural(plan.made_otherwise.length, "stale asset")} of other workflows, such as ${first}.`;
  return `${made}${current}.${others}`;
}
