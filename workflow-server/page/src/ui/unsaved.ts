// Text that is written and not saved: whoever leaves it is asked.

import { useEffect, useRef } from "preact/hooks";
import { markUnsaved } from "../route.ts";

/** Gives a function that says it is saved: for who goes elsewhere at once. */
export function useUnsaved(isUnsaved: boolean): () => void {
  const owner = useRef({});
  useEffect(() => markUnsaved(owner.current, isUnsaved), [isUnsaved]);
  useEffect(() => () => markUnsaved(owner.current, false), []);
  return () => markUnsaved(owner.current, false);
}
