// The page of a run, updated live.

import { useEffect, useMemo, useRef } from "preact/hooks";
import { get } from "../api/client.ts";
import { useLoad } from "../api/load.ts";
import type { TableItem } from "../api/types.ts";
import { RunLive } from "../live/run-live.ts";
import { isFinal } from "../live/run-state.ts";
import type { Route } from "../route.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { useSelection } from "../ui/selection.ts";
import { Tabs, type Tab } from "../ui/tabs.tsx";
import { Title } from "../ui/title.tsx";
import { JobPanel } from "./job-panel.tsx";
import { Log } from "./log.tsx";
import { RunData } from "./run-data.tsx";
import { RunGraph } from "./run-graph.tsx";
import { RunHead } from "./run-head.tsx";
import { RunJobs } from "./run-jobs.tsx";
import { RunTimeline } from "./run-timeline.tsx";
import { RunValues } from "./run-values.tsx";

const DATA: Tab = { id: "data", label: "Data" };
const TABS: Tab[] = [
  { id: "graph", label: "Graph" },
  { id: "timeline", label: "Timeline" },
  { id: "jobs", label: "Jobs" },
  { id: "log", label: "Log" },
  { id: "values", label: "Input and output" },
];

export function RunPage({ id, route }: { id: string; route: Route }) {
  const live = useMemo(() => new RunLive(id), [id]);
  useEffect(() => () => live.close(), [live]);
  const run = live.detail.value;
  const { state } = live;
  void live.version.value;
  // A run without tables has no tab for them. The tables of a running job are listed when the run has ended.
  const over = state !== null && isFinal(state.status);
  const known = useLoad(
    (signal) => (state ? get<{ items: TableItem[] }>(`runs/${encodeURIComponent(id)}/tables`, {}, signal) : Promise.resolve(null)),
    [id, state !== null, over],
  );
  const panel = useRef<HTMLDivElement>(null);
  const selection = useSelection(route, "job");
  const job = selection.selected;
  const select = (name: string) => {
    selection.select(name);
    // On a narrow screen the panel is below the selected job.
    if (window.innerWidth < 1100) requestAnimationFrame(() => panel.current?.scrollIntoView({ block: "nearest" }));
  };
  if (!run || !state) {
    return (
      <>
        <Title text="Run" above={<a href="#/runs">Runs</a>} />
        {live.problem.value ? <ProblemBox problem={live.problem.value} /> : <Loading what="the run" />}
      </>
    );
  }
  const tables = known.data?.items ?? [];
  const tabs = tables.length > 0 || route.params.tab === DATA.id ? [...TABS, { ...DATA, count: tables.length }] : TABS;
  const tab = tabs.find((entry) => entry.id === route.params.tab)?.id ?? "graph";
  const props: RunPartProps = { run, live, state, version: live.version.value, selected: job, select };
  return (
    <>
      <RunHead run={run} state={state} version={live.version.value} />
      <ProblemBox problem={live.problem.value} />
      <Tabs tabs={tabs.map((entry) => (entry.id === "jobs" ? { ...entry, count: state.jobs.size } : entry))} current={tab} route={route} label="Run sections" />
      <div class={`run-parts ${job ? "with-panel" : ""}`}>
        <div class="run-part">
          {tab === "graph" && <RunGraph {...props} />}
          {tab === "timeline" && <RunTimeline {...props} />}
          {tab === "jobs" && <RunJobs {...props} />}
          {tab === "log" && <Log key="all" run={id} label={`Log of run ${run.number}`} height={480} />}
          {tab === "values" && <RunValues run={run} />}
          {tab === "data" && <RunData run={run} tables={known} version={over} route={route} />}
        </div>
        {job && (
          <div ref={panel} class="run-panel">
            <JobPanel key={job} run={run} state={state} job={job} close={selection.close} />
          </div>
        )}
      </div>
    </>
  );
}

/** The properties of every part of the page. */
export interface RunPartProps {
  run: NonNullable<RunLive["detail"]["value"]>;
  live: RunLive;
  state: NonNullable<RunLive["state"]>;
  version: number;
  selected: string | null;
  select: (job: string) => void;
}
