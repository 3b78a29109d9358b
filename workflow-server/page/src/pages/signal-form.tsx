// Sends a signal to a run.

import { useId, useState } from "preact/hooks";
import { post } from "../api/client.ts";
import { Problem } from "../api/problem.ts";
import type { RunDetail } from "../api/types.ts";
import { parseJson } from "../form/draft.ts";
import { Dialog } from "../ui/dialog.tsx";
import { notify } from "../ui/notice.tsx";
import { ProblemBox } from "../ui/problem.tsx";
import { useUnsaved } from "../ui/unsaved.ts";

/** Sends one of the signals that the run waits for. */
export function SignalForm({ run, names }: { run: RunDetail; names: string[] }) {
  return <Form run={run} names={names} done={() => undefined} />;
}

/** Sends a signal by name, for a run that will wait for it later. */
export function SignalDialog({ run, close }: { run: RunDetail; close: () => void }) {
  return (
    <Dialog title="Send a signal" close={close}>
      <Form run={run} names={[]} done={close} />
    </Dialog>
  );
}

function Form({ run, names, done }: { run: RunDetail; names: string[]; done: (name: string) => void }) {
  const id = useId();
  const [typed, setName] = useState("");
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  useUnsaved(text.trim() !== "" || (names.length === 0 && typed.trim() !== ""));
  const name = names.length > 0 && !names.includes(typed) ? names[0]! : typed.trim();
  const send = async (event: Event) => {
    event.preventDefault();
    const parsed = text.trim() === "" ? { value: null } : parseJson(text);
    if ("problem" in parsed) return setProblem(new Problem(0, "Invalid payload", parsed.problem));
    setProblem(null);
    try {
      await post(`runs/${encodeURIComponent(run.id)}/signal`, { name, payload: parsed.value });
      notify(`Sent signal ${name}`);
      setText("");
      done(name);
    } catch (error) {
      setProblem(Problem.of(error));
    }
  };
  return (
    <form class="signal" onSubmit={(event) => void send(event)}>
      <div class="field">
        <label for={`${id}-name`}>Signal</label>
        {names.length > 0 ? (
          <select id={`${id}-name`} value={name} onChange={(event) => setName(event.currentTarget.value)}>
            {names.map((entry) => <option key={entry} value={entry}>{entry}</option>)}
          </select>
        ) : (
          <input id={`${id}-name`} required autocomplete="off" value={typed} onInput={(event) => setName(event.currentTarget.value)} />
        )}
      </div>
      <div class="field grow">
        <label for={`${id}-payload`}>Payload as JSON <span class="muted">(optional)</span></label>
        <input id={`${id}-payload`} class="code" value={text} autocomplete="off" spellcheck={false} onInput={(event) => setText(event.currentTarget.value)} />
      </div>
      <button type="submit" class="primary">Send</button>
      <ProblemBox problem={problem} />
    </form>
  );
}
