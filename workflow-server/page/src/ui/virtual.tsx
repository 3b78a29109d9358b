// A virtual list: renders only the visible rows, all of one height.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

interface Props {
  count: number;
  rowHeight: number;
  height: number;
  label: string;
  row: (index: number, current: boolean) => ComponentChildren;
}

const BEYOND = 8;

/** Rows are buttons with `data-row`; arrow keys move between them. */
export function VirtualList({ count, rowHeight, height, label, row }: Props) {
  const element = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [current, setCurrent] = useState(0);
  const wanted = useRef<number | null>(null);
  const shown = Math.min(height, count * rowHeight + 2);
  const first = Math.max(0, Math.floor(top / rowHeight) - BEYOND);
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + BEYOND);
  const at = Math.min(current, count - 1);
  const reachable = at >= first && at < last ? at : Math.min(count - 1, Math.ceil(top / rowHeight));
  useLayoutEffect(() => {
    if (wanted.current === null) return;
    element.current?.querySelector<HTMLElement>(`[data-row="${wanted.current}"]`)?.focus({ preventScroll: true });
    wanted.current = null;
  });
  const onKey = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(height / rowHeight) - 1);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count, End: count }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(count - 1, reachable + step));
    wanted.current = next;
    setCurrent(next);
    const box = element.current!;
    if (next * rowHeight < box.scrollTop) box.scrollTop = next * rowHeight;
    if ((next + 1) * rowHeight > box.scrollTop + box.clientHeight) box.scrollTop = (next + 1) * rowHeight - box.clientHeight;
    setTop(box.scrollTop);
  };
  const rows = [];
  for (let index = first; index < last; index++) {
    rows.push(
      <li key={index} style={{ top: `${index * rowHeight}px`, height: `${rowHeight}px` }} aria-setsize={count} aria-posinset={index + 1}>
        {row(index, index === reachable)}
      </li>,
    );
  }
  return (
    <div ref={element} class="virtual" style={{ height: `${shown}px` }} onScroll={(event) => setTop(event.currentTarget.scrollTop)} onKeyDown={onKey}>
      <ul style={{ height: `${count * rowHeight}px` }} aria-label={label}>{rows}</ul>
    </div>
  );
}
