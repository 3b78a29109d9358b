// The graph that the page draws: numbered nodes, edges, and junctions where edges meet.

import type { GraphSpec } from "../api/types.ts";

export interface Graph {
  /** Names of jobs; null for a junction. */
  nodes: (string | null)[];
  edges: [number, number][];
  index: Map<string, number>;
  /** The number of edges on the longest path to each node. */
  layers: number[];
}

/** Reads a graph from any source; ignores invalid entries. */
export function readGraph(spec: GraphSpec | null, jobs: Iterable<string> = []): Graph {
  const graph: Graph = { nodes: [], edges: [], index: new Map(), layers: [] };
  for (const node of list(spec?.nodes)) addNode(graph, idOf(node));
  for (const job of jobs) addNode(graph, job);
  for (const edge of list(spec?.edges)) {
    const ends = endsOf(edge);
    if (ends) addEdge(graph, graph.index.get(ends[0]), graph.index.get(ends[1]));
  }
  for (const group of list(spec?.groups)) addGroup(graph, group);
  graph.layers = layersOf(graph.nodes.length, graph.edges);
  return graph;
}

/** Adds the jobs that a run started dynamically, connected to the jobs that started them. */
export function extend(graph: Graph, jobs: Iterable<{ name: string; startedBy: string | null }>): Graph {
  const wider: Graph = { ...graph, nodes: [...graph.nodes], edges: [...graph.edges], index: new Map(graph.index) };
  const added = [...jobs].filter((job) => !graph.index.has(job.name));
  for (const { name } of added) addNode(wider, name);
  for (const { name, startedBy } of added) {
    const from = startedBy ?? mapOf(name);
    if (from !== null) addEdge(wider, wider.index.get(from), wider.index.get(name));
  }
  wider.layers = layersOf(wider.nodes.length, wider.edges);
  return wider;
}

/** Returns `load` for `load[3]`; null for a name that is not a map element. */
export function mapOf(name: string): string | null {
  return /^(.+)\[\d+\]$/.exec(name)?.[1] ?? null;
}

function addNode(graph: Graph, id: string | null): void {
  if (id === null || graph.index.has(id)) return;
  graph.index.set(id, graph.nodes.length);
  graph.nodes.push(id);
}

function addEdge(graph: Graph, from: number | undefined, to: number | undefined): void {
  if (from !== undefined && to !== undefined && from !== to) graph.edges.push([from, to]);
}

/** Every target depends on every source: connects them through one junction. */
function addGroup(graph: Graph, group: unknown): void {
  if (typeof group !== "object" || group === null) return;
  const { sources, targets } = group as Record<string, unknown>;
  const meeting = graph.nodes.length;
  graph.nodes.push(null);
  for (const name of list(sources)) addEdge(graph, graph.index.get(String(name)), meeting);
  for (const name of list(targets)) addEdge(graph, meeting, graph.index.get(String(name)));
}

/** The longest path to each node, in one pass; nodes in a cycle keep the layer of its entry. */
function layersOf(count: number, edges: [number, number][]): number[] {
  const layers = new Array<number>(count).fill(0);
  const waits = new Array<number>(count).fill(0);
  const after: number[][] = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) {
    after[from]!.push(to);
    waits[to]! += 1;
  }
  const ready = waits.flatMap((n, node) => (n === 0 ? [node] : []));
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    for (const next of after[node]!) {
      layers[next] = Math.max(layers[next]!, layers[node]! + 1);
      if (--waits[next]! === 0) ready.push(next);
    }
  }
  return layers;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function idOf(node: unknown): string | null {
  if (typeof node === "string" || typeof node === "number") return String(node);
  if (typeof node !== "object" || node === null) return null;
  const { id, name } = node as Record<string, unknown>;
  const found = id ?? name;
  return typeof found === "string" || typeof found === "number" ? String(found) : null;
}

function endsOf(edge: unknown): [string, string] | null {
  if (Array.isArray(edge) && edge.length === 2) return [String(edge[0]), String(edge[1])];
  if (typeof edge !== "object" || edge === null) return null;
  const { source, target, from, to } = edge as Record<string, unknown>;
  const ends = [source ?? from, target ?? to];
  return ends.some((end) => end === undefined || end === null) ? null : [String(ends[0]), String(ends[1])];
}
