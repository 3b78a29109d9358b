// The page of a workflow: graph, runs, durations, source, configuration and details.

import { useMemo, useState } from "preact/hooks";
import { get } from "../api/client.ts";
import { writeJson } from "../api/json.ts";
import { useLoad } from "../api/load.ts";
import type { Json, WorkflowDetail } from "../api/types.ts";
import { readGraph } from "../graph/model.ts";
import { GraphView } from "../graph/view.tsx";
import type { Route } from "../route.ts";
import { percent, plural } from "../ui/format.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { useSelection } from "../ui/selection.ts";
import { Strip } from "../ui/strip.tsx";
import { Tabs, type Tab } from "../ui/tabs.tsx";
import { Ago } from "../ui/time.tsx";
import { Title } from "../ui/title.tsx";
import { RunDialog } from "./run-dialog.tsx";
import { WorkflowConfig } from "./workflow-config.tsx";
import { WorkflowDetails } from "./workflow-details.tsx";
import { WorkflowDurations } from "./workflow-durations.tsx";
import { JobDefinition } from "./workflow-job.tsx";
import { WorkflowRuns } from "./workflow-runs.tsx";
import { WorkflowSource } from "./workflow-source.tsx";
import { TriggerFacts } from "./workflow-triggers.tsx";
import { Chips } from "./workflows.tsx";

const TABS: Tab[] = [
  { id: "graph", label: "Graph" },
  { id: "runs", label: "Runs" },
  { id: "durations", label: "Durations" },
  { id: "source", label: "Source" },
  { id: "config", label: "Config" },
  { id: "details", label: "Details" },
];

export function WorkflowPage({ id, route }: { id: string; route: Route }) {
  const { data, problem, reload } = useLoad((signal) => get<WorkflowDetail>(`workflows/${encodeURIComponent(id)}`, {}, signal), [id], 15);
  const [running, setRunning] = useState(false);
  if (!data) {
    return (
      <>
        <Title text={id} above={<a href="#/workflows">Workflows</a>} />
        {problem ? <ProblemBox problem={problem} retry={reload} /> : <Loading what="the workflow" />}
      </>
    );
  }
  // By ID: the name may be given to another workflow while the page is open.
  const path = `workflows/${data.id}`;
  const tab = TABS.find((entry) => entry.id === route.params.tab)?.id ?? "graph";
  const whyNot = whyNotRun(data);
  return (
    <>
      <Title text={data.name} above={<a href="#/workflows">Workflows</a>}>
        <button type="button" class="primary" disabled={whyNot !== null} aria-describedby={whyNot ? "why-not" : undefined} onClick={() => setRunning(true)}>Run</button>
      </Title>
      {whyNot && <p id="why-not" class="muted">{whyNot}</p>}
      {data.description && <p class="lead">{data.description}</p>}
      <Facts workflow={data} />
      <ProblemBox problem={problem} retry={reload} />
      <Tabs tabs={TABS} current={tab} route={route} label="Workflow sections" />
      {tab === "graph" && <WorkflowGraph workflow={data} route={route} />}
      {tab === "runs" && <WorkflowRuns path={path} status={route.params.status} />}
      {tab === "durations" && <WorkflowDurations path={path} id={data.id} />}
      {tab === "source" && <WorkflowSource path={path} workflow={data} changed={reload} />}
      {tab === "config" && <WorkflowConfig workflow={data} />}
      {tab === "details" && <WorkflowDetails path={path} workflow={data} changed={reload} />}
      {running && <RunDialog path={path} workflow={data} close={() => setRunning(false)} />}
    </>
  );
}

/** Why this server cannot run the workflow; null if it can. */
function whyNotRun(workflow: WorkflowDetail): string | null {
  if (!workflow.is_active) return "Cannot run: this workflow is inactive. Activate it under Details.";
  if (workflow.runnable) return null;
  return workflow.source === "registered"
    ? "Cannot run here: the program of this server does not register this workflow. Run it on the server of a program that does."
    : "Cannot run here: no workflow file is stored. An external program runs this workflow and reports its runs.";
}

function Facts({ workflow }: { workflow: WorkflowDetail }) {
  const { schedule } = workflow;
  return (
    <div class="facts">
      <Chips workflow={workflow} />
      {!workflow.is_active && <span class="chip">inactive</span>}
      {(workflow.recent ?? []).length > 0 && <Strip runs={workflow.recent ?? []} most={Math.min(20, workflow.recent?.length ?? 0)} />}
      <span><strong>{percent(workflow.success_rate)}</strong> success</span>
      <span>{plural(workflow.execution_count, "run")}</span>
      {schedule && <span><code>{schedule.cron}</code> {schedule.timezone}{workflow.next_run_at && <>, next <Ago at={workflow.next_run_at} /></>}</span>}
      {schedule?.blocked && <span class="warning" role="note">schedule not running: {schedule.blocked}</span>}
      <TriggerFacts workflow={workflow} />
    </div>
  );
}

function WorkflowGraph({ workflow, route }: { workflow: WorkflowDetail; route: Route }) {
  const spec = writeJson(workflow.dag_spec as Json);
  const graph = useMemo(() => readGraph(workflow.dag_spec), [spec]);
  const { selected: job, select } = useSelection(route, "job");
  if (graph.nodes.length === 0) return <p class="empty">This workflow is a function. Its jobs are shown in its runs.</p>;
  return (
    <section aria-label="Graph">
      <GraphView graph={graph} label={`Graph of ${workflow.name}`} selected={job} select={select} />
      {job && <JobDefinition workflow={workflow} graph={graph} job={job} />}
    </section>
  );
}
