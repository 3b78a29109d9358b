// The routes of the mock API.

import { randomUUID } from "node:crypto";
import { assetItem, planOf } from "./assets.mjs";
import { gantt, jobDetail, overview, queues, runDetail, runItem, stats, usage, why, workflowDetail, workflowItem } from "./views.mjs";

class Refused extends Error {
  constructor(status, title, more = {}) {
    super(title);
    Object.assign(this, { status, body: { type: "about:blank", title, status, ...more } });
  }
}

export async function api(world, request, response, url, path) {
  const body = await read(request);
  const call = { world, request, response, url, path, body, query: url.searchParams, session: sessionOf(world, request) };
  try {
    const answer = await route(call);
    if (answer === STREAMING) return;
    const [status, value] = Array.isArray(answer) ? answer : [200, answer];
    world.contract?.check(request.method, path, status, typeof value === "string" ? undefined : value);
    if (typeof value === "string") return response.writeHead(status, { "content-type": "text/yaml" }).end(value);
    response.writeHead(status, { "content-type": "application/json" }).end(status === 204 ? undefined : JSON.stringify(value));
  } catch (error) {
    if (!(error instanceof Refused)) {
      world.faults.push(error.message);
      throw error;
    }
    response.writeHead(error.status, { "content-type": "application/problem+json" }).end(JSON.stringify(error.body));
  }
}

const STREAMING = Symbol("streaming");

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const text = Buffer.concat(parts).toString();
  return request.headers["content-type"]?.includes("json") && text ? JSON.parse(text) : text;
}

function sessionOf(world, request) {
  const id = /session=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
  return world.sessions.get(id) ?? null;
}

function sessionBody({ world, session }) {
  const user = session && world.users.find((entry) => entry.username === session.username);
  return { user: user ? { username: user.username, is_staff: user.is_staff } : null, open: world.open, csrf: session?.csrf ?? null, allow_commands: true, version: "0.1.0" };
}

function route(call) {
  const { request, path, session, world } = call;
  const parts = path.split("/").map(decodeURIComponent);
  const key = `${request.method} ${parts[0]}`;
  if (key === "GET session") return sessionBody(call);
  if (key === "POST session") return signIn(call);
  if (!session && !world.open) throw new Refused(401, "sign in first");
  if (request.method !== "GET" && session && request.headers["x-csrf-token"] !== session.csrf) throw new Refused(403, "The CSRF token is missing or wrong");
  if (key === "DELETE session") return world.sessions.delete(session.id), [204];
  if (parts[0] === "workflows") return workflowRoutes(call, parts);
  if (parts[0] === "runs") return runRoutes(call, parts);
  if (key === "GET workers" || key === "GET queues") {
    if (!staff(call)) throw new Refused(403, "Staff only");
    return parts[0] === "workers" ? { items: world.workers, next: null } : queues(world.runs, world.workers);
  }
  if (parts[0] === "users" || parts[0] === "tokens" || parts[0] === "retention") return adminRoutes(call, parts);
  if (key === "GET overview") return overview(seenRuns(call), seenWorkflows(call));
  if (key === "GET usage") return usage;
  if (key === "GET assets") return assetRoutes(call, parts);
  if (key === "GET asset-plan") return planOf(world.assets, query(call));
  if (key === "GET stats") return stats(world.find(call.query.get("workflow")) ?? world.workflows[0]);
  if (key === "GET configs") return parts[1] ? { name: parts[1], files: ["config/daily_etl.yaml"], config: { queue: "critical", limits: { jobs: 8 }, password: "********" } } : { items: [{ name: "daily_etl", file: "config/daily_etl.yaml", profiles: [] }], next: null };
  throw new Refused(404, "No such route");
}

const query = ({ query }) => Object.fromEntries(query);

function assetRoutes(call, [, name, part]) {
  const { assets } = call.world;
  if (!name) return { items: assets.map(assetItem), next: null };
  const asset = assets.find((entry) => entry.name === name);
  if (!asset) throw new Refused(404, "Not Found", { detail: `no asset is named \`${name}\`; this program has ${assets.length} assets` });
  if (part === "partitions") return page(asset.states, call, (state) => state);
  if (part === "materializations") {
    const partition = call.query.get("partition");
    return page(asset.records.filter((made) => !partition || made.partition === partition), call, (made) => made);
  }
  return assetItem(asset);
}

function signIn({ world, response, body }) {
  const user = world.users.find((entry) => entry.username === body.username && entry.password === body.password && entry.is_active);
  if (!user) throw new Refused(401, "wrong user name or password");
  const session = { id: randomUUID(), csrf: randomUUID(), username: user.username };
  world.sessions.set(session.id, session);
  response.setHeader("set-cookie", `session=${session.id}; HttpOnly; SameSite=Strict; Path=/`);
  return sessionBody({ world, session });
}

const staff = ({ world, session }) => world.open || world.users.find((user) => user.username === session.username)?.is_staff;
const seenWorkflows = (call) => call.world.workflows.filter((workflow) => staff(call) || workflow.user === call.session.username);
const seenRuns = (call) => call.world.runs.filter((run) => staff(call) || run.user === call.session.username);

