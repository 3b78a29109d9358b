// All runs, newest first.

import { usePaged } from "../api/load.ts";
import type { RunItem } from "../api/types.ts";
import { setParams, type Route } from "../route.ts";
import { ChoiceFilter, STATUSES, TextFilter } from "../ui/filters.tsx";
import { ProblemBox, Waiting } from "../ui/problem.tsx";
import { RunTable } from "../ui/run-table.tsx";
import { Title } from "../ui/title.tsx";

const SINCE: [string, string][] = [["1h", "the last hour"], ["24h", "the last day"], ["7d", "the last week"], ["30d", "the last 30 days"]];

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
        <ChoiceFilter label="Started in" name="since" value={since} options={SINCE} any="any time" />
      </form>
      <ProblemBox problem={list.problem} retry={list.reload} />
      {list.data ? <RunTable runs={list.data} label="Runs" empty="No runs match." /> : list.loading && <Waiting what="runs" />}
      {list.more && <button type="button" class="more" disabled={list.loading} onClick={list.more}>Show more</button>}
    </>
  );
}
