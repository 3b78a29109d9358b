// The assets of the program: their graph, and a list with their states.

import { useMemo, useState } from "preact/hooks";
import { get } from "../api/client.ts";
import { useLoad } from "../api/load.ts";
import type { AssetItem, Page } from "../api/types.ts";
import { readGraph } from "../graph/model.ts";
import { TALL } from "../graph/node.tsx";
import { GraphView, type Look } from "../graph/view.tsx";
import { isMadeByFunction, nodeOf, stateOf } from "../live/assets.ts";
import { go } from "../route.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { Mark } from "../ui/status.tsx";
import { Ago } from "../ui/time.tsx";
import { Title } from "../ui/title.tsx";
import { AssetDialog } from "./asset-dialog.tsx";

export function AssetsPage() {
  const { data, problem, reload } = useLoad((signal) => get<Page<AssetItem>>("assets", {}, signal), [], 15);
  const [making, setMaking] = useState(false);
  const assets = data?.items ?? [];
  return (
    <>
      <Title text="Assets">
        {assets.some(isMadeByFunction) && <button type="button" class="primary" onClick={() => setMaking(true)}>Materialize</button>}
      </Title>
      <ProblemBox problem={problem} retry={reload} />
      {!data && !problem && <Loading what="assets" />}
      {data && assets.length === 0 && (
        <p class="empty"><span>This program has no assets. A function with <code>#[asset]</code> makes one, and so does a model of dbt: see <code>docs/assets.md</code>.</span></p>
      )}
      {assets.length > 0 && (
        <>
          <AssetGraph assets={assets} />
          <Table assets={assets} />
        </>
      )}
      {making && <AssetDialog asset={null} kind="materialize" partition={null} force={false} close={() => setMaking(false)} />}
    </>
  );
}

function AssetGraph({ assets }: { assets: AssetItem[] }) {
  const edges = assets.flatMap(({ name, inputs }) => inputs.map((input) => [input, name]));
  const nodes = assets.map(({ name }) => name);
  const graph = useMemo(() => readGraph({ nodes, edges }), [JSON.stringify([nodes, edges])]);
  const byName = useMemo(() => new Map(assets.map((asset) => [asset.name, asset])), [assets]);
  const look = (name: string): Look | null => {
    const asset = byName.get(name);
    if (!asset) return null;
    const { status, word } = stateOf(asset);
    return { status, word, ...nodeOf(asset) };
  };
  return (
    <section aria-label="Graph">
      <GraphView graph={graph} label="Graph of the assets" noun="asset" size={TALL} look={look} selected={null} select={(name) => go(["assets", name])} />
    </section>
  );
}

function Table({ assets }: { assets: AssetItem[] }) {
  return (
    <table class="rows assets" role="table" aria-label="Assets">
      <thead>
        <tr role="row">
          <th role="columnheader" scope="col">Asset</th>
          <th role="columnheader" scope="col">State</th>
          <th role="columnheader" scope="col">Partitions</th>
          <th role="columnheader" scope="col" class="end">Current</th>
          <th role="columnheader" scope="col" class="end">Stale</th>
          <th role="columnheader" scope="col" class="end">Missing</th>
          <th role="columnheader" scope="col">Last materialized</th>
        </tr>
      </thead>
      <tbody>{assets.map((asset) => <Row key={asset.name} asset={asset} />)}</tbody>
    </table>
  );
}

function Row({ asset }: { asset: AssetItem }) {
  const { status, word, why } = stateOf(asset);
  const count = (value: number) => value.toLocaleString("en");
  return (
    <tr role="row">
      <td role="cell" class="name">
        <a class="main-link" href={`#/assets/${encodeURIComponent(asset.name)}`}>{asset.name}</a>
        {asset.description && <span class="description">{asset.description}</span>}
      </td>
      <td role="cell" class="state"><Mark status={status} text={word} />{why && <span class="why-state">{why}</span>}</td>
      <td role="cell" data-label="Partitions">{asset.partitions ?? <span class="muted">none</span>}</td>
      <td role="cell" data-label="Current" class="end number">{count(asset.current)}</td>
      <td role="cell" data-label="Stale" class="end number">{count(asset.stale)}</td>
      <td role="cell" data-label="Missing" class="end number">{count(asset.missing)}</td>
      <td role="cell" data-label="Last materialized"><Ago at={asset.last?.made_at} /></td>
    </tr>
  );
}
