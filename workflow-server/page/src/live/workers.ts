// Describes workers and task queues. Pure.

import type { Queue, Worker } from "../api/types.ts";

/** Puts queues without a worker first, then those whose oldest run waits longest. */
export function urgentFirst(queues: Queue[]): Queue[] {
  const isServed = (queue: Queue) => Number(queue.workers > 0);
  return [...queues].sort((a, b) => isServed(a) - isServed(b) || Date.parse(a.oldest) - Date.parse(b.oldest));
}

/** `3 of 50`, `50 of 50, full`, or `3, no limit`. */
export function slotsOf(used: number, limit: number | null): { text: string; isFull: boolean } {
  const count = used.toLocaleString("en");
  if (limit === null) return { text: `${count}, no limit`, isFull: false };
  const isFull = used >= limit;
  return { text: `${count} of ${limit.toLocaleString("en")}${isFull ? ", full" : ""}`, isFull };
}

/** The queues that a worker serves: their names, and what it serves besides. */
export function servedQueues(worker: Pick<Worker, "queues" | "serves_others">): { named: string[]; others: string | null } {
  const others = worker.queues.length === 0 ? "all queues" : "all other queues";
  return { named: worker.queues, others: worker.serves_others ? others : null };
}

/** The command that starts a worker for a queue, to be pasted into a shell. */
export function workerCommand(queue: string): string {
  // A name that starts with a dash would be taken for an option.
  return `workflow worker --task-queue${queue.startsWith("-") ? "=" : " "}${shellWord(queue)}`;
}

/** Quotes text for a POSIX shell: names of queues may come from users, and hold any character. */
function shellWord(text: string): string {
  const isPlain = /^[\w./:@%+-]+$/.test(text);
  return isPlain ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
