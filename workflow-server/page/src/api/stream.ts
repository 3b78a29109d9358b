// An event stream that reconnects and continues after the last received event.

import { signal } from "@preact/signals";
import { address, type Query } from "./client.ts";
import { Problem } from "./problem.ts";
import { SseParser, type Message } from "./sse.ts";

/** The number of streams that are reconnecting. */
export const lostStreams = signal(0);

/** Whether the `end` event of a stream reports that its run was deleted. */
export const isDeleted = ({ event, data }: Message): boolean => event === "end" && data.includes('"deleted"');

interface Handlers {
  message: (message: Message) => void;
  /** The server refused the stream permanently. */
  refused?: (problem: Problem) => void;
}

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;
/** The server sends a comment every 15 s; reconnect after this long without data. */
const SILENCE = 40_000;

export function follow(path: string, query: Query, last: string | null, handlers: Handlers): () => void {
  const stream = new Stream(path, query, last, handlers);
  void stream.run();
  return () => stream.stop();
}

class Stream {
  #abort = new AbortController();
  #attempt = new AbortController();
  #lost = false;
  #wake: () => void = () => undefined;
  #watch = () => this.#seen();

  constructor(
    private readonly path: string,
    private readonly query: Query,
    private last: string | null,
    private readonly handlers: Handlers,
  ) {
    // A hidden page closes its connection: a browser allows six per server.
    document.addEventListener("visibilitychange", this.#watch);
    window.addEventListener("online", this.#watch);
  }

  stop(): void {
    document.removeEventListener("visibilitychange", this.#watch);
    window.removeEventListener("online", this.#watch);
    this.#markLost(false);
    this.#abort.abort();
    this.#attempt.abort();
    this.#wake();
  }

  async run(): Promise<void> {
    let failures = 0;
    while (!this.#abort.signal.aborted) {
      if (document.visibilityState === "hidden") {
        await this.#pause(null);
        continue;
      }
      const outcome = await this.#connect(() => (failures = 0));
      if (outcome === "ended" || this.#abort.signal.aborted) return this.stop();
      if (outcome === "hidden") continue;
      this.#markLost(true);
      failures += 1;
      const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1));
      await this.#pause(pause * (0.75 + Math.random() / 2));
    }
  }

  async #connect(alive: () => void): Promise<"ended" | "lost" | "hidden"> {
    this.#attempt = new AbortController();
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.last !== null) headers["Last-Event-ID"] = this.last;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#attempt.abort(), SILENCE);
    };
    try {
      heard();
      const request = { headers, signal: this.#attempt.signal, credentials: "same-origin", cache: "no-store" } as const;
      const response = await fetch(address(this.path, this.query), request);
      if (!response.ok || !response.body) return await this.#refuse(response);
      this.#markLost(false);
      const ended = await this.#read(response.body, () => (heard(), alive()));
      return ended ? "ended" : "lost";
    } catch {
      return document.visibilityState === "hidden" ? "hidden" : "lost";
    } finally {
      clearTimeout(timer);
    }
  }

  async #read(body: ReadableStream<Uint8Array>, heard: () => void): Promise<boolean> {
    const parser = new SseParser();
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      heard();
      for (const message of parser.push(decoder.decode(value, { stream: true }))) {
        if (this.#abort.signal.aborted) return true;
        if (message.id !== null) this.last = message.id;
        this.handlers.message(message);
        if (message.event === "end") return true;
      }
    }
  }

  async #refuse(response: Response): Promise<"ended" | "lost"> {
    const passing = response.status >= 500 || response.status === 429 || response.status === 408;
    if (passing) return "lost";
    this.handlers.refused?.(await Problem.from(response));
    return "ended";
  }

  #seen(): void {
    if (document.visibilityState === "hidden") this.#attempt.abort();
    else this.#wake();
  }

  #pause(milliseconds: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = milliseconds === null ? undefined : setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #markLost(lost: boolean): void {
    if (this.#lost === lost) return;
    this.#lost = lost;
    lostStreams.value += lost ? 1 : -1;
  }
}
