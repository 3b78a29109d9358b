// The edges of a drawing as SVG paths. Pure.

import type { Direction } from "./layout.ts";

interface Point {
  x: number;
  y: number;
}

/** A smooth curve through the points, tangent to the direction at each point. */
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
