// The lines of a drawing, as SVG paths. Pure.

import type { Direction } from "./layout.ts";

interface Point {
  x: number;
  y: number;
}

/** A smooth line through the points, that leaves and arrives at each along the direction. */
export function curve(points: Point[], direction: Direction): string {
  const first = points[0];
  if (!first) return "";
  return points.slice(1).reduce((path, to, index) => path + bend(points[index]!, to, direction), `M${at(first)}`);
}

function bend(from: Point, to: Point, direction: Direction): string {
  const middle = round(direction === "LR" ? (from.x + to.x) / 2 : (from.y + to.y) / 2);
  return direction === "LR"
    ? `C${middle},${round(from.y)} ${middle},${round(to.y)} ${at(to)}`
    : `C${round(from.x)},${middle} ${round(to.x)},${middle} ${at(to)}`;
}

function at({ x, y }: Point): string {
  return `${round(x)},${round(y)}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
