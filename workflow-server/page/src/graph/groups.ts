// Groups the jobs of a large graph. Pure.
//
// A group contains only jobs of one layer, of adjacent layers, or of one map. So all edges still
// point forward, and the drawing has no cycle.

import { mapOf, type Graph } from "./model.ts";

export interface Item {
  /** Identifies the item when the graph is drawn again. */
  key: string;
  label: string;
  /** The nodes of the graph; a group has more than one. */
  members: number[];
  kind: "job" | "group" | "meeting";
}

export interface Drawing {
  items: Item[];
  edges: [number, number][];
}

/** The most items that are drawn without groups (maps are always grouped). */
export const LIMIT = 150;
/** The fewest jobs with similar names that form a group in a large graph. */
const ALIKE = 3;
/** The fewest elements for which a map is grouped in any graph. */
const MAP = 8;

export function fold(graph: Graph, limit = LIMIT): Drawing {
  const one = graph.nodes.map((_, node) => String(node));
  const byMap = joined(graph, one, mapKey, MAP);
  if (distinct(byMap) <= limit) return draw(graph, byMap);
  const byStem = joined(graph, byMap, stemKey, ALIKE);
  if (distinct(byStem) <= limit) return draw(graph, byStem);
  const depth = Math.max(0, ...graph.layers) + 1;
  const band = Math.max(1, Math.ceil(depth / limit));
  const byLayer = graph.nodes.map((_, node) => `band ${Math.floor(graph.layers[node]! / band)}`);
  return draw(graph, byLayer);
}

/** Draws every job on its own. */
export function unfold(graph: Graph): Drawing {
  return draw(graph, graph.nodes.map((_, node) => String(node)));
}

type Key = (graph: Graph, node: number) => string | null;

/** Groups the elements of a map with the job of the map, or by layer if the graph has no such job. */
function mapKey(graph: Graph, node: number): string | null {
  const name = graph.nodes[node];
  if (name === null || name === undefined) return null;
  const map = mapOf(name);
  if (map === null) return graph.index.has(`${name}[0]`) ? `map ${name}` : null;
  return graph.index.has(map) ? `map ${map}` : `map ${map} ${graph.layers[node]}`;
}

/** Groups names of one layer that differ only in their numbers. */
function stemKey(graph: Graph, node: number): string | null {
  const name = graph.nodes[node];
  if (name === null || name === undefined) return `meeting ${graph.layers[node]}`;
  return `stem ${graph.layers[node]} ${stem(name)}`;
}

export function stem(name: string): string {
  return name.replace(/\[\d+\]/g, "[]").replace(/\d+/g, "#");
}

function joined(graph: Graph, keys: string[], by: Key, least: number): string[] {
  const wanted = keys.map((key, node) => (/^\d+$/.test(key) ? by(graph, node) : null));
  const sizes = new Map<string, number>();
  for (const key of wanted) if (key !== null) sizes.set(key, (sizes.get(key) ?? 0) + 1);
  return keys.map((key, node) => {
    const group = wanted[node] ?? null;
    return group !== null && sizes.get(group)! >= least ? group : key;
  });
}

function distinct(keys: string[]): number {
  return new Set(keys).size;
}

function draw(graph: Graph, keys: string[]): Drawing {
  const places = new Map<string, number>();
  const items: Item[] = [];
  keys.forEach((key, node) => {
    let place = places.get(key);
    if (place === undefined) {
      place = items.length;
      places.set(key, place);
      items.push({ key, label: "", members: [], kind: "job" });
    }
    items[place]!.members.push(node);
  });
  for (const item of items) name(graph, item);
  const seen = new Set<number>();
  const edges: [number, number][] = [];
  for (const [from, to] of graph.edges) {
    const [a, b] = [places.get(keys[from]!)!, places.get(keys[to]!)!];
    const pair = a * items.length + b;
    if (a === b || seen.has(pair)) continue;
    seen.add(pair);
    edges.push([a, b]);
  }
  return { items, edges };
}

function name(graph: Graph, item: Item): void {
  const names = item.members.map((node) => graph.nodes[node]).filter((text) => text != null);
  const first = names[0];
  if (first === undefined) {
    item.kind = "meeting";
    return;
  }
  item.key = item.members.length === 1 ? `job ${first}` : item.key;
  item.label = item.members.length === 1 ? first : groupLabel(item.key, names);
  item.kind = item.members.length === 1 ? "job" : "group";
}

function groupLabel(key: string, names: string[]): string {
  const map = /^map (.+?)(?: \d+)?$/.exec(key);
  if (map) return `${mapOf(names.find((name) => mapOf(name)) ?? "") ?? map[1]}[]`;
  const stems = new Set(names.map(stem));
  if (stems.size === 1) return [...stems][0]!.replace(/#/g, "…");
  const common = prefix(names);
  return common.length >= 2 ? `${common}…` : `${names[0]} …`;
}

function prefix(names: string[]): string {
  let common = names[0] ?? "";
  for (const name of names) {
    while (!name.startsWith(common)) common = common.slice(0, -1);
  }
  return common;
}
