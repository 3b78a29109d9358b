// The job that is shown beside a graph or a list: it is in the address, a step of the history, and Esc closes it.

import { useLayoutEffect } from "preact/hooks";
import { popParams, pushParams, type Route } from "../route.ts";

export interface Selection {
  job: string | null;
  select: (job: string) => void;
  close: () => void;
}

export function useSelection(route: Route): Selection {
  const job = route.params.job ?? null;
  const close = () => popParams({ job: null });
  // Whoever sees the job can close it: other effects wait until the browser has painted.
  useLayoutEffect(() => {
    if (job === null) return;
    const onKey = (event: KeyboardEvent) => {
      // Esc in a dialog closes that, and in a field of a form is the field's own.
      const busy = document.querySelector("dialog[open]") || (event.target as Element | null)?.closest("input, textarea, select");
      if (event.key === "Escape" && !busy) close();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [job]);
  return { job, select: (name) => name !== job && pushParams({ job: name }), close };
}
