// Splits log records into lines. Pure. Keeps only the last lines of a very long log.

import type { LogRecord } from "../api/types.ts";
import { plain } from "../ui/format.ts";

export interface LogLine {
  key: number;
  job: string;
  attempt: number;
  stream: LogRecord["stream"];
  text: string;
}

const MOST = 200_000;

export class LogLines {
  lines: LogLine[] = [];
  dropped = 0;
  #end = -1;
  #last = 0;
  /** The unfinished line of each job and stream. */
  #open = new Map<string, LogLine>();

  /** Adds a record; returns false for a repeated one. */
  take(record: LogRecord): boolean {
    if (record.end <= this.#end) return false;
    this.#end = record.end;
    const source = `${record.job}\n${record.attempt}\n${record.stream}`;
    const parts = plain(record.text).split(/\r?\n/);
    const open = this.#open.get(source);
    this.#open.delete(source);
    if (open) this.#replace(open, open.text + parts.shift()!);
    const whole = parts[parts.length - 1] === "" || parts.length === 0;
    if (whole) parts.pop();
    let last: LogLine | undefined = open;
    for (const text of parts) {
      last = { key: ++this.#last, job: record.job, attempt: record.attempt, stream: record.stream, text: overwritten(text) };
      this.lines.push(last);
    }
    if (!record.text.endsWith("\n") && last) this.#open.set(source, last);
    this.#trim();
    return true;
  }

  #replace(line: LogLine, text: string): void {
    line.text = overwritten(text);
  }

  #trim(): void {
    if (this.lines.length <= MOST * 1.2) return;
    const over = this.lines.length - MOST;
    this.lines = this.lines.slice(over);
    this.dropped += over;
  }
}

/** Applies carriage returns as a terminal does. */
function overwritten(text: string): string {
  const last = text.replace(/\r+$/, "").lastIndexOf("\r");
  return last < 0 ? text.replace(/\r+$/, "") : text.slice(last + 1).replace(/\r+$/, "");
}
