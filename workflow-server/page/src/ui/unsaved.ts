// Marks unsaved text, so that the page asks before it is lost.

import { useLayoutEffect, useRef } from "preact/hooks";
import { markUnsaved } from "../route.ts";

export function useUnsaved(isUnsaved: boolean): void {
  const owner = useRef({});
  // A layout effect: a plain effect runs after painting, when the user may already leave.
  useLayoutEffect(() => markUnsaved(owner.current, isUnsaved), [isUnsaved]);
  useLayoutEffect(() => () => markUnsaved(owner.current, false), []);
}
