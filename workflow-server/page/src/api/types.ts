// The responses of the server, as in its OpenAPI document.

import type { ExactNumber } from "./json.ts";

export type Json = null | boolean | number | ExactNumber | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export type RunStatus = "pending" | "running" | "completed" | "failed" | "cancelled";
export type JobStatus = RunStatus | "skipped";

export interface Session {
  user: { username: string; is_staff: boolean } | null;
  /** No accounts exist: everyone has full access. */
  open: boolean;
  csrf: string | null;
  allow_commands: boolean;
  version: string;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface RecentRun {
  id: string;
  status: RunStatus;
  started_at: string;
  duration_seconds: number | null;
}

export interface WorkflowItem {
  id: number;
  name: string;
  slug: string;
  project: string | null;
  app_name: string | null;
  domain: string | null;
  metadata: JsonObject | null;
  tags: string[] | null;
  molecules_used: string[] | null;
  description: string | null;
  user: string | null;
  created_at: string;
  updated_at: string;
  source: "registered" | "stored";
  is_active: boolean;
  version: number | string | null;
  execution_count: number;
  last_executed_at: string | null;
  schedule: { cron: string; timezone?: string | null; blocked?: string | null } | null;
  /** Why a trigger in the metadata does not run here. */
  triggers_blocked: string | null;
  next_run_at: string | null;
  recent: RecentRun[] | null;
  success_rate: number | null;
}

/** Nodes and edges are untyped: the graph may come from another program. */
export interface GraphSpec {
  nodes?: unknown[];
  edges?: unknown[];
  groups?: unknown[];
}

export interface WorkflowDetail extends WorkflowItem {
  dag_spec: GraphSpec | null;
  definition: JsonObject | null;
  location: { file: string; line: number } | null;
  input_schema: JsonObject | boolean | null;
  input_type: string | null;
  output_schema: Json;
  runnable: boolean;
  editable: boolean;
}

/** A current or earlier version of a workflow file. */
export interface Version {
  version: number;
  author: string | null;
  created_at: string;
}

export interface VersionDetail extends Version {
  yaml: string | null;
}

export interface RunItem {
  id: string;
  number: number;
  workflow_id: number | null;
  workflow: string;
  status: RunStatus;
  trigger: string | null;
  idempotency_key: string | null;
  parent: { run: string; job: string } | null;
  user: string | null;
  started_at: string | null;
  begun_at: string | null;
  completed_at: string | null;
  duration_seconds: number | null;
  error: string | null;
  error_line: string | null;
  events: number;
  owner: string | null;
  task_queue: string;
  priority: number;
  stall: Stall | null;
}

/** Why a run makes no progress. */
export interface Stall {
  state: "waiting" | "blocked";
  reason: string;
  detail: string;
  cure: string;
  waiting?: Wait;
  deaths?: { attempt: number; found_at: string }[];
}

/** A job that waits: for a signal, or until a time. */
export interface Wait {
  job: string;
  signal: string | null;
  until: string | null;
  since: string;
}

/** Why a run or one of its jobs makes no progress, or what it does. */
export interface Reason {
  /** Null if it concerns the whole run. */
  job: string | null;
  reason: string;
  detail: string;
  cure: string;
  /** IDs of the runs that it names. */
  runs: string[];
}

/** A request to start a run was accepted. */
export interface StartedRun {
  run_id: string;
  /** No live worker serves the task queue of the run. */
  warning?: string;
}

export interface Worker {
  id: string;
  name: string;
  state: "alive" | "dead";
  queues: string[];
  /** Whether it serves all other task queues, too. */
  serves_others: boolean;
  workflows: number;
  /** Null without a limit, as below. */
  max_concurrent_workflows: number | null;
  activities: number;
  max_concurrent_activities: number | null;
  waiting: number;
  since: string;
  last_heartbeat: string;
}

/** A task queue in which runs or jobs wait. */
export interface Queue {
  queue: string;
  runs: number;
  /** Jobs that name this queue, of runs in progress. */
  jobs: number;
  /** Since when the oldest of them waits. */
  oldest: string;
  /** The number of live workers that serve it. */
  workers: number;
}

/** The error of an attempt, as in events. */
export interface Failure {
  kind: Json;
  message: string;
  error_type: string;
}

export interface JobItem {
  name: string;
  status: JobStatus;
  attempts: number;
  started_at: string | null;
  attempt_started_at: string | null;
  completed_at: string | null;
  duration_seconds: number | null;
  error: string | null;
  error_line: string | null;
  retry_at: string | null;
  started_by: string | null;
  is_reused: boolean;
}

export interface RunDetail extends RunItem {
  input: Json;
  result: Json;
  jobs: JobItem[];
  graph: GraphSpec | null;
  waiting: Wait[];
  is_cancelling: boolean;
  retry_of: string | null;
  editable: boolean;
}

export interface Attempt {
  attempt: number;
  status: JobStatus;
  started_at: string | null;
  ended_at: string | null;
  duration_seconds: number | null;
  error: AttemptFailure | null;
  annotations: JsonObject;
}

/** The error of an attempt, as in responses. */
export interface AttemptFailure {
  kind: string;
  message: string;
  line: string;
  error_type: string | null;
}

export interface JobDetail {
  name: string;
  status: JobStatus;
  attempts: Attempt[];
  output: Json;
  reason: string | null;
  waits_for: string[] | null;
  inputs: JsonObject | null;
  values: JsonObject | null;
}

export interface Bar {
  job: string;
  attempt: number;
  started_at: string;
  ended_at: string | null;
  status: JobStatus;
}

export interface LogRecord {
  job: string;
  attempt: number;
  stream: "stdout" | "stderr";
  text: string;
  from: number;
  end: number;
}

/** A table that a job of a run has written. */
export interface TableItem {
  /** Unique in the run. */
  name: string;
  job: string;
  place: string;
  /** How many rows the job wrote. */
  written: number | null;
}

/** The start of a table, as it is now. */
export interface TablePreview extends TableItem {
  columns: TableColumn[];
  column_count: number;
  /** A text or null for each column. */
  rows: (string | null)[][];
  /** Null if it is not known without reading the whole table. */
  row_count: number | null;
  /** How many rows the charts are of. */
  sampled: number;
  /** How many rows were left out, because a value does not fit its column. */
  unreadable: number;
}

export interface TableColumn {
  name: string;
  type: string;
  nulls: number;
  chart: ColumnChart | null;
}

export type ColumnChart =
  | { kind: "histogram"; buckets: { from: string; to: string; count: number }[] }
  | { kind: "frequent"; values: { value: string; count: number }[]; distinct: number };

export interface Overview {
  running: RunItem[];
  failures: RunItem[];
  most_executed: { workflow_id: number; workflow: string; execution_count: number }[];
  timeline: TimelinePoint[];
  counts: Partial<Record<RunStatus, number>>;
}

export interface TimelinePoint {
  at: string;
  completed: number;
  failed: number;
  cancelled: number;
  p50_seconds: number | null;
  p95_seconds: number | null;
  max_seconds: number | null;
}

export interface Usage {
  molecules: { name: string; workflows: number; executions: number }[];
  atoms: { name: string; molecule: string | null; workflows: number; executions: number }[];
}

export interface Account {
  username: string;
  is_staff: boolean;
  is_active: boolean;
  created_at?: string | null;
  has_password: boolean;
}

export interface Token {
  id: number | string;
  name: string;
  scope: string;
  user: string | null;
  created_at: string | null;
  expires_at: string | null;
  last_used_at?: string | null;
  token?: string;
}

export interface Stats {
  items: {
    workflow_id: number;
    workflow: string;
    requested: number;
    runs: Figures;
    jobs: (Figures & { job: string })[];
  }[];
}

export interface Figures {
  completed?: number;
  failed?: number;
  cancelled?: number;
  success_rate?: number | null;
  mean_seconds?: number | null;
  p50_seconds?: number | null;
  p95_seconds?: number | null;
  max_seconds?: number | null;
}

/** An asset: a value that a function makes from other assets, or that a workflow makes in its own way. */
export interface AssetItem {
  name: string;
  description: string | null;
  location: string;
  /** The workflows that make it: `assets` for a function; none for an asset from outside. */
  made_by: string[];
  /** What its partitions are, in words; null for an asset without partitions, as below. */
  partitions: string | null;
  period: Period | null;
  /** In seconds. */
  freshness: number | null;
  is_overdue: boolean;
  code_version: string;
  inputs: string[];
  readers: string[];
  checks: { name: string; is_blocking: boolean }[];
  total: number;
  current: number;
  stale: number;
  missing: number;
  reasons: AssetReasonCount[];
  /** The newest record that was not refused. */
  last: Materialization | null;
}

export type Period = "hourly" | "daily" | "weekly" | "monthly";

/** Why a partition is not current, or why it is made. */
export interface AssetReason {
  kind: string;
  text: string;
}

/** A kind of reason, with the number of partitions and the text of the newest one. */
export interface AssetReasonCount extends AssetReason {
  partitions: number;
}

export interface AssetPartition {
  partition: string | null;
  standing: "current" | "stale" | "missing";
  reasons: AssetReason[];
  made: Materialization | null;
  /** The newest record, if a blocking check refused the value. */
  refused: Materialization | null;
}

/** A record of a partition that was made, or that a check refused. */
export interface Materialization {
  partition: string | null;
  run: string;
  made_at: string;
  is_refused: boolean;
  code_version: string;
  data_version: string;
  file: string | null;
  bytes: number;
  rows: number | null;
  schema: { name: string; type: string }[];
  inputs: { asset: string; partition: string | null; data_version: string }[];
  checks: CheckOutcome[];
  reasons: string[];
  milliseconds: number;
}

export interface CheckOutcome {
  name: string;
  is_blocking: boolean;
  /** Null if it passed. */
  problem: string | null;
}

/** What a run would make, each step after its inputs. */
export interface AssetPlan {
  steps: AssetStep[];
  /** The number of partitions that are skipped. */
  current: number;
  /** Assets that are not current, but that other workflows make. */
  made_otherwise: string[];
}

export interface AssetStep {
  asset: string;
  partition: string | null;
  reasons: AssetReason[];
  force: boolean;
}
