// Sample workflows, the same at each start.

export const NOW = Date.now();
let seed = 7;
export const random = () => ((seed = (seed * 16807) % 2147483647) - 1) / 2147483646;
export const iso = (ms) => new Date(ms).toISOString();
export const uuid = (n) => `018f3a7e-0000-7000-8000-${String(n).padStart(12, "0")}`;

const chain = (names) => names.slice(1).map((target, i) => ({ source: names[i], target }));
const node = (id) => ({ id });

export function etlGraph() {
  const edges = [["extract_salesforce", "clean"], ["extract_zendesk", "clean"], ["extract_stripe", "clean"], ["clean", "join"], ["join", "score"], ["join", "report"], ["score", "publish"], ["report", "publish"], ["publish", "notify"]];
  const names = [...new Set(edges.flat())];
  return { nodes: names.map(node), edges: edges.map(([source, target]) => ({ source, target })) };
}

/** A graph of 2,000 jobs: a first job, three wide layers, junctions, and a last job. */
export function largeGraph() {
  const nodes = [node("plan")];
  const edges = [];
  for (let i = 0; i < 990; i++) {
    nodes.push(node(`download_${i}`), node(`convert_${i}`));
    edges.push({ source: "plan", target: `download_${i}` }, { source: `download_${i}`, target: `convert_${i}` });
  }
  for (let i = 0; i < 18; i++) nodes.push(node(`merge_region_${i}`));
  nodes.push(node("index"));
  const converts = Array.from({ length: 990 }, (_, i) => `convert_${i}`);
  const merges = Array.from({ length: 18 }, (_, i) => `merge_region_${i}`);
  return { nodes, edges, groups: [{ sources: converts, targets: merges }, { sources: merges, targets: ["index"] }] };
}

const SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema", title: "EtlInput", type: "object", required: ["day", "rows"],
  properties: {
    day: { type: "string", format: "date", description: "Which day to load." },
    rows: { type: "integer", minimum: 1, format: "uint64", default: 5000 },
    mode: { oneOf: [{ const: "full", description: "Everything" }, { const: "delta", description: "What changed" }], default: "delta" },
    dry_run: { type: "boolean", default: false, description: "Writes nothing." },
    sources: { type: "array", items: { type: "string" }, default: ["salesforce"] },
    target: { $ref: "#/$defs/Target" },
    note: { type: ["string", "null"] },
  },
  $defs: { Target: { title: "Target", type: "object", required: ["table"], properties: { table: { type: "string", default: "customers" }, partitions: { type: "number" } } } },
};

const YAML = `name: "daily_etl"
project: "data-warehouse"
description: "Daily ETL process for customer analytics data"
metadata: |
  { "schedule": "0 2 * * *", "owner": "data-engineering-team" }
jobs:
  - name: "extract_salesforce"
    command: "python extract_salesforce.py"
  - name: "clean"
    command: "python clean.py"
    depends_on: ["extract_salesforce"]
`;

function workflow(id, name, more = {}) {
  const count = more.execution_count ?? Math.floor(random() * 400);
  return {
    id, name, slug: name.replace(/_/g, "-"), project: null, project_id: 0, project_name: "", app_name: null, domain: null, metadata: {}, tags: [],
    molecules_used: [], atoms_in_molecules: {}, description: null, user: "alice", timestamp: iso(NOW - 9e8), created_at: iso(NOW - id * 864e5), updated_at: iso(NOW - id * 36e5),
    source: "stored", is_active: true, version: 1, execution_count: count, last_executed_at: count ? iso(NOW - random() * 2e7) : null, schedule: null, triggers_blocked: null, next_run_at: null,
    dag_spec: { nodes: ["prepare", "run", "report"].map(node), edges: chain(["prepare", "run", "report"]) }, definition: null, location: null,
    input_schema: null, input_type: null, output_schema: null, runnable: true, editable: true, yaml: null, speed: 1, trouble: 0.1, ...more,
  };
}

