// Sends a run the signal that it waits for.

import { useState } from "preact/hooks";
import { post } from "../api/client.ts";
import { Problem } from "../api/problem.ts";
import type { RunDetail } from "../api/types.ts";
import { parseJson } from "../form/draft.ts";
import { notify } from "../ui/notice.tsx";
import { ProblemBox } from "../ui/problem.tsx";

export function SignalForm({ run }: { run: RunDetail }) {
  const names = run.awaiting ?? [];
  const [name, setName] = useState<string | null>(null);
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [sent, setSent] = useState<string[]>([]);
  const open = names.filter((entry) => !sent.includes(entry));
  if (open.length === 0) return null;
  const chosen = name !== null && open.includes(name) ? name : open[0]!;
  const send = async (event: Event) => {
    event.preventDefault();
    const parsed = text.trim() === "" ? { value: null } : parseJson(text);
    if ("problem" in parsed) return setProblem(new Problem(0, "What goes with the signal cannot be read", parsed.problem));
    setProblem(null);
    try {
      await post(`runs/${encodeURIComponent(run.id)}/signal`, { name: chosen, payload: parsed.value });
      notify(`Signal ${chosen} was sent`);
      setSent([...sent, chosen]);
      setText("");
    } catch (error) {
      setProblem(Problem.of(error));
    }
  };
  return (
    <form class="card signal" aria-label="Signal" onSubmit={(event) => void send(event)}>
      <p><strong>Waits for a signal.</strong></p>
      <div class="field">
        <label for="signal-name">Signal</label>
        <select id="signal-name" value={chosen} onChange={(event) => setName(event.currentTarget.value)}>
          {open.map((entry) => <option key={entry} value={entry}>{entry}</option>)}
        </select>
      </div>
      <div class="field grow">
        <label for="signal-payload">With it, as JSON <span class="muted">(optional)</span></label>
        <input id="signal-payload" class="code" value={text} autocomplete="off" spellcheck={false} onInput={(event) => setText(event.currentTarget.value)} />
      </div>
      <button type="submit" class="primary">Send</button>
      <ProblemBox problem={problem} />
    </form>
  );
}
