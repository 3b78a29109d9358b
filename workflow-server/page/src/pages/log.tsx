// The live log of one job or of all jobs. Follows new output until the user scrolls up.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { address } from "../api/client.ts";
import { follow } from "../api/stream.ts";
import { Problem } from "../api/problem.ts";
import type { LogRecord } from "../api/types.ts";
import { LogLines, type LogLine } from "../live/log-lines.ts";
import { CopyButton } from "../ui/copy.tsx";
import { plural } from "../ui/format.ts";
import { ProblemBox } from "../ui/problem.tsx";

interface Props {
  run: string;
  job?: string;
  attempt?: number;
  label: string;
  height: number;
}

/** How many lines are rendered at once; buttons move through a longer log. */
const WINDOW = 2000;

export function Log({ run, job, attempt, label, height }: Props) {
  const lines = useRef(new LogLines());
  const [, paint] = useState(0);
  const [ended, setEnded] = useState(false);
  const [following, setFollowing] = useState(true);
  const [wrap, setWrap] = useState(true);
  /** The first rendered line; null for the latest lines. */
  const [first, setFirst] = useState<number | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const path = `runs/${encodeURIComponent(run)}/logs`;
  useEffect(() => {
    let frame = 0;
    const stop = follow(path, { job, attempt }, null, {
      message: ({ event, data }) => {
        if (event === "end") return setEnded(true);
        const record = read(data);
        if (!record || !lines.current.take(record)) return;
        frame ||= requestAnimationFrame(() => {
          frame = 0;
          paint((n) => n + 1);
        });
      },
      refused: setProblem,
    });
    return () => {
      cancelAnimationFrame(frame);
      stop();
    };
  }, [path, job, attempt]);
  useLayoutEffect(() => {
    if (following && first === null && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const all = lines.current.lines;
  const from = first ?? Math.max(0, all.length - WINDOW);
  const shown = all.slice(from, from + WINDOW);
  const after = all.length - from - shown.length;
  const show = (line: number | null) => {
    setFollowing(line === null);
    setFirst(line);
    requestAnimationFrame(() => line !== null && box.current?.scrollTo(0, 0));
  };
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    const atEnd = scrollHeight - scrollTop - clientHeight < 30;
    setFollowing(atEnd && after === 0);
    // Keep the visible lines in place while new output arrives.
    if (!atEnd && first === null && all.length > WINDOW) setFirst(from);
  };
  return (
    <div class="log">
      <div class="log-tools">
        <label><input type="checkbox" checked={following} onChange={(event) => show(event.currentTarget.checked ? null : from)} /> Follow</label>
        <label><input type="checkbox" checked={wrap} onChange={(event) => setWrap(event.currentTarget.checked)} /> Wrap</label>
        {all.length > 0 && <span>{plural(all.length, "line")}</span>}
        <span class="log-ends">
          <CopyButton text={() => all.map((line) => line.text).join("\n")} label="Copy log" />
          <a class="button copy" download href={address(path, { job, attempt, format: "text" }).href}>Download</a>
        </span>
      </div>
      <ProblemBox problem={problem} />
      <div ref={box} class={`log-box ${wrap ? "wrap" : ""}`} style={{ maxHeight: `${height}px` }} tabIndex={0} role="log" aria-label={label} aria-live="off" onScroll={onScroll}>
        {lines.current.dropped > 0 && <p class="muted">{lines.current.dropped.toLocaleString("en")} earlier lines are only in the download.</p>}
        {from > 0 && (
          <p>
            <button type="button" onClick={() => show(Math.max(0, from - WINDOW))}>Earlier lines</button>{" "}
            <button type="button" onClick={() => show(0)}>Jump to start</button>
          </p>
        )}
        {shown.length === 0 && <p class="muted">{ended ? "No output." : "No output yet."}</p>}
        {shown.map((line) => <Line key={line.key} line={line} named={job === undefined} />)}
        {after > 0 && (
          <p>
            <button type="button" onClick={() => show(from + WINDOW)}>Later lines</button>{" "}
            <button type="button" onClick={() => show(null)}>Jump to end</button>
          </p>
        )}
      </div>
    </div>
  );
}

function Line({ line, named }: { line: LogLine; named: boolean }) {
  return (
    <div class={`log-line ${line.stream}`}>
      {named && <span class="log-job">{line.job}</span>}
      {line.stream === "stderr" && <span class="log-mark" title="standard error">err</span>}
      <span>{line.text}</span>
    </div>
  );
}

function read(data: string): LogRecord | null {
  try {
    const record = JSON.parse(data) as LogRecord;
    return typeof record.text === "string" ? record : null;
  } catch {
    return null;
  }
}
