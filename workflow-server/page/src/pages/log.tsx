// What jobs have printed, and print: it follows until one scrolls up.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { follow } from "../api/stream.ts";
import { Problem } from "../api/problem.ts";
import type { LogRecord } from "../api/types.ts";
import { LogLines, type LogLine } from "../live/log-lines.ts";
import { CopyButton } from "../ui/copy.tsx";
import { ProblemBox } from "../ui/problem.tsx";

interface Props {
  run: string;
  job?: string;
  attempt?: number;
  label: string;
  height: number;
}

export function Log({ run, job, attempt, label, height }: Props) {
  const lines = useRef(new LogLines());
  const [, paint] = useState(0);
  const [ended, setEnded] = useState(false);
  const [following, setFollowing] = useState(true);
  const [wrap, setWrap] = useState(true);
  const [problem, setProblem] = useState<Problem | null>(null);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let frame = 0;
    const stop = follow(`runs/${encodeURIComponent(run)}/logs`, { job, attempt }, null, {
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
  }, [run, job, attempt]);
  useLayoutEffect(() => {
    if (following && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const shown = lines.current.lines;
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    setFollowing(scrollHeight - scrollTop - clientHeight < 30);
  };
  return (
    <div class="log">
      <div class="log-tools">
        <label><input type="checkbox" checked={following} onChange={(event) => setFollowing(event.currentTarget.checked)} /> Follow</label>
        <label><input type="checkbox" checked={wrap} onChange={(event) => setWrap(event.currentTarget.checked)} /> Wrap</label>
        <CopyButton text={() => shown.map((line) => line.text).join("\n")} label="Copy the log" />
      </div>
      <ProblemBox problem={problem} />
      <div ref={box} class={`log-box ${wrap ? "wrap" : ""}`} style={{ maxHeight: `${height}px` }} tabIndex={0} role="log" aria-label={label} aria-live="off" onScroll={onScroll}>
        {lines.current.dropped > 0 && <p class="muted">{lines.current.dropped.toLocaleString("en")} earlier lines are not shown.</p>}
        {shown.length === 0 && <p class="muted">{ended ? "Nothing was printed." : "Nothing printed yet."}</p>}
        {shown.map((line) => <Line key={line.key} line={line} named={job === undefined} />)}
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
