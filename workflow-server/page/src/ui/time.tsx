// Times that update while the page is open.

import { signal } from "@preact/signals";
import { duration, moment, relative } from "./format.ts";

/** The current time, updated every second while the page is visible. */
export const now = signal(Date.now());
setInterval(() => document.visibilityState === "visible" && (now.value = Date.now()), 1000);

export function Ago({ at }: { at: string | null | undefined }) {
  const time = at ? Date.parse(at) : NaN;
  if (Number.isNaN(time)) return <span class="muted">–</span>;
  return <time dateTime={at!} title={moment(time)}>{relative(time, now.value)}</time>;
}

/** A duration, so far or final. */
export function Took({ from, to, seconds }: { from?: number | null; to?: number | null; seconds?: number | null }) {
  if (seconds !== null && seconds !== undefined) return <span class="number">{duration(seconds)}</span>;
  if (from === null || from === undefined) return <span class="muted">–</span>;
  return <span class="number">{duration(((to ?? Math.max(from, now.value)) - from) / 1000)}</span>;
}
