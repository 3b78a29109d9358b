// A graph of jobs or of assets, with colours and keyboard navigation.

import { useMemo, useRef, useState } from "preact/hooks";
import type { JobStatus } from "../api/types.ts";
import { plural } from "../ui/format.ts";
import { Canvas } from "./canvas.tsx";
import { fold, LIMIT, unfold, type Item } from "./groups.ts";
import { place, type Box, type Direction, type Size } from "./layout.ts";
import type { Graph } from "./model.ts";
import { Cell, cellBox, GROUP, GroupNode, JOB, JobNode, MEETING, openSize } from "./node.tsx";
import { curve } from "./path.ts";
import { isArrow, neighbour } from "./walk.ts";

export interface Look {
  status: JobStatus;
  detail: string;
  /** What the status is called, if its own name does not fit. */
  word?: string;
  /** A second line of details. */
  more?: string;
}

interface Props {
  graph: Graph;
  label: string;
  /** What the nodes are, in the singular. */
  noun?: string;
  size?: Size;
  /** The current status of a node; absent in the graph of a workflow. */
  look?: (name: string) => Look | null;
  selected: string | null;
  select: (name: string) => void;
}

/** An element that can have the keyboard focus. */
interface Stop {
  id: string;
  box: Box;
  /** A job by name, or a group by key. */
  job: string | null;
  group: string | null;
}

export function GraphView({ graph, label, noun = "job", size = JOB, look, selected, select }: Props) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [all, setAll] = useState(false);
  const [current, setCurrent] = useState<string | null>(null);
  const root = useRef<SVGGElement>(null);
  const direction: Direction = window.innerWidth < 640 ? "TB" : "LR";
  const drawing = useMemo(() => (all ? unfold(graph) : fold(graph)), [graph, all]);
  const layout = useMemo(
    () => place(drawing, drawing.items.map((item) => sizeOf(item, open.has(item.key), size)), direction),
    [drawing, open, direction, size],
  );
  const stops = useMemo(() => stopsOf(drawing.items, layout.boxes, open, graph), [drawing, layout, open]);
  const edges = useMemo(() => layout.paths.map((points) => curve(points, direction)).join(""), [layout]);
  const folded = drawing.items.some((item) => item.kind === "group");
  const at = stops.find((stop) => stop.id === current) ?? stops.find((stop) => stop.job === selected) ?? stops[0];

  const toggle = (key: string) => {
    const next = new Set(open);
    if (!next.delete(key)) next.add(key);
    setOpen(next);
  };
  const act = (stop: Stop) => (stop.job !== null ? select(stop.job) : toggle(stop.group!));
  const onKey = (event: KeyboardEvent) => {
    if (event.shiftKey || !at) return;
    if (event.key === "Enter" || event.key === " ") act(at);
    else if (isArrow(event.key)) {
      const next = neighbour(stops.map((stop) => stop.box), stops.indexOf(at), event.key);
      const stop = next === null ? undefined : stops[next];
      if (stop) {
        setCurrent(stop.id);
        root.current?.querySelector<SVGElement>(`[data-stop="${CSS.escape(stop.id)}"]`)?.focus();
      }
    } else return;
    event.preventDefault();
  };
  const tools = (
    <>
      <span class="muted">{plural(graph.index.size, noun)}{folded ? `, drawn as ${drawing.items.length}` : ""}</span>
      {(folded || all) && graph.nodes.length <= 3000 && (
        <button type="button" aria-pressed={all} onClick={() => setAll(!all)}>{all ? `Group ${noun}s` : `Show all ${noun}s`}</button>
      )}
    </>
  );
  return (
    <Canvas size={layout} label={label} fitKey={`${direction} ${all} ${graph.nodes.length > LIMIT} ${drawing.items.length}`} tools={tools}>
      <path class="edges" d={edges} />
      <g ref={root} onKeyDown={onKey}>
        {drawing.items.map((item, index) => <Shape key={item.key} item={item} box={layout.boxes[index]!} open={open.has(item.key)} graph={graph} noun={noun} look={look} />)}
        {stops.map((stop) => (
          <StopShape key={stop.id} stop={stop} look={look} graph={graph} noun={noun} drawing={drawing.items} current={stop === at}
            open={stop.group !== null && open.has(stop.group)} selected={stop.job !== null && stop.job === selected}
            focused={() => setCurrent(stop.id)} act={() => act(stop)} />
        ))}
      </g>
    </Canvas>
  );
}

