// The selected item of a page, such as a job. It is part of the address and of the history; Esc closes it.

import { useLayoutEffect } from "preact/hooks";
import { popParams, pushParams, type Route } from "../route.ts";

export interface Selection {
  selected: string | null;
  select: (item: string) => void;
  close: () => void;
}

/** `name` is the parameter of the address. */
export function useSelection(route: Route, name: string): Selection {
  const selected = route.params[name] ?? null;
  const close = () => popParams({ [name]: null });
  // A layout effect: a plain effect runs after painting, when the user may already press Esc.
  useLayoutEffect(() => {
    if (selected === null) return;
    const onKey = (event: KeyboardEvent) => {
      // In a dialog, Esc closes the dialog; in a form field, it belongs to the field.
      const busy = document.querySelector("dialog[open]") || (event.target as Element | null)?.closest("input, textarea, select");
      if (event.key === "Escape" && !busy) close();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [selected]);
  return { selected, select: (item) => item !== selected && pushParams({ [name]: item }), close };
}
