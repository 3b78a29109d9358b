// The tables that a run has written: columns, first rows and small charts.

import { get } from "../api/client.ts";
import { useLoad, type Load } from "../api/load.ts";
import type { ColumnChart, RunDetail, TableColumn, TableItem, TablePreview } from "../api/types.ts";
import { href, type Route } from "../route.ts";
import { Bars } from "../ui/bars.tsx";
import { plural, visible } from "../ui/format.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";

interface Props {
  run: RunDetail;
  tables: Load<{ items: TableItem[] } | null>;
  /** Changes when the tables may have changed. */
  version: unknown;
  route: Route;
}

export function RunData({ run, tables, version, route }: Props) {
  const items = tables.data?.items ?? [];
  const table = items.find((item) => item.name === route.params.table) ?? items[0];
  if (!table) {
    if (tables.problem) return <ProblemBox problem={tables.problem} />;
    return tables.loading ? <Loading what="the tables" /> : <p class="empty">This run has recorded no tables.</p>;
  }
  return (
    <section class="stack" aria-label="Data">
      {items.length > 1 && (
        <nav class="chips" aria-label="Tables">
          {items.map((item) => (
            <a key={item.name} class="chip" href={href(route.path, { ...route.params, table: item.name })} aria-current={item === table ? "true" : undefined}>
              {visible(item.name)}
            </a>
          ))}
        </nav>
      )}
      <Table key={table.name} run={run} table={table} version={version} />
    </section>
  );
}

function Table({ run, table, version }: { run: RunDetail; table: TableItem; version: unknown }) {
  const path = `runs/${encodeURIComponent(run.id)}/tables/${encodeURIComponent(table.name)}`;
  const { data, problem, loading } = useLoad((signal) => get<TablePreview>(path, {}, signal), [path, version]);
  return (
    <>
      <div class="card">
        <h2>{visible(table.name)}</h2>
        <p class="facts">
          <code>{visible(table.place)}</code>
          {data && <span>{data.row_count === null ? `at least ${plural(data.sampled + data.unreadable, "row")}` : plural(data.row_count, "row")}, {plural(data.column_count, "column")}</span>}
          {table.written !== null && <span class="muted">{visible(table.job)} wrote {plural(table.written, "row")}</span>}
        </p>
        <p class="muted">The table as it is now. Later runs may have changed it.</p>
        {data && data.unreadable > 0 && <p class="muted">{plural(data.unreadable, "row")} left out: a value does not fit its column.</p>}
      </div>
      <ProblemBox problem={problem} />
      {!data && loading && <Loading what="the table" />}
      {data && data.columns.length === 0 && <p class="empty">The table has no columns.</p>}
      {data && data.columns.length > 0 && <Columns data={data} />}
      {data && data.columns.length > 0 && <Rows data={data} />}
    </>
  );
}

function Columns({ data }: { data: TablePreview }) {
  const hidden = data.column_count - data.columns.length;
  return (
    <section class="card" aria-label="Columns">
      <h2>Columns</h2>
      {data.sampled > 0 && data.row_count !== data.sampled && <p class="muted">Charts of the first {plural(data.sampled, "row")}.</p>}
      <ul class="columns-of">
        {data.columns.map((column) => (
          <li key={column.name}>
            <p><strong>{visible(column.name)}</strong> <span class="muted">{column.type}</span></p>
            <Chart column={column} sampled={data.sampled} />
            {column.nulls > 0 && <p class="muted">{column.nulls.toLocaleString("en")} null</p>}
          </li>
        ))}
      </ul>
      {hidden > 0 && <p class="muted">{plural(hidden, "more column")} not shown.</p>}
    </section>
  );
}

function Chart({ column, sampled }: { column: TableColumn; sampled: number }) {
  if (!column.chart) return <p class="muted">No values.</p>;
  if (column.chart.kind === "histogram") return <Histogram name={column.name} chart={column.chart} />;
  const { values, distinct } = column.chart;
  const present = sampled - column.nulls;
  if (distinct === present && distinct > values.length) return <p class="muted">{plural(distinct, "value")}, all different.</p>;
  const bars = values.map(({ value, count }) => ({
    key: value,
    name: value === "" ? <span class="muted">empty</span> : visible(value),
    count,
  }));
  return (
    <>
      <Bars bars={bars} label={`Values of ${visible(column.name)}`} />
      {distinct > values.length && <p class="muted">The {values.length} most frequent of {plural(distinct, "value")}.</p>}
    </>
  );
}

function Histogram({ name, chart }: { name: string; chart: Extract<ColumnChart, { kind: "histogram" }> }) {
  const { buckets } = chart;
  const most = Math.max(1, ...buckets.map((bucket) => bucket.count));
  const first = buckets[0]?.from ?? "";
  const last = buckets.at(-1)?.to ?? "";
  const top = buckets.find((bucket) => bucket.count === most);
  const label = `Values of ${visible(name)} from ${first} to ${last}${top ? `; most, ${most.toLocaleString("en")}, from ${top.from} to ${top.to}` : ""}`;
  return (
    <figure>
      <svg class="histogram" viewBox={`0 0 ${buckets.length} 40`} preserveAspectRatio="none" role="img" aria-label={label}>
        {buckets.map((bucket, at) => {
          const height = bucket.count === 0 ? 0 : Math.max(1, (bucket.count / most) * 40);
          return (
            <g key={at}>
              <title>{`${bucket.from} to ${bucket.to}: ${bucket.count.toLocaleString("en")}`}</title>
              <rect class="hit" x={at} y={0} width={1} height={40} />
              <rect x={at + 0.06} y={40 - height} width={0.88} height={height} />
            </g>
          );
        })}
      </svg>
      <figcaption><span>{first}</span><span>{last}</span></figcaption>
    </figure>
  );
}

function Rows({ data }: { data: TablePreview }) {
  if (data.rows.length === 0) return <p class="empty">The table has no rows.</p>;
  const isNumber = (column: TableColumn) => column.type === "integer" || column.type === "number";
  return (
    <section class="card" aria-label="Rows">
      <h2>{data.rows.length === data.row_count ? "Rows" : `First ${plural(data.rows.length, "row")}`}</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="First rows">
        <table class="cells">
          <thead>
            <tr>{data.columns.map((column) => <th key={column.name} scope="col" class={isNumber(column) ? "end" : ""}>{visible(column.name)}</th>)}</tr>
          </thead>
          <tbody>
            {data.rows.map((row, at) => (
              <tr key={at}>
                {row.map((cell, column) => (
                  <td key={column} class={data.columns[column] && isNumber(data.columns[column]) ? "end" : ""}>
                    {cell === null ? <span class="muted">null</span> : visible(cell)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
