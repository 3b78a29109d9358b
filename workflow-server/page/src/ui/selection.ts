// The selected job of a graph or list. It is part of the address and of the history; Esc closes it.

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
  // A layout effect: a plain effect runs after painting, when the user may already press Esc.
  useLayoutEffect(() => {
    if (job === null) return;
    const onKey = (event: KeyboardEvent) => {
      // In a dialog, Esc closes the dialog; in a form field, it belongs to the field.
      const busy = document.querySelector("dialog[open]") || (event.target as Element | null)?.closest("input, textarea, select");
      if (event.key === "Escape" && !busy) close();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [job]);
  return { job, select: (name) => name !== job && pushParams({ job: name }), close };
}