function page(items, { query }, view) {
  const limit = Number(query.get("limit") ?? 50);
  const from = Number(query.get("cursor") ?? 0);
  return { items: items.slice(from, from + limit).map(view), next: from + limit < items.length ? String(from + limit) : null };
}

function workflowRoutes(call, [, key, part, number]) {
  const { request, query, world, body } = call;
  if (!key) return request.method === "POST" ? create(call) : page(filtered(call), call, (workflow) => workflowItem(workflow, world.runs));
  const workflow = seenWorkflows(call).includes(world.find(key)) ? world.find(key) : null;
  if (!workflow) throw new Refused(404, `No workflow \`${key}\``);
  if (part === "run") {
    if (body.input === "refuse") throw new Refused(422, "The input does not fit", { errors: [{ field: "input.day", message: "invalid date" }] });
    const { input = null, task_queue = null, priority } = body;
    const options = { input, task_queue, priority, user: call.session?.username ?? null };
    if (task_queue === null) return begun(world.begin(workflow, options));
    const [status, started] = begun(world.enqueue(workflow, options), "Run queued");
    return [status, { ...started, warning: `no live worker serves task queue \`${task_queue}\`; the run waits for one` }];
  }
  if (part === "runs") {
    const runs = world.runs.filter((run) => run.workflow === workflow && (!query.get("status") || run.status === query.get("status")));
    return page(runs.sort((a, b) => b.at - a.at), call, runItem);
  }
  if (part === "source") {
    if (workflow.yaml === null) throw new Refused(404, "no source is stored");
    return workflow.yaml;
  }
  if (part === "versions") {
    const written = versions(workflow);
    if (!number) return page(written.map(({ yaml, ...version }) => version), call, (version) => version);
    const found = written.find(({ version }) => String(version) === number);
    if (!found) throw new Refused(404, `No version ${number}`);
    return found;
  }
  if (request.method === "PATCH") {
    const { merge_metadata, ...rest } = body;
    if (rest.yaml && rest.yaml !== workflow.yaml) {
      const before = versions(workflow);
      workflow.version += 1;
      replaced.set(workflow, [{ version: workflow.version, author: call.session?.username ?? null, created_at: new Date().toISOString(), yaml: rest.yaml }, ...before]);
    }
    return workflowDetail(Object.assign(workflow, rest, { updated_at: new Date().toISOString() }), world.runs);
  }
  if (request.method === "DELETE") {
    world.workflows = world.workflows.filter((other) => other !== workflow);
    return { deleted_runs: 3 };
  }
  return workflowDetail(workflow, world.runs);
}

/** The versions of workflows whose file was changed. */
const replaced = new WeakMap();

/** The versions of a workflow file, newest first. */
function versions(workflow) {
  if (workflow.yaml === null) return [];
  return replaced.get(workflow) ?? [{ version: workflow.version, author: workflow.user, created_at: workflow.created_at, yaml: workflow.yaml }];
}

function filtered(call) {
  const { query, world } = call;
  const has = (name, test) => !query.get(name) || test(query.get(name));
  const newest = (workflow) => world.runs.filter((run) => run.workflow === workflow).sort((a, b) => b.at - a.at)[0]?.status;
  const list = seenWorkflows(call).filter((w) => has("q", (q) => `${w.name} ${w.description}`.toLowerCase().includes(q.toLowerCase())) && has("project", (p) => w.project === p) && has("domain", (d) => w.domain === d) && has("tag", (t) => w.tags.includes(t)) && has("status", (s) => newest(w) === s));
  const sorts = { created: (a, b) => (a.created_at < b.created_at ? 1 : -1), executed: (a, b) => b.execution_count - a.execution_count };
  return query.get("sort_by") in sorts ? list.sort(sorts[query.get("sort_by")]) : list;
}

