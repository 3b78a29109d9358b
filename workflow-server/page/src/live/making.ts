// The runs of the workflow `assets` that are in progress, with the partitions that they make.

import { get } from "../api/client.ts";
import { useLoad } from "../api/load.ts";
import type { Page, RunDetail, RunItem } from "../api/types.ts";

/** The path of the workflow that makes assets. */
export const MAKER = "workflows/assets";

export interface Making {
  runs: RunItem[];
  /** The names of partitions that a run makes now. */
  running: ReadonlySet<string>;
}

/** The most runs whose jobs are read, and the most events of one: others are only named. */
const RUNS = 5;
const EVENTS = 20_000;

/** Looks every 3 s. */
export function useMaking(): Making {
  const { data } = useLoad(load, [], 3);
  return data ?? NOTHING;
}

const NOTHING: Making = { runs: [], running: new Set() };

async function load(signal: AbortSignal): Promise<Making> {
  const { items } = await get<Page<RunItem>>(`${MAKER}/runs`, { status: "running", limit: RUNS }, signal);
  if (items.length === 0) return NOTHING;
  const readable = items.filter((run) => run.events <= EVENTS);
  const details = await Promise.all(readable.map((run) => get<RunDetail>(`runs/${encodeURIComponent(run.id)}`, {}, signal)));
  const running = details.flatMap(({ jobs }) => jobs.filter(({ status }) => status === "running").map(({ name }) => name));
  return { runs: items, running: new Set(running) };
}
