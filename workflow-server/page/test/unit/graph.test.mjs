import assert from "node:assert/strict";
import { test } from "node:test";
import { largeGraph } from "../mock/data.mjs";
import { load } from "./load.mjs";

const { extend, readGraph } = await load("graph/model.ts");
const { fold, stem, unfold } = await load("graph/groups.ts");
const { byDagre, inLayers, place } = await load("graph/layout.ts");
const { neighbour } = await load("graph/walk.ts");

const sizes = (drawing) => drawing.items.map(() => ({ width: 160, height: 40 }));

function acyclic({ items, edges }) {
  const waits = items.map((_, i) => edges.filter(([, to]) => to === i).length);
  const ready = waits.flatMap((n, i) => (n === 0 ? [i] : []));
  let seen = 0;
  for (let item = ready.pop(); item !== undefined; item = ready.pop()) {
    seen += 1;
    for (const [from, to] of edges) if (from === item && --waits[to] === 0) ready.push(to);
  }
  return seen === items.length;
}

// Few items, whose layout takes no time that anybody sees.
test("a graph of 2,000 jobs is drawn as a few groups", () => {
  const graph = readGraph(largeGraph());
  const drawing = fold(graph);
  place(drawing, sizes(drawing), "LR");
  assert.ok(drawing.items.length < 10, `${drawing.items.length} items`);
  assert.ok(acyclic(drawing));
});

test("grouping keeps every job and makes no cycle", () => {
  const nodes = Array.from({ length: 900 }, (_, i) => ({ id: `job_${i}` }));
  const edges = nodes.flatMap((_, i) => (i > 2 ? [{ source: `job_${(i * 7) % i}`, target: `job_${i}` }] : []));
  const graph = readGraph({ nodes, edges });
  const drawing = fold(graph);
  assert.ok(acyclic(drawing));
  assert.equal(drawing.items.flatMap((item) => item.members).length, 900);
  assert.equal(new Set(drawing.items.map((item) => item.key)).size, drawing.items.length);
});

test("a chain of 2,000 jobs becomes bands", () => {
  const nodes = Array.from({ length: 2000 }, (_, i) => ({ id: `${"abc"[i % 3]}${i}x${i % 7}` }));
  const edges = nodes.slice(1).map(({ id }, i) => ({ source: nodes[i].id, target: id }));
  const drawing = fold(readGraph({ nodes, edges }));
  assert.ok(drawing.items.length <= 150, `${drawing.items.length}`);
  assert.ok(acyclic(drawing));
});

test("elements of a map are grouped with their job", () => {
  const graph = extend(readGraph({ nodes: [{ id: "list" }, { id: "load" }, { id: "end" }], edges: [{ source: "list", target: "load" }, { source: "load", target: "end" }] }),
    Array.from({ length: 20 }, (_, i) => ({ name: `load[${i}]`, startedBy: "load" })));
  const drawing = fold(graph);
  assert.deepEqual(drawing.items.map((item) => [item.label, item.members.length]), [["list", 1], ["load[]", 21], ["end", 1]]);
  assert.ok(acyclic(drawing));
  assert.equal(stem("load[3]_7"), "load[]_#");
});

test("both layouts place items without overlap and edges forward", () => {
  const graph = readGraph({ nodes: Array.from({ length: 60 }, (_, i) => ({ id: `n${i}` })), edges: Array.from({ length: 59 }, (_, i) => ({ source: `n${Math.floor(i / 2)}`, target: `n${i + 1}` })) });
  const drawing = unfold(graph);
  for (const layout of [byDagre, inLayers]) {
    const { boxes } = layout(drawing, sizes(drawing), "LR");
    boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => assert.ok(a.x + a.width <= b.x + 0.5 || b.x + b.width <= a.x + 0.5 || a.y + a.height <= b.y + 0.5 || b.y + b.height <= a.y + 0.5)));
    for (const [from, to] of drawing.edges) assert.ok(boxes[from].x < boxes[to].x);
  }
});

test("2,000 separate jobs are laid out in layers, because dagre is too slow for them", () => {
  const drawing = unfold(readGraph(largeGraph()));
  assert.deepEqual(place(drawing, sizes(drawing), "LR"), inLayers(drawing, sizes(drawing), "LR"));
});

test("invalid entries of a graph are ignored", () => {
  const graph = readGraph({ nodes: [1, "a", { name: "b" }, null, { id: {} }], edges: [[1, "a"], { from: "a", to: "b" }, { source: "a", target: "gone" }, 7] });
  assert.deepEqual(graph.nodes, ["1", "a", "b"]);
  assert.deepEqual(graph.edges, [[0, 1], [1, 2]]);
});

test("an arrow key moves to the nearest item in its direction", () => {
  const boxes = [[0, 0], [100, 0], [100, 80], [200, 10]].map(([x, y]) => ({ x, y, width: 50, height: 20 }));
  assert.equal(neighbour(boxes, 0, "ArrowRight"), 1);
  assert.equal(neighbour(boxes, 1, "ArrowDown"), 2);
  assert.equal(neighbour(boxes, 0, "ArrowLeft"), null);
});
