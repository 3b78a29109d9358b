// Shows a problem of the server: title, detail and field errors.

import { place, type Problem } from "../api/problem.ts";

interface Props {
  problem: Problem | null;
  /** Called with a position in the text that has the problem. */
  goTo?: (line: number, column: number) => void;
  retry?: () => void;
}

export function ProblemBox({ problem, goTo, retry }: Props) {
  if (!problem) return null;
  return (
    <div class="problem" role="alert">
      <p class="problem-title">{problem.title}</p>
      {problem.detail && problem.detail !== problem.title && <Text text={problem.detail} at={place(problem.detail)} goTo={goTo} />}
      {problem.errors.length > 0 && (
        <ul>
          {problem.errors.map((error, index) => (
            <li key={index}>
              {error.field && <code>{error.field}</code>} <Text text={error.message} at={place(error.field) ?? place(error.message)} goTo={goTo} />
            </li>
          ))}
        </ul>
      )}
      {problem.retryAfter && <p>Try again in {problem.retryAfter} s.</p>}
      {retry && <button type="button" onClick={retry}>Try again</button>}
    </div>
  );
}

function Text({ text, at, goTo }: { text: string; at: ReturnType<typeof place>; goTo?: Props["goTo"] }) {
  const body = text.includes("\n") ? <pre>{text}</pre> : <span>{text}</span>;
  return (
    <>
      {body}
      {at && goTo && (
        <button type="button" class="link" onClick={() => goTo(at.line, at.column)}>
          Go to line {at.line}
        </button>
      )}
    </>
  );
}

export function Loading({ what }: { what: string }) {
  return <p class="waiting" role="status">Loading {what} …</p>;
}
