// The lines of a drawing, as SVG paths. Pure.

import type { Direction } from "./layout.ts";

interface Point {
  x: number;
  y: number;
}

/** A smooth line through the points, that leaves and arrives along the direction. */
export function curve(points: Point[], direction: Direction): string {
  const first = points[0];
  const last = points[points.length - 1];
  if (!first || !last) return "";
  if (points.length <= 3) return bend(first, last, direction);
  let path = `M${at(first)}`;
  for (let i = 1; i < points.length - 2; i++) {
    const [here, next] = [points[i]!, points[i + 1]!];
    path += `Q${at(here)} ${at({ x: (here.x + next.x) / 2, y: (here.y + next.y) / 2 })}`;
  }
  return `${path}Q${at(points[points.length - 2]!)} ${at(last)}`;
}

function bend(from: Point, to: Point, direction: Direction): string {
  const middle = direction === "LR" ? (from.x + to.x) / 2 : (from.y + to.y) / 2;
  return direction === "LR"
    ? `M${at(from)}C${round(middle)},${round(from.y)} ${round(middle)},${round(to.y)} ${at(to)}`
    : `M${at(from)}C${round(from.x)},${round(middle)} ${round(to.x)},${round(middle)} ${at(to)}`;
}

function at({ x, y }: Point): string {
  return `${round(x)},${round(y)}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
