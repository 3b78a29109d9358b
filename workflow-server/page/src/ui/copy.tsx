// A button that copies text to the clipboard.

import { useState } from "preact/hooks";

export function CopyButton({ text, label }: { text: () => string; label: string }) {
  const [done, setDone] = useState<string | null>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setDone("Copied");
    } catch {
      setDone("Copy failed");
    }
    setTimeout(() => setDone(null), 2000);
  };
  return (
    <button type="button" class="copy" aria-label={done ? `${label}: ${done}` : label} onClick={() => void copy()}>
      {done ?? "Copy"}
    </button>
  );
}
