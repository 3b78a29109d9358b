// The overview: current runs, failures, throughput, durations and usage.

import { get } from "../api/client.ts";
import { useLoad } from "../api/load.ts";
import type { Overview, RunStatus, TimelinePoint, Usage } from "../api/types.ts";
import { Bars, type Bar } from "../ui/bars.tsx";
import { Chart } from "../ui/chart.tsx";
import { duration } from "../ui/format.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { RunTable } from "../ui/run-table.tsx";
import { Status } from "../ui/status.tsx";
import { Title } from "../ui/title.tsx";

export function OverviewPage() {
  const { data, problem, reload } = useLoad((signal) => get<Overview>("overview", { since: "24h" }, signal), [], 5);
  const usage = useLoad((signal) => get<Usage>("usage", {}, signal), [], 60);
  return (
    <>
      <Title text="Overview" />
      <ProblemBox problem={problem} retry={reload} />
      {!data && !problem && <Loading what="the overview" />}
      {data && (
        <div class="stack">
          <Tiles counts={data.counts} />
          <div class="columns">
            <Throughput timeline={data.timeline} />
            <Durations timeline={data.timeline} />
          </div>
          <section class="card">
            <h2>Running now</h2>
            <RunTable runs={data.running} label="Running now" empty="No runs in progress." />
          </section>
          <section class="card">
            <h2>Failed in the last 24 hours</h2>
            <RunTable runs={data.failures} label="Failed in the last 24 hours" empty="No failed runs." />
          </section>
          <div class="columns">
            <BarCard title="Most runs" unit="runs" rows={data.most_executed.map((item) => ({
              key: String(item.workflow_id), name: item.workflow, count: item.execution_count, href: `#/workflows/${item.workflow_id}`,
            }))} />
            {usage.data && <UsageBars usage={usage.data} />}
          </div>
        </div>
      )}
    </>
  );
}

const ORDER: RunStatus[] = ["running", "pending", "completed", "failed", "cancelled"];

function Tiles({ counts }: { counts: Overview["counts"] }) {
  return (
    <ul class="tiles" aria-label="Runs of the last 24 hours by status">
      {ORDER.map((status) => (
        <li key={status} class="card">
          <a href={`#/runs?status=${status}&since=24h`}>
            <strong>{(counts[status] ?? 0).toLocaleString("en")}</strong>
            <Status status={status} />
          </a>
        </li>
      ))}
    </ul>
  );
}

const seconds = (timeline: TimelinePoint[]) => timeline.map((point) => Date.parse(point.at) / 1000);

function Throughput({ timeline }: { timeline: TimelinePoint[] }) {
  const sum = (pick: (point: TimelinePoint) => number) => timeline.map(pick);
  const total = timeline.reduce((all, point) => all + point.completed + point.failed + point.cancelled, 0);
  return (
    <section class="card">
      <h2>Finished runs</h2>
      <Chart label={`Finished runs over the last 24 hours: ${total}`} times={seconds(timeline)}
        lines={[
          { label: "cancelled", colour: "cancelled", kind: "bars", values: sum((point) => point.completed + point.failed + point.cancelled) },
          { label: "failed", colour: "failed", kind: "bars", values: sum((point) => point.completed + point.failed) },
          { label: "completed", colour: "completed", kind: "bars", values: sum((point) => point.completed) },
        ]}
        rows={(index) => {
          const point = timeline[index]!;
          return [`completed: ${point.completed}`, `failed: ${point.failed}`, `cancelled: ${point.cancelled}`];
        }} />
    </section>
  );
}

function Durations({ timeline }: { timeline: TimelinePoint[] }) {
  return (
    <section class="card">
      <h2>Duration</h2>
      <Chart label="Duration of runs over the last 24 hours: maximum and p50" times={seconds(timeline)} unit="seconds"
        lines={[
          { label: "max", colour: "chart-2", values: timeline.map((point) => point.max_seconds) },
          { label: "p50", colour: "chart-1", values: timeline.map((point) => point.p50_seconds) },
        ]}
        rows={(index) => {
          const { p50_seconds: p50, p95_seconds: p95, max_seconds: max } = timeline[index]!;
          return max === null ? ["no finished runs"] : [`p50: ${duration(p50)}`, `p95: ${p95 === null ? "needs 20 runs" : duration(p95)}`, `max: ${duration(max)}`];
        }} />
    </section>
  );
}

interface BarRow {
  key: string;
  name: string;
  count: number;
  href?: string;
  note?: string;
}

function BarCard({ title, unit, rows }: { title: string; unit: string; rows: BarRow[] }) {
  const bars = rows.slice(0, 10).map((row): Bar => ({
    key: row.key,
    name: <>{row.href ? <a href={row.href}>{row.name}</a> : row.name}{row.note && <span class="muted"> {row.note}</span>}</>,
    count: row.count,
  }));
  return (
    <section class="card">
      <h2>{title}</h2>
      {rows.length === 0 && <p class="empty">No data yet.</p>}
      <Bars bars={bars} unit={unit} />
    </section>
  );
}

function UsageBars({ usage }: { usage: Usage }) {
  const rows = (items: Usage["atoms"] | Usage["molecules"]): BarRow[] =>
    items.map((item) => ({
      key: `${"molecule" in item ? item.molecule : ""}/${item.name}`,
      name: item.name,
      count: item.executions,
      note: `in ${item.workflows} workflow${item.workflows === 1 ? "" : "s"}`,
    }));
  return (
    <>
      <BarCard title="Molecules" unit="executions" rows={rows(usage.molecules)} />
      <BarCard title="Atoms" unit="executions" rows={rows(usage.atoms)} />
    </>
  );
}
