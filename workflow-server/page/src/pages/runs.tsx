// All runs, newest first.

import { usePaged } from "../api/load.ts";
import type { RunItem } from "../api/types.ts";
import { setParams, type Route } from "../route.ts";
import { ChoiceFilter, STATUSES, TextFilter } from "../ui/filters.tsx";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { RunTable } from "../ui/run-table.tsx";
import { Title } from "../ui/title.tsx";

const SINCE: [string, string][] = [["1h", "last hour"], ["24h", "last 24 hours"], ["7d", "last 7 days"], ["30d", "last 30 days"]];

export function RunsPage({ route }: { route: Route }) {
  const { q, workflow, status, since } = route.params;
  const list = usePaged<RunItem>("runs", { q, workflow, status, since }, 5);
  return (
    <>
      <Title text="Runs" />
      <form class="filters" role="search" aria-label="Runs" onSubmit={(event) => event.preventDefault()}>
        <TextFilter label="Workflow" name="q" value={q} search />
        {workflow && <span class="chip">workflow {workflow} <button type="button" class="link" onClick={() => setParams({ workflow: null })}>all</button></span>}
        <ChoiceFilter label="Status" name="status" value={status} options={STATUSES} />
        <ChoiceFilter label="Started" name="since" value={since} options={SINCE} any="any time" />
      </form>
      <ProblemBox problem={list.problem} retry={list.reload} />
      {list.data ? <RunTable runs={list.data} label="Runs" empty="No matching runs." /> : list.loading && <Loading what="runs" />}
      {list.more && <button type="button" class="more" disabled={list.loading} onClick={list.more}>Show more</button>}
    </>
  );
}
