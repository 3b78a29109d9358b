// Arrow-key navigation between the items of a drawing. Pure.

import type { Box } from "./layout.ts";

export type Arrow = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";

export function isArrow(key: string): key is Arrow {
  return key === "ArrowLeft" || key === "ArrowRight" || key === "ArrowUp" || key === "ArrowDown";
}

/** Returns the nearest box in the direction of the arrow; sideways distance counts twice. */
export function neighbour(boxes: Box[], from: number, arrow: Arrow): number | null {
  const here = boxes[from];
  if (!here) return boxes.length > 0 ? 0 : null;
  const sideways = arrow === "ArrowLeft" || arrow === "ArrowRight";
  const sign = arrow === "ArrowRight" || arrow === "ArrowDown" ? 1 : -1;
  let best: number | null = null;
  let least = Infinity;
  boxes.forEach((box, index) => {
    const dx = box.x + box.width / 2 - (here.x + here.width / 2);
    const dy = box.y + box.height / 2 - (here.y + here.height / 2);
    const along = (sideways ? dx : dy) * sign;
    const aside = Math.abs(sideways ? dy : dx);
    if (index === from || along <= 1) return;
    const distance = along + 2 * aside;
    if (distance < least) [best, least] = [index, distance];
  });
  return best;
}