function create({ world, body, session }) {
  const name = /^name:\s*"?([\w-]+)/m.exec(body)?.[1];
  const line = body.split("\n").findIndex((text) => text.includes("\t")) + 1;
  if (line > 0) throw new Refused(422, "The workflow file cannot be read", { detail: "1 error", errors: [{ field: "jobs[0].command", message: `tabs are not allowed here: line ${line}, column 1` }] });
  if (!name) throw new Refused(422, "The workflow file cannot be read", { errors: [{ field: "name", message: "missing field `name`: line 1, column 1" }] });
  if (world.find(name)) throw new Refused(409, `workflow \`${name}\` already exists`);
  const jobs = [...body.matchAll(/^\s+- name:\s*"?([\w-]+)/gm)].map(([, job]) => ({ id: job }));
  const edges = jobs.slice(1).map(({ id }, i) => ({ source: jobs[i].id, target: id }));
  const made = { ...world.workflows[4], id: world.workflows.length + 1, name, slug: name.replace(/_/g, "-"), description: null, tags: [], schedule: null, next_run_at: null, execution_count: 0, last_executed_at: null, dag_spec: { nodes: jobs, edges }, yaml: body, user: session?.username ?? null };
  world.workflows.push(made);
  return [201, workflowDetail(made, world.runs)];
}

const begun = (run, message = "Run started") => [202, { run_id: run.id, workflow_id: run.workflow.id, message }];

function runRoutes(call, [, key, part, job]) {
  const { request, query, world, body } = call;
  if (!key) {
    const runs = seenRuns(call).filter((run) => (!query.get("status") || run.status === query.get("status")) && (!query.get("workflow") || run.workflow.name === query.get("workflow")) && run.workflow.name.includes(query.get("q") ?? ""));
    return page(runs.sort((a, b) => b.at - a.at), call, runItem);
  }
  const run = seenRuns(call).includes(world.run(key)) ? world.run(key) : null;
  if (!run) throw new Refused(404, `No run \`${key}\``);
  if (part === "cancel") return run.cancel(), begun(run, "Cancellation requested");
  if (part === "retry") return begun(world.begin(run.workflow, { input: run.input, user: run.user, retry_of: run.id }, { trouble: 0 }));
  if (part === "signal") {
    run.emitEvent("signal_received", { job: "wait_for_signature", attempt: 1, signal: body.name, payload: body.payload });
    run.awaiting = null;
    run.complete("wait_for_signature");
    return begun(run, "Signal sent");
  }
  if (part === "why") return why(run, world.workers);
  if (part === "gantt") return gantt(run);
  if (part === "tables") {
    const tables = run.tables ?? [];
    if (!job) return { items: tables.map(({ name, job, place, written }) => ({ name, job, place, written })), next: null };
    const table = tables.find(({ name }) => name === job);
    if (!table) throw new Refused(404, `No table \`${job}\``);
    if (!table.columns) throw new Refused(409, `cannot read \`${table.place}\`: the file is not on this machine`);
    return table;
  }
  if (part === "jobs") {
    const found = jobDetail(run, job);
    if (!found) throw new Refused(404, `No job \`${job}\``);
    return found;
  }
  if (part === "events" || part === "logs") return stream(call, run, part);
  return request.method === "GET" ? runDetail(run) : [405, {}];
}

function stream({ world, request, response, query }, run, part) {
  if (world.down) throw new Refused(503, "Not now");
  const after = Number(request.headers["last-event-id"] ?? query.get("after") ?? -1);
  const wanted = (record) => (!query.get("job") || record.job === query.get("job")) && (!query.get("attempt") || String(record.attempt) === query.get("attempt"));
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  world.streams.add(response);
  const event = (e) => response.write(`id: ${e.sequence}\nevent: ${e.event}\ndata: ${JSON.stringify(e)}\n\n`);
  const log = (record) => wanted(record) && response.write(`id: ${record.end}\ndata: ${JSON.stringify(record)}\n\n`);
  const end = () => response.end(`event: end\ndata: {"status":"${run.status}"}\n\n`);
  if (part === "events") run.events.filter((e) => e.sequence > after).forEach(event);
  else run.logs.filter((record) => record.end > after).forEach(log);
  const deleted = () => response.end('event: end\ndata: {"deleted":true}\n\n');
  run.on("deleted", deleted);
  if (run.over) end();
  else run.on(part === "events" ? "event" : "log", part === "events" ? event : log).on("end", end);
  response.on("close", () => {
    world.streams.delete(response);
    run.off("event", event).off("log", log).off("end", end).off("deleted", deleted);
  });
  return STREAMING;
}

function adminRoutes(call, [what, id]) {
  const { request, world, body } = call;
  const { method } = request;
  if (what !== "tokens" && !staff(call)) throw new Refused(403, "Staff only");
  if (what === "retention") return { deleted: 12 };
  if (what === "tokens") {
    if (method === "POST") {
      const token = { id: world.tokens.length + 1, name: body.name, scope: body.scope, user: call.session?.username ?? "somebody", created_at: new Date().toISOString(), expires_at: new Date(Date.now() + 30 * 864e5).toISOString() };
      world.tokens.push(token);
      return [201, { ...token, token: `wf_${randomUUID().replace(/-/g, "")}` }];
    }
    if (method === "DELETE") return (world.tokens = world.tokens.filter((token) => String(token.id) !== id)), [204];
    return { items: world.tokens, next: null };
  }
  const bare = ({ password, ...user }) => ({ ...user, has_password: true });
  const user = world.users.find((entry) => entry.username === id);
  if (method === "POST") {
    if ((body.password ?? "").length < 8) throw new Refused(422, "invalid password", { errors: [{ field: "password", message: "must have at least 8 characters" }] });
    const made = { is_active: true, ...body };
    world.users.push(made);
    return [201, bare(made)];
  }
  if (method === "PATCH") return bare(Object.assign(user, body));
  if (method === "DELETE") return (world.users = world.users.filter((entry) => entry !== user)), [204];
  return { items: world.users.map(bare), next: null };
}
