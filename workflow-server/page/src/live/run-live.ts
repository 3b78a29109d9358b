// The live state of a run. Notifies the page at most once per animation frame.

import { signal, type Signal } from "@preact/signals";
import { get } from "../api/client.ts";
import { Problem } from "../api/problem.ts";
import { follow, isDeleted } from "../api/stream.ts";
import type { Bar, RunDetail } from "../api/types.ts";
import { readEvent, type RunEvent } from "./event.ts";
import { isFinal, RunState } from "./run-state.ts";

export class RunLive {
  readonly detail: Signal<RunDetail | null> = signal(null);
  readonly problem: Signal<Problem | null> = signal(null);
  /** Counts the changes of `state`, which changes in place. */
  readonly version = signal(0);
  state: RunState | null = null;
  #queue: RunEvent[] = [];
  #frame = 0;
  #stop: (() => void) | null = null;
  #abort = new AbortController();

  constructor(readonly id: string) {
    void this.#begin();
  }

  close(): void {
    this.#abort.abort();
    this.#stop?.();
    cancelAnimationFrame(this.#frame);
  }

  async loadBars(): Promise<void> {
    const answer = await get<{ items: Bar[] }>(`runs/${encodeURIComponent(this.id)}/gantt`, {}, this.#abort.signal);
    this.state?.takeBars(answer.items);
    this.version.value += 1;
  }

  async #begin(): Promise<void> {
    try {
      const run = await this.#load();
      this.state = new RunState(run);
      this.detail.value = run;
      this.version.value += 1;
      if (!isFinal(run.status)) this.#follow();
    } catch (error) {
      if (!this.#abort.signal.aborted) this.problem.value = Problem.of(error);
    }
  }

  #load(): Promise<RunDetail> {
    return get<RunDetail>(`runs/${encodeURIComponent(this.id)}`, {}, this.#abort.signal);
  }

  #follow(): void {
    const last = this.state && this.state.last >= 0 ? String(this.state.last) : null;
    this.#stop = follow(`runs/${encodeURIComponent(this.id)}/events`, {}, last, {
      message: (message) => {
        const happened = message.event === "end" ? null : readEvent(message.data);
        if (happened) this.#take(happened);
        else if (isDeleted(message)) this.problem.value = Problem.deleted();
        else if (message.event === "end") void this.#reload();
      },
      // 404: the run was deleted while the connection was lost.
      refused: (problem) => (this.problem.value = problem.status === 404 ? Problem.deleted() : problem),
    });
  }

  #take(event: RunEvent): void {
    this.#queue.push(event);
    this.#frame ||= requestAnimationFrame(() => this.#flush());
    // Only the server describes a blockage.
    if (event.event === "run_blocked") void this.#reload();
  }

  #flush(): void {
    this.#frame = 0;
    const { state } = this;
    if (!state) return;
    let changed = false;
    for (const event of this.#queue.splice(0)) changed = state.apply(event) || changed;
    if (changed) this.version.value += 1;
  }

  /** Replaces the state with the server's, unless newer events have arrived in the meantime. */
  async #reload(): Promise<void> {
    try {
      const run = await this.#load();
      this.#flush();
      this.detail.value = run;
      if (this.state && run.events - 1 < this.state.last) return;
      const state = new RunState(run);
      for (const [key, bar] of this.state?.bars ?? []) if (!state.bars.has(key)) state.bars.set(key, bar);
      this.state = state;
      this.version.value += 1;
    } catch (error) {
      // Keep the current state; the stream reports a lost connection.
      if (error instanceof Problem && error.status === 404) this.problem.value = Problem.deleted();
    }
  }
}
