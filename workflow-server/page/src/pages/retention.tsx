// Deletes finished runs by age or by number.

import { useState } from "preact/hooks";
import { post } from "../api/client.ts";
import { Problem } from "../api/problem.ts";
import { Confirm } from "../ui/dialog.tsx";
import { plural } from "../ui/format.ts";
import { notify } from "../ui/notice.tsx";
import { ProblemBox } from "../ui/problem.tsx";
import { useUnsaved } from "../ui/unsaved.ts";

const DAYS = "30";

export function Retention() {
  const [workflow, setWorkflow] = useState("");
  const [days, setDays] = useState(DAYS);
  const [last, setLast] = useState("");
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  useUnsaved(workflow !== "" || days !== DAYS || last !== "");
  const which = [days && `older than ${days} days`, last && `not among the latest ${last} of their workflow`].filter(Boolean).join(" and ");
  const run = async () => {
    setProblem(null);
    const body = { ...(workflow && { workflow }), ...(days && { keep_for: `${days}d` }), ...(last && { keep_last: Number(last) }) };
    try {
      const { deleted } = await post<{ deleted: number }>("retention", body);
      setWorkflow("");
      setDays(DAYS);
      setLast("");
      notify(`Deleted ${plural(deleted, "run")}`);
    } catch (error) {
      setProblem(Problem.of(error));
    }
  };
  return (
    <section class="card" aria-label="Retention">
      <h2>Retention</h2>
      <p class="muted">Deletes finished runs and their logs.</p>
      <form class="filters" onSubmit={(event) => (event.preventDefault(), setAsking(true))}>
        <div class="filter"><label for="keep-workflow">Workflow (empty: all)</label><input id="keep-workflow" value={workflow} autocomplete="off" onInput={(event) => setWorkflow(event.currentTarget.value.trim())} /></div>
        <div class="filter"><label for="keep-days">Keep for (days)</label><input id="keep-days" type="number" min="1" value={days} onInput={(event) => setDays(event.currentTarget.value)} /></div>
        <div class="filter"><label for="keep-last">Keep the latest (runs)</label><input id="keep-last" type="number" min="0" value={last} onInput={(event) => setLast(event.currentTarget.value)} /></div>
        <button type="submit" class="danger" disabled={!days && !last}>Delete old runs</button>
      </form>
      <ProblemBox problem={problem} />
      {asking && (
        <Confirm title="Delete old runs?" text={`Deletes finished runs of ${workflow || "all workflows"} that are ${which}. This cannot be undone.`} action="Delete"
          run={() => void run()} close={() => setAsking(false)} />
      )}
    </section>
  );
}
