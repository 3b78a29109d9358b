// Durations of a workflow's runs over time, and statistics of its jobs.

import { get } from "../api/client.ts";
import { useLoad, usePaged } from "../api/load.ts";
import type { Figures, RunItem, Stats } from "../api/types.ts";
import { Chart } from "../ui/chart.tsx";
import { duration, percent, plural } from "../ui/format.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";

export function WorkflowDurations({ path, id }: { path: string; id: number }) {
  const runs = usePaged<RunItem>(`${path}/runs`, {}, undefined, 200);
  const stats = useLoad((signal) => get<Stats>("stats", { workflow: id }, signal), [id]);
  const ended = (runs.data ?? []).filter((run) => run.duration_seconds !== null && run.started_at).reverse();
  const times = ended.map((run) => Date.parse(run.started_at!) / 1000);
  const of = (...statuses: string[]) => ended.map((run) => (statuses.includes(run.status) ? run.duration_seconds : null));
  const own = stats.data?.items.find((item) => item.workflow_id === id) ?? stats.data?.items[0];
  return (
    <section class="stack" aria-label="Durations">
      <ProblemBox problem={runs.problem ?? stats.problem} />
      {!runs.data && runs.loading && <Loading what="runs" />}
      {runs.data && (
        <div class="card">
          <h2>Duration of the last {plural(ended.length, "run")}</h2>
          <Chart label={`Duration of ${plural(ended.length, "run")} over time`} times={times} unit="seconds" height={220}
            lines={[
              { label: "completed", colour: "completed", values: of("completed"), kind: "line" },
              { label: "failed or cancelled", colour: "failed", values: of("failed", "cancelled"), kind: "points" },
            ]} />
        </div>
      )}
      {own && (
        <div class="card">
          <h2>Statistics</h2>
          <StatisticsTable rows={[["whole workflow", own.runs], ...own.jobs.map((job): [string, Figures] => [job.job, job])]} />
        </div>
      )}
    </section>
  );
}

function StatisticsTable({ rows }: { rows: [string, Figures][] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Statistics by job">
      <table class="figures">
        <thead>
          <tr>
            <th scope="col">Job</th><th scope="col">Completed</th><th scope="col">Failed</th><th scope="col">Success</th>
            <th scope="col">Mean</th><th scope="col">p50</th><th scope="col" title="Shown for 20 or more runs">p95</th><th scope="col">Max</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, 200).map(([name, figures]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{figures.completed ?? 0}</td><td>{figures.failed ?? 0}</td><td>{percent(figures.success_rate)}</td>
              <td>{duration(figures.mean_seconds)}</td><td>{duration(figures.p50_seconds)}</td>
              <td>{duration(figures.p95_seconds)}</td><td>{duration(figures.max_seconds)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
