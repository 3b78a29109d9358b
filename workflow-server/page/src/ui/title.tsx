// The title of a page and of the window.

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";

export function Title({ text, above, children }: { text: string; above?: ComponentChildren; children?: ComponentChildren }) {
  useEffect(() => {
    document.title = `${text} · Workflow`;
  }, [text]);
  return (
    <div class="title">
      <div class="title-text">
        {above && <p class="above">{above}</p>}
        <h1>{text}</h1>
      </div>
      {children && <div class="actions">{children}</div>}
    </div>
  );
}
