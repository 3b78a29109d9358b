// The runs of one workflow.

import { usePaged } from "../api/load.ts";
import type { RunItem } from "../api/types.ts";
import { ChoiceFilter, STATUSES } from "../ui/filters.tsx";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { RunTable } from "../ui/run-table.tsx";

export function WorkflowRuns({ path, status }: { path: string; status: string | undefined }) {
  const list = usePaged<RunItem>(`${path}/runs`, { status }, 5);
  return (
    <section aria-label="Runs">
      <div class="filters"><ChoiceFilter label="Status" name="status" value={status} options={STATUSES} /></div>
      <ProblemBox problem={list.problem} retry={list.reload} />
      {list.data ? <RunTable runs={list.data} label="Runs of the workflow" workflow={false} empty="No runs yet." /> : list.loading && <Loading what="runs" />}
      {list.more && <button type="button" class="more" disabled={list.loading} onClick={list.more}>Show more</button>}
    </section>
  );
}
