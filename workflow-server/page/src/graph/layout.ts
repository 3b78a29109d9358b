// Lays out a drawing. Pure. Small drawings use dagre, large ones a single pass.

import { Graph as Dagre, layout as dagreLayout } from "@dagrejs/dagre";
import type { Drawing } from "./groups.ts";

export interface Size {
  width: number;
  height: number;
}

export interface Box extends Size {
  /** The upper left corner. */
  x: number;
  y: number;
}

export interface Layout extends Size {
  boxes: Box[];
  /** The points of each edge. */
  paths: { x: number; y: number }[][];
}

export type Direction = "LR" | "TB";

/** The most items and edges for dagre: it is too slow beyond. */
const DAGRE_ITEMS = 220;
const DAGRE_EDGES = 600;
const GAP = 18;
const RANK_GAP = 40;

export function place(drawing: Drawing, sizes: Size[], direction: Direction): Layout {
  const small = drawing.items.length <= DAGRE_ITEMS && drawing.edges.length <= DAGRE_EDGES;
  return small ? byDagre(drawing, sizes, direction) : inLayers(drawing, sizes, direction);
}

export function byDagre({ items, edges }: Drawing, sizes: Size[], direction: Direction): Layout {
  const graph = new Dagre();
  graph.setGraph({ rankdir: direction, nodesep: GAP, ranksep: RANK_GAP, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  items.forEach((_, item) => graph.setNode(String(item), { ...sizes[item]! }));
  for (const [from, to] of edges) graph.setEdge(String(from), String(to));
  dagreLayout(graph);
  const boxes = items.map((_, item) => {
    const node = graph.node(String(item)) as Box;
    return { width: node.width, height: node.height, x: node.x - node.width / 2, y: node.y - node.height / 2 };
  });
  const paths = edges.map(([from, to]) => {
    const edge = graph.edge(String(from), String(to)) as { points?: { x: number; y: number }[] };
    // An edge between adjacent layers needs no points in between.
    const between = edge.points && edge.points.length > 3 ? edge.points.slice(1, -1) : [];
    const [begin, end] = straight(boxes[from]!, boxes[to]!, direction);
    return [begin!, ...between, end!];
  });
  const { width, height } = graph.graph() as Size;
  return { width, height, boxes, paths };
}

/** Places layers side by side, each sorted by its predecessors; wide layers take several lines. */
export function inLayers({ items, edges }: Drawing, sizes: Size[], direction: Direction): Layout {
  const layers = layersOf(items.length, edges);
  order(layers, edges, items.length);
  const boxes = new Array<Box>(items.length);
  const across = direction === "LR" ? "height" : "width";
  const along = direction === "LR" ? "width" : "height";
  const lines = Math.max(6, Math.ceil(Math.sqrt(items.length) * 1.5));
  let position = 8;
  let widest = 0;
  for (const layer of layers) {
    for (let begin = 0; begin < layer.length; begin += lines) {
      const line = layer.slice(begin, begin + lines);
      let offset = 8;
      for (const item of line) {
        const size = sizes[item]!;
        const [x, y] = direction === "LR" ? [position, offset] : [offset, position];
        boxes[item] = { ...size, x, y };
        offset += size[across] + GAP;
      }
      widest = Math.max(widest, offset);
      position += Math.max(...line.map((item) => sizes[item]![along])) + GAP;
    }
    position += RANK_GAP - GAP;
  }
  const paths = edges.map(([from, to]) => straight(boxes[from]!, boxes[to]!, direction));
  return direction === "LR"
    ? { width: position, height: widest, boxes, paths }
    : { width: widest, height: position, boxes, paths };
}

function straight(from: Box, to: Box, direction: Direction): { x: number; y: number }[] {
  return direction === "LR"
    ? [{ x: from.x + from.width, y: from.y + from.height / 2 }, { x: to.x, y: to.y + to.height / 2 }]
    : [{ x: from.x + from.width / 2, y: from.y + from.height }, { x: to.x + to.width / 2, y: to.y }];
}

function layersOf(count: number, edges: [number, number][]): number[][] {
  const layer = new Array<number>(count).fill(0);
  const waits = new Array<number>(count).fill(0);
  const after: number[][] = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) {
    after[from]!.push(to);
    waits[to]! += 1;
  }
  const ready = waits.flatMap((n, item) => (n === 0 ? [item] : []));
  for (let item = ready.pop(); item !== undefined; item = ready.pop()) {
    for (const next of after[item]!) {
      layer[next] = Math.max(layer[next]!, layer[item]! + 1);
      if (--waits[next]! === 0) ready.push(next);
    }
  }
  const layers: number[][] = [];
  layer.forEach((place, item) => (layers[place] ??= []).push(item));
  return layers.filter((items) => items !== undefined);
}

/** Sorts each layer by the mean position of its predecessors. */
function order(layers: number[][], edges: [number, number][], count: number): void {
  const before: number[][] = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) before[to]!.push(from);
  const position = new Array<number>(count).fill(0);
  for (const layer of layers) {
    const middle = new Map(layer.map((item, index) => [item, mean(before[item]!.map((b) => position[b]!)) ?? index]));
    layer.sort((a, b) => middle.get(a)! - middle.get(b)! || a - b);
    layer.forEach((item, index) => (position[item] = index / layer.length));
  }
}

function mean(values: number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
