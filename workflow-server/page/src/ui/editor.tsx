// A text editor with line numbers.

import { useId, useImperativeHandle, useRef } from "preact/hooks";

export interface EditorHandle {
  goTo: (line: number, column: number) => void;
}

interface Props {
  label: string;
  value: string;
  change: (text: string) => void;
  rows?: number;
  invalid?: boolean;
  handle?: { current: EditorHandle | null };
}

export function TextEditor({ label, value, change, rows = 12, invalid, handle }: Props) {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLPreElement>(null);
  const lines = value.split("\n").length;
  const own = useRef<EditorHandle | null>(null);
  useImperativeHandle(handle ?? own, () => ({
    goTo: (line, column) => {
      const element = area.current;
      if (!element) return;
      const before = element.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
      const end = element.value.indexOf("\n", before);
      const from = Math.min(before + column - 1, end < 0 ? element.value.length : end);
      element.focus();
      element.setSelectionRange(from, end < 0 ? element.value.length : end);
      element.scrollTop = Math.max(0, (line - 4) * 18);
    },
  }), []);
  return (
    <div class="editor">
      <label class="visually-hidden" for={id}>{label}</label>
      <pre ref={gutter} class="gutter" aria-hidden="true">{Array.from({ length: lines }, (_, line) => line + 1).join("\n")}</pre>
      <textarea id={id} ref={area} class="code" rows={rows} wrap="off" spellcheck={false} autocapitalize="none" value={value} aria-invalid={invalid ? "true" : undefined}
        onInput={(event) => change(event.currentTarget.value)}
        onScroll={(event) => gutter.current && (gutter.current.scrollTop = event.currentTarget.scrollTop)} />
    </div>
  );
}