export function workflows() {
  const schedule = { cron: "0 2 * * *", timezone: "Europe/Vienna" };
  const list = [
    workflow(1, "daily_etl", {
      project: "data-warehouse", domain: "analytics", tags: ["etl", "nightly"], description: "Daily ETL process for customer analytics data", schedule,
      next_run_at: iso(NOW + 3 * 36e5), dag_spec: etlGraph(), yaml: YAML, input_schema: SCHEMA, input_type: "EtlInput",
      metadata: { owner: "data-engineering-team", sla_hours: 4, source_systems: ["salesforce", "zendesk"], target_table: "customer_analytics" },
      definition: { name: "daily_etl", project: "data-warehouse", timeout: "2h", jobs: [{ name: "clean", command: "python clean.py", depends_on: ["extract_salesforce"], retry: { maximum_attempts: 3 } }] },
      molecules_used: ["data-loader", "data-processor"], execution_count: 412,
    }),
    workflow(2, "satellite_tiles", { project: "imaging", domain: "science", tags: ["large"], description: "Downloads and converts 990 tiles, then merges them by region", dag_spec: largeGraph() }),
    workflow(3, "approve_invoice", { project: "billing", domain: "finance", description: "Waits for a signature, then pays", dag_spec: { nodes: ["check", "wait_for_signature", "pay"].map(node), edges: chain(["check", "wait_for_signature", "pay"]) } }),
    workflow(4, "booking_saga", { project: "travel", domain: "booking", source: "registered", editable: false, description: "Books flight, hotel and car; takes all of it back when one fails", location: { file: "src/booking.rs", line: 42 }, dag_spec: null, input_type: "Trip" }),
    workflow(5, "nightly_backup", { project: "operations", tags: ["nightly"], schedule: { cron: "30 3 * * *", timezone: "UTC" }, next_run_at: iso(NOW + 5e7), trouble: 0 }),
    workflow(6, "model_training_pipeline", { project: "recommendation-engine", domain: "ml", tags: ["gpu"], description: "Model training and evaluation pipeline", trouble: 0.5 }),
    workflow(7, "backend_integration_tests", { project: "backend-api", tags: ["ci"], description: "Run integration tests for backend API", trouble: 0.3 }),
    workflow(8, "retired_report", { project: "data-warehouse", is_active: false, execution_count: 0 }),
  ];
  list.push(workflow(65, "assets", { source: "registered", editable: false, description: "Materializes assets that are not current", execution_count: 0 }));
  for (let id = 9; id <= 64; id++) list.push(workflow(id, `report_${String(id - 8).padStart(2, "0")}`, { project: ["analytics-platform", "acme-corp", "backend-api"][id % 3], domain: id % 2 ? "reporting" : "analytics", user: id % 5 ? "alice" : "bob", tags: id % 4 ? [] : ["weekly"] }));
  return list;
}

export function workers() {
  const worker = (n, name, more) => ({
    id: uuid(9000 + n), name, state: "alive", queues: [], serves_others: false, workflows: 0, max_concurrent_workflows: 50, activities: 0, max_concurrent_activities: 50,
    waiting: 0, since: iso(NOW - n * 36e5), last_heartbeat: iso(NOW - 1e3), ...more,
  });
  return [
    worker(1, "4711@build-3", { queues: ["default-critical", "default-booking", "default-payment"], workflows: 50, activities: 31, waiting: 1204 }),
    worker(2, "88@a-machine-with-a-rather-long-name.internal", { queues: ["default-analytics"], workflows: 7, max_concurrent_workflows: null, activities: 12, max_concurrent_activities: null }),
    worker(3, "4700@build-2", { state: "dead", serves_others: true, last_heartbeat: iso(NOW - 12e5) }),
    worker(4, "4701@build-2", { state: "dead", queues: ["default-analytics"], serves_others: true, last_heartbeat: iso(NOW - 24e5) }),
  ];
}
