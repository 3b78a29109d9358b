// A canvas with pan and zoom by mouse, touch and keyboard.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Size } from "./layout.ts";

interface View {
  x: number;
  y: number;
  k: number;
}

interface Props {
  size: Size;
  label: string;
  /** The view is reset when this changes. */
  fitKey: string;
  tools?: ComponentChildren;
  children: ComponentChildren;
}

const SMALLEST = 0.08;
const LARGEST = 2.5;
/** The smallest scale at which names are readable. */
const READABLE = 0.7;

export function Canvas({ size, label, fitKey, tools, children }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [view, setView] = useState<View>({ x: 0, y: 0, k: 1 });
  const drag = useDrag(frame, setView);
  const most = Math.max(260, Math.min(560, window.innerHeight * 0.6));
  const fitted = width > 0 ? Math.min(1, width / size.width, Math.max(READABLE, most / size.height)) : 1;
  const height = Math.round(Math.max(120, Math.min(most, size.height * Math.max(fitted, READABLE) + 4)));

  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    setWidth(element.clientWidth);
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const fit = (whole: boolean) => {
    const all = Math.min(1, width / size.width, height / size.height);
    const k = whole ? all : Math.max(READABLE, all);
    const x = size.width * k <= width ? (width - size.width * k) / 2 : 0;
    setView({ x, y: size.height * k <= height ? (height - size.height * k) / 2 : 0, k });
  };
  useLayoutEffect(() => {
    if (width > 0) fit(false);
  }, [fitKey, width > 0]);
  useEffect(() => wheel(frame.current!, setView), []);

  const zoom = (factor: number) => setView((old) => scaled(old, factor, width / 2, height / 2));
  const onKey = (event: KeyboardEvent) => {
    const move = moves[event.shiftKey ? event.key : ""];
    if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") fit(true);
    else if (move) setView((old) => ({ ...old, x: old.x + move[0], y: old.y + move[1] }));
    else return;
    event.preventDefault();
  };
  return (
    <div class="canvas" onKeyDown={onKey}>
      <div class="canvas-tools">
        {tools}
        <span class="button-group">
          <button type="button" aria-label="Zoom out" onClick={() => zoom(0.8)}>−</button>
          <button type="button" aria-label="Zoom in" onClick={() => zoom(1.25)}>+</button>
          <button type="button" onClick={() => fit(true)}>Fit</button>
        </span>
      </div>
      <div ref={frame} class="canvas-frame" style={{ height: `${height}px` }} {...drag}>
        <svg width={width || 1} height={height} role="group" aria-label={label}>
          <g transform={`translate(${view.x} ${view.y}) scale(${view.k})`}>{children}</g>
        </svg>
      </div>
    </div>
  );
}

const moves: Record<string, [number, number] | undefined> = {
  ArrowLeft: [60, 0],
  ArrowRight: [-60, 0],
  ArrowUp: [0, 60],
  ArrowDown: [0, -60],
};

function scaled(view: View, factor: number, x: number, y: number): View {
  const k = Math.min(LARGEST, Math.max(SMALLEST, view.k * factor));
  const by = k / view.k;
  return { k, x: x - (x - view.x) * by, y: y - (y - view.y) * by };
}

/** Zooms on Ctrl+wheel (browsers report a pinch that way); the plain wheel scrolls the page. */
function wheel(element: HTMLElement, set: (change: (old: View) => View) => void): () => void {
  const onWheel = (event: WheelEvent) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const { left, top } = element.getBoundingClientRect();
    set((old) => scaled(old, Math.exp(-event.deltaY / 300), event.clientX - left, event.clientY - top));
  };
  element.addEventListener("wheel", onWheel, { passive: false });
  return () => element.removeEventListener("wheel", onWheel);
}

function useDrag(frame: { current: HTMLElement | null }, set: (change: (old: View) => View) => void) {
  const state = useRef({ fingers: new Map<number, { x: number; y: number }>(), moved: false });
  const { fingers } = state.current;
  const end = (event: PointerEvent) => void fingers.delete(event.pointerId);
  return {
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return;
      if (fingers.size === 0) state.current.moved = false;
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    },
    onPointerMove: (event: PointerEvent) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
      if (!state.current.moved && Math.hypot(dx, dy) < 4) return;
      if (!state.current.moved) frame.current?.setPointerCapture(event.pointerId);
      state.current.moved = true;
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      const { left, top } = frame.current!.getBoundingClientRect();
      if (other) {
        const factor = Math.hypot(event.clientX - other.x, event.clientY - other.y) / Math.hypot(before.x - other.x, before.y - other.y);
        set((old) => scaled(old, factor || 1, (event.clientX + other.x) / 2 - left, (event.clientY + other.y) / 2 - top));
      } else set((old) => ({ ...old, x: old.x + dx, y: old.y + dy }));
    },
    onPointerUp: end,
    onPointerCancel: end,
    /** Ignores the click that ends a drag. */
    onClickCapture: (event: MouseEvent) => {
      if (state.current.moved) event.stopPropagation();
      state.current.moved = false;
    },
  };
}
