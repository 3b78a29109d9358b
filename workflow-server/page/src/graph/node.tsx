// The shapes of jobs, groups of jobs and junctions of edges.

import type { JobStatus } from "../api/types.ts";
import { StatusIcon } from "../ui/status.tsx";
import { shorten } from "../ui/format.ts";
import type { Box, Size } from "./layout.ts";

export const JOB: Size = { width: 172, height: 38 };
/** The size of a node with two lines of details. */
export const TALL: Size = { width: 220, height: 56 };
export const GROUP: Size = { width: 184, height: 52 };
export const MEETING: Size = { width: 10, height: 10 };
const CELL = 15;
const HEAD = 32;
const PAD = 8;

/** The size of an open group with `count` members. */
export function openSize(count: number): Size {
  const columns = columnsOf(count);
  return { width: Math.max(GROUP.width, columns * CELL + PAD * 2), height: HEAD + Math.ceil(count / columns) * CELL + PAD };
}

/** The position of a member in an open group. */
export function cellBox(group: Box, count: number, index: number): Box {
  const columns = columnsOf(count);
  const [column, row] = [index % columns, Math.floor(index / columns)];
  return { x: group.x + PAD + column * CELL, y: group.y + HEAD + row * CELL, width: CELL - 2, height: CELL - 2 };
}

function columnsOf(count: number): number {
  return Math.max(11, Math.ceil(Math.sqrt(count * 2)));
}

interface NodeProps {
  box: Box;
  label: string;
  status: JobStatus | null;
  detail: string;
  more: string;
  selected: boolean;
}

export function JobNode({ box, label, status, detail, more, selected }: NodeProps) {
  const left = status ? 30 : 12;
  const [room, small] = [7.3, 5.9].map((letter) => Math.floor((box.width - left - 8) / letter)) as [number, number];
  return (
    <>
      <rect class={`node s-${status ?? "none"} ${selected ? "selected" : ""}`} x={box.x} y={box.y} width={box.width} height={box.height} rx="6" />
      {status && <rect class={`node-edge s-${status}`} x={box.x} y={box.y + 6} width="3" height={box.height - 12} rx="1.5" />}
      {status && <StatusIcon status={status} x={box.x + 10} y={box.y + (box.height - 16) / 2} />}
      <text class="node-label" x={box.x + left} y={box.y + (detail ? 16.5 : 23)}>{shorten(label, room)}</text>
      {detail && <text class="node-detail" x={box.x + left} y={box.y + (more ? 32 : 30)}>{shorten(detail, small)}</text>}
      {more && <text class="node-detail" x={box.x + left} y={box.y + 47}>{shorten(more, small)}</text>}
    </>
  );
}

interface GroupProps {
  box: Box;
  label: string;
  counts: Map<JobStatus, number>;
  total: number;
  noun: string;
  open: boolean;
}

const ORDER: JobStatus[] = ["completed", "failed", "cancelled", "skipped", "running"];

export function GroupNode({ box, label, counts, total, noun, open }: GroupProps) {
  const width = box.width - 20;
  let x = box.x + 10;
  const parts = ORDER.flatMap((status) => {
    const part = ((counts.get(status) ?? 0) / total) * width;
    const at = x;
    x += part;
    return part > 0 ? [{ status, at, part }] : [];
  });
  return (
    <>
      {!open && <rect class="node-shadow" x={box.x + 4} y={box.y + 4} width={box.width} height={box.height} rx="6" />}
      <rect class={`node group ${open ? "open" : ""}`} x={box.x} y={box.y} width={box.width} height={box.height} rx="6" />
      <text class="node-label" x={box.x + 10} y={box.y + 19}>{`${open ? "▾" : "▸"} ${shorten(label, open ? 30 : 16)}`}</text>
      <text class="node-detail" x={box.x + box.width - 10} y={box.y + 19} text-anchor="end">{done(counts, total, noun)}</text>
      {!open && <rect class="bar-back" x={box.x + 10} y={box.y + 32} width={width} height="8" rx="2" />}
      {!open && parts.map(({ status, at, part }) => (
        <rect key={status} class={`bar s-${status}`} x={at} y={box.y + 32} width={part} height="8" />
      ))}
    </>
  );
}

function done(counts: Map<JobStatus, number>, total: number, noun: string): string {
  if (counts.size === 0) return `${total} ${noun}s`;
  const failed = counts.get("failed") ?? 0;
  const over = (counts.get("completed") ?? 0) + failed + (counts.get("cancelled") ?? 0) + (counts.get("skipped") ?? 0);
  return `${failed ? `${failed} ✕ · ` : ""}${over}/${total}`;
}

export function Cell({ box, status, selected }: { box: Box; status: JobStatus | null; selected: boolean }) {
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  return (
    <>
      <rect class={`cell s-${status ?? "none"} ${selected ? "selected" : ""}`} x={box.x} y={box.y} width={box.width} height={box.height} rx="2.5" />
      {status === "failed" && <path class="cell-mark" d={`M${x - 3} ${y - 3}l6 6m0-6l-6 6`} />}
      {status === "completed" && <path class="cell-mark" d={`M${x - 3} ${y}l2 2.4 4-4.4`} />}
      {status === "running" && <circle class="cell-mark" cx={x} cy={y} r="2.5" />}
      {(status === "skipped" || status === "cancelled") && <path class="cell-mark" d={`M${x - 3} ${y + 3}l6-6`} />}
    </>
  );
}