function sizeOf(item: Item, open: boolean, size: Size) {
  if (item.kind === "meeting") return MEETING;
  if (item.kind === "job") return size;
  return open ? openSize(item.members.length) : GROUP;
}

function stopsOf(items: Item[], boxes: Box[], open: ReadonlySet<string>, graph: Graph): Stop[] {
  return items.flatMap((item, index) => {
    const box = boxes[index]!;
    if (item.kind === "meeting") return [];
    if (item.kind === "job") return [{ id: item.key, box, job: item.label, group: null }];
    const head: Stop = { id: item.key, box: open.has(item.key) ? { ...box, height: 28 } : box, job: null, group: item.key };
    if (!open.has(item.key)) return [head];
    const named = item.members.filter((node) => graph.nodes[node] !== null);
    return [head, ...named.map((node, i) => {
      const name = graph.nodes[node]!;
      return { id: `job ${name}`, box: cellBox(box, named.length, i), job: name, group: null };
    })];
  });
}

interface ShapeProps {
  item: Item;
  box: Box;
  open: boolean;
  graph: Graph;
  noun: string;
  look: Props["look"];
}

/** The shapes below the stops: junctions, and the frames of groups. */
function Shape({ item, box, open, graph, noun, look }: ShapeProps) {
  if (item.kind === "job") return null;
  if (item.kind === "meeting") return <circle class="meeting" cx={box.x + 5} cy={box.y + 5} r="4" />;
  const counts = countsOf(item, graph, look);
  return <GroupNode box={box} label={item.label} counts={counts} total={item.members.length} noun={noun} open={open} />;
}

interface StopProps {
  stop: Stop;
  drawing: Item[];
  graph: Graph;
  noun: string;
  look: Props["look"];
  current: boolean;
  open: boolean;
  selected: boolean;
  act: () => void;
  focused: () => void;
}

function StopShape({ stop, drawing, graph, noun, look, current, open, selected, act, focused }: StopProps) {
  const seen = stop.job !== null ? (look?.(stop.job) ?? null) : null;
  const item = stop.group !== null ? drawing.find((entry) => entry.key === stop.group) : undefined;
  const label = item ? groupName(item, noun, wordsOf(item, graph, look)) : stopName(stop.job!, seen);
  const small = stop.box.width < 20;
  const drawn = { box: stop.box, status: seen?.status ?? null, selected };
  return (
    <>
      {/* The drawing shortens names; the accessible label does not. */}
      {!item && (
        <g aria-hidden="true">
          {small ? <Cell {...drawn} /> : <JobNode {...drawn} label={stop.job!} detail={seen?.detail ?? ""} more={seen?.more ?? ""} />}
        </g>
      )}
      <g class="stop" role="button" data-stop={stop.id} tabindex={current ? 0 : -1} aria-label={label}
        aria-expanded={item ? open : undefined} aria-pressed={item ? undefined : selected} onClick={act} onFocus={focused}>
        <title>{label}</title>
        <rect class="hit" {...rect(stop.box)} rx={small ? 2.5 : 6} />
        <rect class="focus-ring" x={stop.box.x - 2} y={stop.box.y - 2} width={stop.box.width + 4} height={stop.box.height + 4} rx="7" />
      </g>
    </>
  );
}

function rect({ x, y, width, height }: Box) {
  return { x, y, width, height };
}

function looksOf(item: Item, graph: Graph, look: Props["look"]): Look[] {
  if (!look) return [];
  const names = item.members.flatMap((node) => graph.nodes[node] ?? []);
  return names.map((name) => look(name) ?? { status: "pending", detail: "" });
}

function countsOf(item: Item, graph: Graph, look: Props["look"]): Map<JobStatus, number> {
  return counted(looksOf(item, graph, look).map(({ status }) => status));
}

function wordsOf(item: Item, graph: Graph, look: Props["look"]): Map<string, number> {
  return counted(looksOf(item, graph, look).map(wordOf));
}

function counted<T>(values: T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

function wordOf({ status, word }: Look): string {
  return word ?? status;
}

function groupName(item: Item, noun: string, counts: Map<string, number>): string {
  const parts = [...counts].map(([word, count]) => `${count} ${word}`);
  return [`Group ${item.label}`, plural(item.members.length, noun), ...parts].join(", ");
}

function stopName(name: string, look: Look | null): string {
  if (!look) return name;
  const word = wordOf(look);
  return [name, look.detail.startsWith(word) ? "" : word, look.detail, look.more].filter(Boolean).join(", ");
}
