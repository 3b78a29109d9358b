// Short notifications, and the banner of a lost connection.

import { signal } from "@preact/signals";
import { Problem } from "../api/problem.ts";
import { lostStreams } from "../api/stream.ts";

interface Notice {
  id: number;
  text: string;
  bad: boolean;
}

const notices = signal<Notice[]>([]);
let last = 0;

export function notify(text: string, bad = false): void {
  const notice = { id: ++last, text, bad };
  notices.value = [...notices.value.slice(-3), notice];
  setTimeout(() => dismiss(notice.id), bad ? 12_000 : 5_000);
}

/** Runs an action and shows a notification if it fails. */
export async function attempt<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    const problem = Problem.of(error);
    notify(problem.detail ? `${problem.title}: ${problem.detail}` : problem.title, true);
    return undefined;
  }
}

function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

export function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map((notice) => (
        <p key={notice.id} class={notice.bad ? "bad" : ""}>
          <span>{notice.text}</span>
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => dismiss(notice.id)}>✕</button>
        </p>
      ))}
    </div>
  );
}

export function ConnectionBanner() {
  return (
    <div role="status" aria-live="polite">
      {lostStreams.value > 0 && <p class="banner">Connection lost, reconnecting …</p>}
    </div>
  );
}
