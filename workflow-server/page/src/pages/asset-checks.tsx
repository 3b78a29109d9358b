// What the checks of an asset said last, and where they failed.

import { get } from "../api/client.ts";
import { useLoad } from "../api/load.ts";
import type { AssetItem, CheckOutcome, Materialization, Page } from "../api/types.ts";
import { partitionName } from "../live/assets.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { Mark } from "../ui/status.tsx";
import { Ago } from "../ui/time.tsx";
import { RunLink } from "./asset-record.tsx";

/** The number of records that are searched for failed checks. */
const LATEST = 200;

export function AssetChecks({ asset, path }: { asset: AssetItem; path: string }) {
  const { data, problem, reload } = useLoad((signal) => get<Page<Materialization>>(`${path}/materializations`, { limit: LATEST }, signal), [path, asset.last?.run, asset.last?.made_at], 15);
  if (asset.checks.length === 0) return <p class="empty">This asset has no checks.</p>;
  if (!data) return problem ? <ProblemBox problem={problem} retry={reload} /> : <Loading what="checks" />;
  const newest = data.items[0];
  const failed = data.items.filter(({ checks }) => checks.some(({ problem }) => problem !== null));
  return (
    <section class="stack" aria-label="Checks">
      <ProblemBox problem={problem} retry={reload} />
      <div class="card">
        <h2>Last results</h2>
        {newest ? (
          <>
            <p class="muted text"><PartitionLink asset={asset.name} of={newest} />, checked <Ago at={newest.made_at} /> by <RunLink run={newest.run} /></p>
            <CheckTable checks={newest.checks} />
          </>
        ) : (
          <>
            <p class="muted">Nothing is materialized yet, so no check has run.</p>
            <ul class="reasons">{asset.checks.map(({ name, is_blocking }) => <li key={name}><code>{name}</code> {kind(is_blocking)}</li>)}</ul>
          </>
        )}
      </div>
      {newest && (
        <div class="card">
          <h2>Failed checks</h2>
          {failed.length === 0 ? <p class="empty">No check failed {data.next === null ? "" : `in the last ${LATEST} records`}.</p> : <Failures asset={asset.name} records={failed} />}
        </div>
      )}
    </section>
  );
}

function Failures({ asset, records }: { asset: string; records: Materialization[] }) {
  const rows = records.flatMap((of) => of.checks.filter(({ problem }) => problem !== null).map((check) => ({ of, check })));
  return (
    <table class="rows" role="table" aria-label="Failed checks">
      <thead>
        <tr role="row">
          <th role="columnheader" scope="col">Checked</th><th role="columnheader" scope="col">Value of</th>
          <th role="columnheader" scope="col">Check</th><th role="columnheader" scope="col">Result</th><th role="columnheader" scope="col">Run</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ of, check }, index) => (
          <tr key={index} role="row">
            <td role="cell"><Ago at={of.made_at} /></td>
            <td role="cell"><PartitionLink asset={asset} of={of} /></td>
            <td role="cell"><code>{check.name}</code></td>
            <td role="cell" class="check-result"><Result check={check} /></td>
            <td role="cell"><RunLink run={of.run} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function PartitionLink({ asset, of }: { asset: string; of: Materialization }) {
  const name = partitionName(asset, of.partition);
  if (of.partition === null) return <>{name}</>;
  return <a href={`#/assets/${encodeURIComponent(asset)}?partition=${encodeURIComponent(of.partition)}`}>{name}</a>;
}

export function CheckTable({ checks }: { checks: CheckOutcome[] }) {
  return (
    <table class="rows checks" role="table" aria-label="Results of the checks">
      <thead>
        <tr role="row"><th role="columnheader" scope="col">Check</th><th role="columnheader" scope="col">If it fails</th><th role="columnheader" scope="col">Result</th></tr>
      </thead>
      <tbody>
        {checks.map((check) => (
          <tr key={check.name} role="row">
            <td role="cell"><code>{check.name}</code></td>
            <td role="cell">{kind(check.is_blocking)}</td>
            <td role="cell" class="check-result"><Result check={check} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function kind(isBlocking: boolean): string {
  return isBlocking ? "refuses the value" : "warns";
}

function Result({ check: { is_blocking, problem } }: { check: CheckOutcome }) {
  if (problem === null) return <Mark status="completed" text="passed" />;
  return (
    <>
      <Mark status={is_blocking ? "failed" : "cancelled"} text={is_blocking ? "refused" : "warning"} />
      <span class="message">{problem}</span>
    </>
  );
}
