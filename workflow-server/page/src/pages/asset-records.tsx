// What was made of an asset, newest first.

import { usePaged } from "../api/load.ts";
import type { AssetItem, Materialization } from "../api/types.ts";
import { problemsOf } from "../live/assets.ts";
import { TextFilter } from "../ui/filters.tsx";
import { size } from "../ui/format.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { Mark } from "../ui/status.tsx";
import { Ago } from "../ui/time.tsx";
import { RunLink } from "./asset-record.tsx";

export function AssetRecords({ asset, path, partition }: { asset: AssetItem; path: string; partition: string | undefined }) {
  const list = usePaged<Materialization>(`${path}/materializations`, { partition }, 15);
  const isPartitioned = asset.partitions !== null;
  return (
    <section class="stack" aria-label="Materializations">
      {isPartitioned && <div class="filters"><TextFilter label="Partition" name="partition" value={partition} /></div>}
      <ProblemBox problem={list.problem} retry={list.reload} />
      {!list.data && list.loading && <Loading what="materializations" />}
      {list.data?.length === 0 && <p class="empty">Nothing is materialized yet.</p>}
      {list.data && list.data.length > 0 && (
        <table class="rows" role="table" aria-label="Materializations">
          <thead>
            <tr role="row">
              <th role="columnheader" scope="col">Materialized</th>
              {isPartitioned && <th role="columnheader" scope="col">Partition</th>}
              <th role="columnheader" scope="col">Result</th>
              <th role="columnheader" scope="col" class="end">Rows</th>
              <th role="columnheader" scope="col" class="end">Size</th>
              <th role="columnheader" scope="col">Run</th>
              <th role="columnheader" scope="col">Reasons and checks</th>
            </tr>
          </thead>
          <tbody>{list.data.map((made) => <Row key={`${made.run} ${made.partition} ${made.is_refused}`} asset={asset.name} made={made} isPartitioned={isPartitioned} />)}</tbody>
        </table>
      )}
      {list.more && <button type="button" class="more" disabled={list.loading} onClick={list.more}>Show more</button>}
    </section>
  );
}

function Row({ asset, made, isPartitioned }: { asset: string; made: Materialization; isPartitioned: boolean }) {
  const notes = [...problemsOf(made), ...made.reasons].join("; ");
  return (
    <tr role="row">
      <td role="cell"><Ago at={made.made_at} /></td>
      {isPartitioned && <td role="cell"><a class="main-link" href={`#/assets/${encodeURIComponent(asset)}?partition=${encodeURIComponent(made.partition ?? "")}`}>{made.partition}</a></td>}
      <td role="cell"><Mark status={made.is_refused ? "failed" : "completed"} text={made.is_refused ? "refused" : "materialized"} /></td>
      <td role="cell" data-label="Rows" class="end number">{made.rows === null ? <span class="muted">–</span> : made.rows.toLocaleString("en")}</td>
      <td role="cell" data-label="Size" class="end number">{size(made.bytes)}</td>
      <td role="cell"><RunLink run={made.run} /></td>
      <td role="cell" class="error-cell note" title={notes}>{notes}</td>
    </tr>
  );
}
