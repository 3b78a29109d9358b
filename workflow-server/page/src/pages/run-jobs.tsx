// The jobs of a run as a list with search and filter.

import { useState } from "preact/hooks";
import type { JobStatus } from "../api/types.ts";
import type { JobState } from "../live/run-state.ts";
import { noteOf } from "../live/words.ts";
import { duration } from "../ui/format.ts";
import { Status } from "../ui/status.tsx";
import { now } from "../ui/time.tsx";
import { VirtualList } from "../ui/virtual.tsx";
import type { RunPartProps } from "./run.tsx";

const STATUSES: JobStatus[] = ["failed", "running", "pending", "completed", "skipped", "cancelled"];

export function RunJobs({ state, selected, select }: RunPartProps) {
  const [text, setText] = useState("");
  const [status, setStatus] = useState<string>("");
  const wanted = text.trim().toLowerCase();
  const jobs = [...state.jobs.values()].filter((job) => (!status || job.status === status) && job.name.toLowerCase().includes(wanted));
  return (
    <section aria-label="Jobs">
      <div class="filters">
        <div class="filter search">
          <label for="job-search">Search</label>
          <input id="job-search" type="search" value={text} spellcheck={false} onInput={(event) => setText(event.currentTarget.value)} />
        </div>
        <div class="filter">
          <label for="job-status">Status</label>
          <select id="job-status" value={status} onChange={(event) => setStatus(event.currentTarget.value)}>
            <option value="">any</option>
            {STATUSES.map((entry) => <option key={entry} value={entry}>{entry}</option>)}
          </select>
        </div>
      </div>
      {jobs.length === 0 && <p class="empty">No matching jobs.</p>}
      <VirtualList count={jobs.length} rowHeight={30} height={520} label="Jobs"
        row={(index, current) => <Row job={jobs[index]!} index={index} current={current} selected={selected} select={select} />} />
    </section>
  );
}

interface RowProps {
  job: JobState;
  index: number;
  current: boolean;
  selected: string | null;
  select: (job: string) => void;
}

function Row({ job, index, current, selected, select }: RowProps) {
  const took = job.startedAt !== null && job.endedAt !== null ? duration((job.endedAt - job.startedAt) / 1000) : "";
  return (
    <button type="button" class="line job-line" data-row={index} tabIndex={current ? 0 : -1} aria-pressed={job.name === selected} onClick={() => select(job.name)}>
      <Status status={job.status} />
      <span class="job-name">{job.name}</span>
      <span class="job-note">{job.errorLine ?? noteOf(job, now.value)}</span>
      {job.attempts > 1 && <span class="muted">{job.attempts} attempts</span>}
      <span class="number">{took}</span>
    </button>
  );
}
