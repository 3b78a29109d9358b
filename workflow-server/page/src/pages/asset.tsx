// The page of an asset: partitions, checks, materializations and details.

import { useState } from "preact/hooks";
import { get } from "../api/client.ts";
import { useLoad } from "../api/load.ts";
import type { AssetItem } from "../api/types.ts";
import { countsOf, isMadeByFunction, stateOf } from "../live/assets.ts";
import { useMaking, type Making } from "../live/making.ts";
import type { Route } from "../route.ts";
import { span } from "../ui/format.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { Mark } from "../ui/status.tsx";
import { Tabs, type Tab } from "../ui/tabs.tsx";
import { Ago } from "../ui/time.tsx";
import { Title } from "../ui/title.tsx";
import { AssetChecks } from "./asset-checks.tsx";
import { AssetDetails } from "./asset-details.tsx";
import { AssetDialog, type Kind } from "./asset-dialog.tsx";
import { AssetPartitions } from "./asset-partitions.tsx";
import { AssetRecords } from "./asset-records.tsx";

const TABS: Tab[] = [
  { id: "partitions", label: "Partitions" },
  { id: "checks", label: "Checks" },
  { id: "records", label: "Materializations" },
  { id: "details", label: "Details" },
];

/** What the dialog makes: a partition, or what the user chooses there. */
interface Wish {
  kind: Kind;
  partition: string | null;
  /** Whether to make it even if it is current. */
  force: boolean;
}

export function AssetPage({ name, route }: { name: string; route: Route }) {
  const making = useMaking();
  const path = `assets/${encodeURIComponent(name)}`;
  // What a run makes changes the asset.
  const { data, problem, reload } = useLoad((signal) => get<AssetItem>(path, {}, signal), [name], making.runs.length > 0 ? 5 : 15);
  const [wish, setWish] = useState<Wish | null>(null);
  const above = <a href="#/assets">Assets</a>;
  if (!data) {
    return (
      <>
        <Title text={name} above={above} />
        {problem ? <ProblemBox problem={problem} retry={reload} /> : <Loading what="the asset" />}
      </>
    );
  }
  const tab = TABS.find((entry) => entry.id === route.params.tab)?.id ?? "partitions";
  return (
    <>
      <Title text={data.name} above={above}>
        {isMadeByFunction(data) && data.partitions !== null && <button type="button" onClick={() => setWish({ kind: "backfill", partition: null, force: false })}>Backfill</button>}
        {isMadeByFunction(data) && <button type="button" class="primary" onClick={() => setWish({ kind: "materialize", partition: null, force: false })}>Materialize</button>}
      </Title>
      {data.description && <p class="lead">{data.description}</p>}
      <Facts asset={data} />
      <Lineage asset={data} />
      <Running making={making} />
      <ProblemBox problem={problem} retry={reload} />
      <Tabs tabs={data.partitions === null ? [{ ...TABS[0]!, label: "Value" }, ...TABS.slice(1)] : TABS} current={tab} route={route} label="Asset sections" />
      {tab === "partitions" && <AssetPartitions asset={data} making={making} route={route} make={(partition, force) => setWish({ kind: "materialize", partition, force })} />}
      {tab === "checks" && <AssetChecks asset={data} path={path} />}
      {tab === "records" && <AssetRecords asset={data} path={path} partition={route.params.partition} />}
      {tab === "details" && <AssetDetails asset={data} />}
      {wish && <AssetDialog asset={data} {...wish} close={() => setWish(null)} />}
    </>
  );
}

function Facts({ asset }: { asset: AssetItem }) {
  const { status, word, why } = stateOf(asset);
  const counts = countsOf(asset);
  return (
    <>
      <div class="facts">
        <Mark status={status} text={word} />
        {asset.made_by.length > 0 && <span>{asset.partitions ?? "one value, without partitions"}</span>}
        {counts && <span>{counts}</span>}
        {asset.freshness !== null && <span>{freshness(asset)}</span>}
        {asset.made_by.length > 0 && <span>last materialized <Ago at={asset.last?.made_at} /></span>}
      </div>
      {why && <p class="muted">{asset.total > 0 && "Not current: "}{why}</p>}
    </>
  );
}

/** What the freshness of the asset promises, and whether it is kept. */
function freshness(asset: AssetItem): string {
  const age = span(asset.freshness!);
  const promise = asset.period === null ? `fresh for ${age}` : `due ${age} after the end of a period`;
  return asset.is_overdue ? `${promise}: overdue` : promise;
}

function Lineage({ asset }: { asset: AssetItem }) {
  return (
    <dl class="pairs lineage">
      {!isMadeByFunction(asset) && <><dt>Materialized by</dt><dd><Makers names={asset.made_by} /></dd></>}
      <dt>Inputs</dt><dd><AssetLinks names={asset.inputs} /></dd>
      <dt>Read by</dt><dd><AssetLinks names={asset.readers} /></dd>
    </dl>
  );
}

/** The workflows that make it in their own way. */
function Makers({ names }: { names: string[] }) {
  if (names.length === 0) return <span class="muted">something outside of this program</span>;
  return <span class="chips">{names.map((name) => <a key={name} class="chip" href={`#/workflows/${encodeURIComponent(name)}`}>{name}</a>)}</span>;
}

function AssetLinks({ names }: { names: string[] }) {
  if (names.length === 0) return <span class="muted">no asset</span>;
  return <span class="chips">{names.map((name) => <a key={name} class="chip" href={`#/assets/${encodeURIComponent(name)}`}>{name}</a>)}</span>;
}

/** The runs that make assets now, with links. */
function Running({ making }: { making: Making }) {
  return (
    <div role="status">
      {making.runs.length > 0 && (
        <p class="facts">
          <Mark status="running" text={making.runs.length === 1 ? "A run materializes assets" : "Runs materialize assets"} />
          {making.runs.map((run) => <a key={run.id} href={`#/runs/${encodeURIComponent(run.id)}`}>#{run.number}</a>)}
        </p>
      )}
    </div>
  );
}
