// The partitions of an asset as a grid, and the one that is selected.

import { useEffect, useMemo, useRef } from "preact/hooks";
import { usePaged } from "../api/load.ts";
import type { AssetItem, AssetPartition } from "../api/types.ts";
import { blocksOf, isMadeByFunction, partitionName, partitionState, type State } from "../live/assets.ts";
import type { Making } from "../live/making.ts";
import type { Route } from "../route.ts";
import { plural } from "../ui/format.ts";
import { PartitionGrid, PartitionLegend } from "../ui/partition-grid.tsx";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { useSelection } from "../ui/selection.ts";
import { Mark } from "../ui/status.tsx";
import { AssetRecord } from "./asset-record.tsx";

interface Props {
  asset: AssetItem;
  making: Making;
  route: Route;
  /** Opens the dialog for a partition. */
  make: (partition: string | null, force: boolean) => void;
}

/** The number of partitions that are loaded at once: more than a year of days. */
const PAGE = 400;

export function AssetPartitions({ asset, making, route, make }: Props) {
  const list = usePaged<AssetPartition>(`assets/${encodeURIComponent(asset.name)}/partitions`, {}, undefined, PAGE);
  const { selected, select, close } = useSelection(route, "partition");
  const panel = useRef<HTMLDivElement>(null);
  // The asset is loaded again every few seconds: its partitions only when it has changed.
  const version = JSON.stringify([asset.current, asset.stale, asset.missing, asset.reasons, asset.last, making.runs.length]);
  const seen = useRef(version);
  useEffect(() => {
    if (seen.current === version) return;
    seen.current = version;
    list.reload();
  }, [version]);
  const running = [...making.running].sort().join(" ");
  const states = useMemo(() => (list.data ?? []).map((of) => partitionState(asset.name, of, making.running)), [list.data, running]);
  const keys = useMemo(() => (list.data ?? []).map(({ partition }) => partition ?? ""), [list.data]);
  const blocks = useMemo(() => blocksOf(keys, asset.period), [keys, asset.period]);
  // On a narrow screen the panel is above the grid.
  useEffect(() => {
    if (window.innerWidth < 1100) panel.current?.scrollIntoView({ block: "start" });
  }, [selected]);
  if (!list.data) return list.problem ? <ProblemBox problem={list.problem} retry={list.reload} /> : <Loading what="partitions" />;
  if (asset.partitions === null) {
    const whole = list.data[0];
    if (!whole) return <p class="empty">Nothing is known about its values: no workflow of this program makes it.</p>;
    return <Panel asset={asset} partition={whole} state={states[0]!} make={make} />;
  }
  if (list.data.length === 0) return <p class="empty">No partition yet: the first period has not ended.</p>;
  const at = selected === null ? -1 : keys.indexOf(selected);
  const shown = list.data[at];
  const leave = () => {
    close();
    document.querySelector<HTMLElement>(`[data-cell="${at}"]`)?.focus();
  };
  return (
    <div class={`run-parts partition-parts ${selected === null ? "" : "with-panel"}`}>
      <section class="run-part stack" aria-label="Partitions">
        <ProblemBox problem={list.problem} retry={list.reload} />
        <PartitionLegend states={states} />
        <PartitionGrid blocks={blocks} keys={keys} states={states} selected={at < 0 ? null : at} select={(index) => select(keys[index]!)} label={`Partitions of ${asset.name}`} />
        {list.more && (
          <button type="button" class="more" disabled={list.loading} onClick={list.more}>
            Show earlier partitions ({plural(asset.total - list.data.length, "partition")} left)
          </button>
        )}
      </section>
      {selected !== null && (
        <div ref={panel} class="run-panel">
          {shown ? <Panel asset={asset} partition={shown} state={states[at]!} make={make} close={leave} /> : <Unknown partition={selected} loaded={!list.more} close={close} />}
        </div>
      )}
    </div>
  );
}

interface PanelProps {
  asset: AssetItem;
  partition: AssetPartition;
  state: State;
  make: Props["make"];
  close?: () => void;
}

function Panel({ asset, partition, state, make, close }: PanelProps) {
  const name = partitionName(asset.name, partition.partition);
  return (
    <section class="card panel" aria-label={partition.partition === null ? "Value" : `Partition ${partition.partition}`}>
      <div class="panel-head">
        <h2>{name}</h2>
        {close && <button type="button" class="quiet" aria-label="Close partition" onClick={close}>✕</button>}
      </div>
      <p class="facts">
        <Mark status={state.status} text={state.word} />
        {isMadeByFunction(asset) && <button type="button" onClick={() => make(partition.partition, partition.standing === "current")}>{partition.standing === "current" ? "Materialize again" : "Materialize"}</button>}
      </p>
      {partition.reasons.length > 0 && (
        <div>
          <h3>Why it is {partition.standing}</h3>
          <ul class="reasons">{partition.reasons.map(({ kind, text }) => <li key={`${kind} ${text}`}>{text}</li>)}</ul>
        </div>
      )}
      {partition.refused && <AssetRecord title="Refused value" made={partition.refused} />}
      {partition.made && <AssetRecord title={partition.refused ? "Value before" : "Value"} made={partition.made} />}
      {partition.made === null && partition.refused === null && <p class="muted">Nothing is recorded yet.</p>}
    </section>
  );
}

function Unknown({ partition, loaded, close }: { partition: string; loaded: boolean; close: () => void }) {
  return (
    <section class="card panel" aria-label={`Partition ${partition}`}>
      <div class="panel-head">
        <h2>{partition}</h2>
        <button type="button" class="quiet" aria-label="Close partition" onClick={close}>✕</button>
      </div>
      <p class="muted">{loaded ? "The asset has no such partition." : "This partition is among the earlier ones. Show them to see its state."}</p>
    </section>
  );
}
