// Workers with their slots, and the task queues in which runs wait. Staff only.

import { useState } from "preact/hooks";
import { get, isStaff } from "../api/client.ts";
import { useLoad } from "../api/load.ts";
import type { Queue, Worker } from "../api/types.ts";
import { servedQueues, slotsOf, urgentFirst, workerCommand } from "../live/workers.ts";
import { CopyButton } from "../ui/copy.tsx";
import { plural } from "../ui/format.ts";
import { ProblemBox, Loading } from "../ui/problem.tsx";
import { Mark } from "../ui/status.tsx";
import { Ago } from "../ui/time.tsx";
import { Title } from "../ui/title.tsx";

export function WorkersPage() {
  return (
    <>
      <Title text="Workers and Queues" />
      {isStaff() ? <Lists /> : <p class="empty">Only staff can see workers and task queues.</p>}
    </>
  );
}

function Lists() {
  const { data, problem, reload } = useLoad(loadLists, [], 5);
  return (
    <>
      <ProblemBox problem={problem} retry={reload} />
      {!data && !problem && <Loading what="workers and queues" />}
      {data && (
        <div class="stack">
          <Queues queues={data.queues} />
          <Workers workers={data.workers} />
        </div>
      )}
    </>
  );
}

async function loadLists(signal: AbortSignal): Promise<{ workers: Worker[]; queues: Queue[] }> {
  const [workers, queues] = await Promise.all([
    get<{ items: Worker[] }>("workers", {}, signal),
    get<{ items: Queue[] }>("queues", {}, signal),
  ]);
  return { workers: workers.items, queues: urgentFirst(queues.items) };
}

/** The number of queues that are shown at first. */
const FEW = 50;

function Queues({ queues }: { queues: Queue[] }) {
  const [all, setAll] = useState(false);
  const unserved = queues.filter((queue) => queue.workers === 0).length;
  const shown = all ? queues : queues.slice(0, FEW);
  return (
    <section class="card" aria-label="Task queues">
      <h2>Task queues with waiting runs and jobs</h2>
      {/* Always there, so that screen readers announce its changes. */}
      <div role="status">
        {unserved > 0 && <p class="stalled unserved">{unserved === 1 ? "A task queue has" : `${unserved.toLocaleString("en")} task queues have`} no live worker. {unserved === 1 ? "Its" : "Their"} runs and jobs wait until one starts.</p>}
      </div>
      {queues.length === 0 && <p class="empty">Nothing waits in a task queue.</p>}
      {queues.length > 0 && (
        <table class="rows" role="table" aria-label="Task queues">
          <thead>
            <tr role="row">
              <th role="columnheader" scope="col">Task queue</th><th role="columnheader" scope="col">Workers</th>
              <th role="columnheader" scope="col" class="end">Waiting runs</th><th role="columnheader" scope="col" class="end">Waiting jobs</th>
              <th role="columnheader" scope="col" class="end">Oldest</th>
            </tr>
          </thead>
          <tbody>{shown.map((queue) => <QueueRow key={queue.queue} queue={queue} />)}</tbody>
        </table>
      )}
      {shown.length < queues.length && <button type="button" class="more" onClick={() => setAll(true)}>Show all {plural(queues.length, "queue")}</button>}
    </section>
  );
}

function QueueRow({ queue }: { queue: Queue }) {
  const command = workerCommand(queue.queue);
  return (
    <tr role="row" class={queue.workers === 0 ? "unserved" : ""}>
      <td role="cell" class="name">
        <code>{queue.queue}</code>
        {queue.workers === 0 && (
          <span class="cure">
            Start a worker: <code>{command}</code> <CopyButton text={() => command} label={`Copy the command for ${queue.queue}`} />
          </span>
        )}
      </td>
      <td role="cell">{queue.workers === 0 ? <Mark status="failed" text="no worker" /> : <Mark status="completed" text={plural(queue.workers, "worker")} />}</td>
      <td role="cell" data-label="Waiting runs" class="end number">{queue.runs.toLocaleString("en")}</td>
      <td role="cell" data-label="Waiting jobs" class="end number">{queue.jobs.toLocaleString("en")}</td>
      <td role="cell" data-label="Oldest" class="end"><Ago at={queue.oldest} /></td>
    </tr>
  );
}

function Workers({ workers }: { workers: Worker[] }) {
  const alive = workers.filter((worker) => worker.state === "alive");
  const dead = workers.filter((worker) => worker.state !== "alive");
  return (
    <section class="card" aria-label="Workers">
      <h2>Workers</h2>
      {alive.length === 0 && <p class="empty"><span>No live workers. Queued runs wait until one starts: <code>workflow worker</code></span></p>}
      {workers.length > 0 && (
        <>
          <p class="muted">Each run in progress takes a run slot, and each running job a job slot. Waiting runs take none.</p>
          <table class="rows" role="table" aria-label="Workers">
            <thead>
              <tr role="row">
                <th role="columnheader" scope="col">Worker</th><th role="columnheader" scope="col">State</th><th role="columnheader" scope="col">Task queues</th>
                <th role="columnheader" scope="col" class="end">Run slots</th><th role="columnheader" scope="col" class="end">Job slots</th>
                <th role="columnheader" scope="col" class="end">Waiting runs</th>
                <th role="columnheader" scope="col" class="end">Since</th><th role="columnheader" scope="col" class="end">Last heartbeat</th>
              </tr>
            </thead>
            <tbody>{[...alive, ...dead].map((worker) => <WorkerRow key={worker.id} worker={worker} />)}</tbody>
          </table>
        </>
      )}
    </section>
  );
}

function WorkerRow({ worker }: { worker: Worker }) {
  const { named, others } = servedQueues(worker);
  const alive = worker.state === "alive";
  return (
    <tr role="row" class={alive ? "" : "inactive"}>
      <td role="cell" class="name" title={worker.id}><span class="main-link">{worker.name}</span></td>
      <td role="cell"><Mark status={alive ? "completed" : "failed"} text={worker.state} /></td>
      <td role="cell" data-label="Task queues"><span class="chips">{named.map((queue) => <code key={queue} class="chip">{queue}</code>)}{others && <span>{others}</span>}</span></td>
      <td role="cell" data-label="Run slots" class="end"><Slots used={worker.workflows} limit={worker.max_concurrent_workflows} /></td>
      <td role="cell" data-label="Job slots" class="end"><Slots used={worker.activities} limit={worker.max_concurrent_activities} /></td>
      <td role="cell" data-label="Waiting runs" class="end number">{worker.waiting.toLocaleString("en")}</td>
      <td role="cell" data-label="Since" class="end"><Ago at={worker.since} /></td>
      <td role="cell" data-label="Last heartbeat" class="end"><Ago at={worker.last_heartbeat} /></td>
    </tr>
  );
}

function Slots({ used, limit }: { used: number; limit: number | null }) {
  const { text, isFull } = slotsOf(used, limit);
  return <span class={`number ${isFull ? "full" : ""}`}>{text}</span>;
}
