// The declaration of an asset, and what its newest value looks like.

import type { AssetItem } from "../api/types.ts";
import { span } from "../ui/format.ts";
import { AssetRecord } from "./asset-record.tsx";

export function AssetDetails({ asset }: { asset: AssetItem }) {
  return (
    <section class="columns" aria-label="Details">
      <div class="card">
        <h2>Declaration</h2>
        <dl class="pairs">
          <dt>Declared at</dt><dd><code>{asset.location}</code></dd>
          <dt>Code version</dt><dd><code>{asset.code_version}</code></dd>
          <dt>Partitions</dt><dd>{asset.partitions ?? "none"}</dd>
          <dt>Freshness</dt><dd>{asset.freshness === null ? <span class="muted">none</span> : span(asset.freshness)}</dd>
          <dt>Checks</dt>
          <dd>{asset.checks.length === 0 ? <span class="muted">none</span> : asset.checks.map(({ name, is_blocking }) => `${name} (${is_blocking ? "blocks" : "warns"})`).join(", ")}</dd>
        </dl>
      </div>
      <div class="card">
        <h2>Newest value</h2>
        {asset.last ? <AssetRecord title={asset.last.partition ?? "The value"} made={asset.last} /> : <p class="empty">Nothing is materialized yet.</p>}
      </div>
    </section>
  );
}
