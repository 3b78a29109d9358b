// Text that is written and not saved: whoever leaves it is asked.

import { useLayoutEffect, useRef } from "preact/hooks";
import { markUnsaved } from "../route.ts";

export function useUnsaved(isUnsaved: boolean): void {
  const owner = useRef({});
  // Before anybody can leave: other effects wait until the browser has painted.
  useLayoutEffect(() => markUnsaved(owner.current, isUnsaved), [isUnsaved]);
  useLayoutEffect(() => () => markUnsaved(owner.current, false), []);
}
