// Copies a text; says so.

import { useState } from "preact/hooks";

export function CopyButton({ text, label }: { text: () => string; label: string }) {
  const [done, setDone] = useState<string | null>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setDone("Copied");
    } catch {
      setDone("Not allowed");
    }
    setTimeout(() => setDone(null), 2000);
  };
  return (
    <button type="button" class="copy" aria-label={done ? `${label}: ${done}` : label} onClick={() => void copy()}>
      {done ?? "Copy"}
    </button>
  );
}
