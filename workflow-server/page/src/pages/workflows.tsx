// The list of workflows, with search, filters and recent results.

import { useRef, useState } from "preact/hooks";
import { usePaged } from "../api/load.ts";
import type { WorkflowItem } from "../api/types.ts";
import { setParams, type Route } from "../route.ts";
import { ChoiceFilter, STATUSES, TextFilter } from "../ui/filters.tsx";
import { percent } from "../ui/format.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { Strip } from "../ui/strip.tsx";
import { Ago } from "../ui/time.tsx";
import { Title } from "../ui/title.tsx";
import { NewWorkflow } from "./new-workflow.tsx";

export function WorkflowsPage({ route }: { route: Route }) {
  const { q, project, domain, tag, status, sort_by } = route.params;
  const [creating, setCreating] = useState(false);
  const list = usePaged<WorkflowItem>("workflows", { q, project, domain, tag, status, sort_by }, 15);
  const seen = useSeen(list.data);
  const filtered = Boolean(q || project || domain || tag || status);
  return (
    <>
      <Title text="Workflows">
        <button type="button" class="primary" onClick={() => setCreating(true)}>New workflow</button>
      </Title>
      <form class="filters" role="search" aria-label="Workflows" onSubmit={(event) => event.preventDefault()}>
        <TextFilter label="Search" name="q" value={q} search />
        <TextFilter label="Project" name="project" value={project} suggestions={seen.projects} />
        <TextFilter label="Domain" name="domain" value={domain} suggestions={seen.domains} />
        <TextFilter label="Tag" name="tag" value={tag} suggestions={seen.tags} />
        <ChoiceFilter label="Last run" name="status" value={status} options={STATUSES} />
        <ChoiceFilter label="Sort" name="sort_by" value={sort_by} any="by name" options={[["created", "newest first"], ["executed", "most runs"]]} />
      </form>
      <ProblemBox problem={list.problem} retry={list.reload} />
      {!list.data && list.loading && <Loading what="workflows" />}
      {list.data && (list.data.length > 0 ? <Table workflows={list.data} /> : <Empty filtered={filtered} create={() => setCreating(true)} />)}
      {list.more && <button type="button" class="more" disabled={list.loading} onClick={list.more}>Show more</button>}
      {creating && <NewWorkflow close={() => setCreating(false)} />}
    </>
  );
}

/** Suggestions for the filters: the values loaded so far. */
function useSeen(items: WorkflowItem[] | null) {
  const seen = useRef({ projects: new Set<string>(), domains: new Set<string>(), tags: new Set<string>() });
  for (const item of items ?? []) {
    if (item.project) seen.current.projects.add(item.project);
    if (item.domain) seen.current.domains.add(item.domain);
    for (const tag of item.tags ?? []) seen.current.tags.add(tag);
  }
  const { projects, domains, tags } = seen.current;
  return { projects: [...projects].sort(), domains: [...domains].sort(), tags: [...tags].sort() };
}

function Empty({ filtered, create }: { filtered: boolean; create: () => void }) {
  if (filtered) {
    const clear = () => setParams({ q: null, project: null, domain: null, tag: null, status: null });
    return <p class="empty">No matching workflows. <button type="button" class="link" onClick={clear}>Clear filters</button></p>;
  }
  return (
    <div class="empty">
      <p>No workflows yet. Create one from a workflow file.</p>
      <button type="button" class="primary" onClick={create}>New workflow</button>
    </div>
  );
}

function Table({ workflows }: { workflows: WorkflowItem[] }) {
  return (
    <table class="rows workflows" role="table" aria-label="Workflows">
      <thead>
        <tr role="row">
          <th role="columnheader" scope="col">Name</th>
          <th role="columnheader" scope="col">Last runs</th>
          <th role="columnheader" scope="col" class="end">Success</th>
          <th role="columnheader" scope="col" class="end">Runs</th>
          <th role="columnheader" scope="col">Schedule</th>
          <th role="columnheader" scope="col">Last run</th>
        </tr>
      </thead>
      <tbody>{workflows.map((workflow) => <Row key={workflow.id} workflow={workflow} />)}</tbody>
    </table>
  );
}

function Row({ workflow }: { workflow: WorkflowItem }) {
  const { schedule } = workflow;
  return (
    <tr role="row" class={workflow.is_active ? "" : "inactive"}>
      <td role="cell" class="name">
        <a class="main-link" href={`#/workflows/${workflow.id}`}>{workflow.name}</a>
        {!workflow.is_active && <span class="chip">inactive</span>}
        {workflow.description && <span class="description">{workflow.description}</span>}
        <Chips workflow={workflow} />
      </td>
      <td role="cell" class="strip-cell"><Strip runs={workflow.recent ?? []} none={workflow.execution_count === 0 ? "never run" : "–"} /></td>
      <td role="cell" class="end number" data-label="Success">{percent(workflow.success_rate)}</td>
      <td role="cell" class="end number" data-label="Runs">{workflow.execution_count.toLocaleString("en")}</td>
      <td role="cell" class="schedule" data-label="Schedule">
        {schedule ? (
          <>
            <code title={schedule.timezone ?? undefined}>{schedule.cron}</code>
            {workflow.next_run_at && <span class="muted">next <Ago at={workflow.next_run_at} /></span>}
            {schedule.blocked && <span class="chip" title={schedule.blocked}>not running</span>}
          </>
        ) : <span class="muted">–</span>}
      </td>
      <td role="cell" data-label="Last run"><Ago at={workflow.last_executed_at} /></td>
    </tr>
  );
}

export function Chips({ workflow }: { workflow: WorkflowItem }) {
  if (!workflow.project && !workflow.domain && !workflow.tags?.length) return null;
  return (
    <span class="chips">
      {workflow.project && <a class="chip project" href={`#/workflows?project=${encodeURIComponent(workflow.project)}`}>{workflow.project}</a>}
      {workflow.domain && <a class="chip" href={`#/workflows?domain=${encodeURIComponent(workflow.domain)}`}>{workflow.domain}</a>}
      {(workflow.tags ?? []).map((tag) => <a key={tag} class="chip" href={`#/workflows?tag=${encodeURIComponent(tag)}`}>#{tag}</a>)}
    </span>
  );
}
