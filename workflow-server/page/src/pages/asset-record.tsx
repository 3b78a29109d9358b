// A record of a partition: what was made, by which run, from what, and what the checks said.

import type { Materialization } from "../api/types.ts";
import { partitionName } from "../live/assets.ts";
import { duration, plural, size } from "../ui/format.ts";
import { Ago } from "../ui/time.tsx";
import { CheckTable } from "./asset-checks.tsx";

export function AssetRecord({ title, made }: { title: string; made: Materialization }) {
  return (
    <section class="stack record" aria-label={title}>
      <h3>{title}</h3>
      <dl class="pairs">
        <dt>Materialized</dt><dd><Ago at={made.made_at} /> by <RunLink run={made.run} />, in {duration(made.milliseconds / 1000)}</dd>
        {made.reasons.length > 0 && <><dt>Because</dt><dd>{made.reasons.join("; ")}</dd></>}
        <dt>Rows</dt><dd>{made.rows === null ? <span class="muted">not a table</span> : made.rows.toLocaleString("en")}</dd>
        <dt>Size</dt><dd>{size(made.bytes)}</dd>
        <dt>Data version</dt><dd><code>{made.data_version}</code></dd>
        <dt>Code version</dt><dd><code>{made.code_version}</code></dd>
        {made.file !== null && <><dt>File</dt><dd><code>{made.file}</code></dd></>}
      </dl>
      {made.checks.length > 0 && <CheckTable checks={made.checks} />}
      {made.schema.length > 0 && <Schema schema={made.schema} />}
      {made.inputs.length > 0 && <Inputs inputs={made.inputs} />}
    </section>
  );
}

/** IDs of runs that follow each other differ at the end. */
export function RunLink({ run }: { run: string }) {
  return <a href={`#/runs/${encodeURIComponent(run)}`} title={run}>run …{run.slice(-8)}</a>;
}

export function Schema({ schema }: { schema: Materialization["schema"] }) {
  return (
    <details class="options">
      <summary>{plural(schema.length, "column")}</summary>
      <dl class="pairs columns-list">{schema.map(({ name, type }) => <><dt key={name}><code>{name}</code></dt><dd>{type}</dd></>)}</dl>
    </details>
  );
}

/** The most inputs that are listed. */
const SOME = 50;

function Inputs({ inputs }: { inputs: Materialization["inputs"] }) {
  return (
    <details class="options">
      <summary>Materialized from {plural(inputs.length, "value")}</summary>
      <ul class="reasons">
        {inputs.slice(0, SOME).map(({ asset, partition, data_version }) => (
          <li key={partitionName(asset, partition)}>
            <a href={`#/assets/${encodeURIComponent(asset)}${partition === null ? "" : `?partition=${encodeURIComponent(partition)}`}`}>{partitionName(asset, partition)}</a>{" "}
            <code class="muted">{data_version.slice(0, 8)}</code>
          </li>
        ))}
      </ul>
      {inputs.length > SOME && <p class="muted">and {(inputs.length - SOME).toLocaleString("en")} more</p>}
    </details>
  );
}
