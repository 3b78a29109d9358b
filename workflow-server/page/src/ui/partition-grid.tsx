// A grid with a cell for each partition: days as calendars, other periods and keys in rows.

import { useMemo, useRef, useState } from "preact/hooks";
import type { JobStatus } from "../api/types.ts";
import type { Block, State } from "../live/assets.ts";

interface Props {
  blocks: Block[];
  /** The keys of the partitions, in the order of `states`. */
  keys: string[];
  states: State[];
  selected: number | null;
  select: (index: number) => void;
  label: string;
}

/** Cells are buttons; arrow keys move between them, and one of them is in the order of Tab. */
export function PartitionGrid({ blocks, keys, states, selected, select, label }: Props) {
  const root = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState(0);
  const at = Math.min(selected ?? current, keys.length - 1);
  const onKey = (event: KeyboardEvent) => {
    const from = Number((event.target as HTMLElement).dataset.cell ?? at);
    const step = stepOf(event.key, blocks[0]!, keys.length);
    if (step === null) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(keys.length - 1, from + step));
    setCurrent(next);
    root.current?.querySelector<HTMLElement>(`[data-cell="${next}"]`)?.focus();
  };
  const onClick = (event: MouseEvent) => {
    const cell = (event.target as HTMLElement).closest<HTMLElement>("[data-cell]");
    if (!cell) return;
    setCurrent(Number(cell.dataset.cell));
    select(Number(cell.dataset.cell));
  };
  return (
    <div ref={root} class="partition-grid" role="group" aria-label={label} onKeyDown={onKey} onClick={onClick}>
      {blocks.map((block) => <BlockView key={block.title} block={block} keys={keys} states={states} selected={within(block, selected)} current={within(block, current === at ? current : at)} />)}
    </div>
  );
}

/** The index, if its cell is in the block: other blocks need not be drawn again. */
function within({ cells }: Block, index: number | null): number | null {
  const [first, last] = [cells[0]!.index, cells[cells.length - 1]!.index];
  return index !== null && index >= Math.min(first, last) && index <= Math.max(first, last) ? index : null;
}

/** How far a key moves. Partitions come newest first, so that later ones have smaller indices. */
function stepOf(key: string, block: Block, count: number): number | null {
  const later = block.title === "" ? 1 : -1;
  const row = (block.columns || 1) * later;
  const steps: Record<string, number> = { ArrowRight: later, ArrowLeft: -later, ArrowDown: row, ArrowUp: -row, Home: -count, End: count };
  return steps[key] ?? null;
}

interface BlockProps {
  block: Block;
  keys: string[];
  states: State[];
  selected: number | null;
  current: number | null;
}

function BlockView({ block, keys, states, selected, current }: BlockProps) {
  const rows = block.columns > 0 ? Math.ceil((block.cells.length + block.cells[0]!.column - 1) / block.columns) : 1;
  const own = block.cells.map(({ index }) => `${states[index]!.word}${states[index]!.why}`).join(" ");
  const cells = useMemo(
    () => block.cells.map(({ index, text, column }) => (
      <Cell key={keys[index]!} index={index} partition={keys[index]!} text={text} column={column} state={states[index]!} selected={index === selected} current={index === current} />
    )),
    [block, own, selected, current],
  );
  return (
    <div class={`partition-block columns-${block.columns}`} style={{ containIntrinsicSize: `auto ${WIDTHS[block.columns] ?? 400}px auto ${26 + rows * 32}px` }}>
      {block.title && <h3>{block.title}</h3>}
      {block.columns === 7 && <p class="weekdays" aria-hidden="true">{["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"].map((day) => <span key={day}>{day}</span>)}</p>}
      <div class="partition-cells">{cells}</div>
    </div>
  );
}

/** The widths of blocks that are not drawn yet, by their columns. */
const WIDTHS: Record<number, number> = { 7: 300, 12: 520, 24: 1000 };

interface CellProps {
  index: number;
  partition: string;
  text: string;
  column: number;
  state: State;
  selected: boolean;
  current: boolean;
}

function Cell({ index, partition, text, column, state, selected, current }: CellProps) {
  const label = `${partition}, ${state.word}${state.why && `: ${state.why}`}`;
  return (
    <button type="button" class={`partition-cell s-${state.status}`} data-cell={index} tabIndex={current ? 0 : -1} aria-pressed={selected} aria-label={label} title={label}
      style={column > 0 ? { gridColumn: String(column) } : undefined}>
      <span>{text}</span>
      <Glyph state={state} />
    </button>
  );
}

/** The states of all cells, with their numbers. */
export function PartitionLegend({ states }: { states: State[] }) {
  const counts = new Map<string, { state: State; count: number }>();
  for (const state of states) {
    const known = counts.get(state.word);
    if (known) known.count += 1;
    else counts.set(state.word, { state, count: 1 });
  }
  return (
    <ul class="partition-legend" aria-label="Partitions by state">
      {[...counts.values()].map(({ state, count }) => (
        <li key={state.word}>
          <span class={`partition-cell s-${state.status}`} aria-hidden="true"><Glyph state={state} /></span>
          {count.toLocaleString("en")} {state.word}
        </li>
      ))}
    </ul>
  );
}

/** A sign beside the colour. */
function Glyph({ state: { status, why } }: { state: State }) {
  return <span class="glyph" aria-hidden="true">{status === "completed" && why ? "!" : GLYPHS[status]}</span>;
}

const GLYPHS: Record<JobStatus, string> = { completed: "✓", cancelled: "↻", pending: "–", failed: "✕", running: "▸", skipped: "–" };
