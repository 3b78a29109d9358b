// Materializes partitions of assets: which ones, the plan with its reasons, and the run.

import { useEffect, useId, useState } from "preact/hooks";
import { get, post, type Query } from "../api/client.ts";
import { Problem } from "../api/problem.ts";
import type { AssetItem, AssetPlan, StartedRun } from "../api/types.ts";
import { partitionName, runInput, summaryOf } from "../live/assets.ts";
import { MAKER } from "../live/making.ts";
import { go } from "../route.ts";
import { Dialog } from "../ui/dialog.tsx";
import { ProblemBox, Loading } from "../ui/problem.tsx";

/** `materialize` makes a partition or the latest ones, `backfill` a range. */
export type Kind = "materialize" | "backfill";

interface Props {
  /** Null for all assets. */
  asset: AssetItem | null;
  kind: Kind;
  /** Null for the latest one. */
  partition: string | null;
  force: boolean;
  close: () => void;
}

/** What the user chose. */
interface Choice {
  from: string;
  to: string;
  force: boolean;
  overdue: boolean;
}

export function AssetDialog({ asset, kind, partition, force, close }: Props) {
  const [choice, setChoice] = useState<Choice>({ from: partition ?? "", to: partition ?? "", force, overdue: false });
  const plan = usePlan();
  const [problem, setProblem] = useState<Problem | null>(null);
  const [starting, setStarting] = useState(false);
  const show = (next: Choice) => plan.load(queryOf(asset, kind, next));
  // Which partitions to make is known already.
  useEffect(() => {
    if (kind === "materialize") show(choice);
  }, []);
  const change = (part: Partial<Choice>) => {
    const next = { ...choice, ...part };
    setChoice(next);
    setProblem(null);
    if (kind === "materialize") show(next);
    else plan.clear();
  };
  const start = async () => {
    setStarting(true);
    setProblem(null);
    try {
      const started = await post<StartedRun>(`${MAKER}/run`, { input: runInput(plan.data!) });
      close();
      go(["runs", started.run_id]);
    } catch (error) {
      setProblem(Problem.of(error));
      setStarting(false);
    }
  };
  return (
    <Dialog title={titleOf(asset, kind, partition)} close={close} wide>
      <form onSubmit={(event) => (event.preventDefault(), show(choice))}>
        {kind === "materialize" && partition === null && <p class="muted">{latest(asset)}</p>}
        {kind === "backfill" && <Range asset={asset!} choice={choice} change={change} />}
        <Flags asset={asset} choice={choice} change={change} />
        {kind === "backfill" && <div class="actions"><button type="submit" class={plan.data ? "" : "primary"} disabled={plan.loading}>Show plan</button></div>}
      </form>
      <ProblemBox problem={plan.problem} />
      {plan.loading && !plan.data && <Loading what="the plan" />}
      {plan.data && <Plan plan={plan.data} />}
      <ProblemBox problem={problem} />
      {plan.data && (
        <div class="actions end">
          <button type="button" onClick={close}>{plan.data.steps.length === 0 ? "Close" : "Go back"}</button>
          {plan.data.steps.length > 0 && <button type="button" class="primary" disabled={starting || plan.loading} onClick={() => void start()}>Start run</button>}
        </div>
      )}
    </Dialog>
  );
}

function titleOf(asset: AssetItem | null, kind: Kind, partition: string | null): string {
  if (asset === null) return "Materialize all assets";
  return kind === "backfill" ? `Backfill ${asset.name}` : `Materialize ${partitionName(asset.name, partition)}`;
}

/** What is materialized without a choice. */
function latest(asset: AssetItem | null): string {
  const more = "Also materializes its inputs, unless they are current.";
  if (asset === null) return "Materializes the latest ended period of each asset, or all of its keys. Skips what is current.";
  if (asset.partitions === null) return more;
  return `Materializes ${asset.period === null ? "all keys" : "the latest ended period"}. ${more}`;
}

function queryOf(asset: AssetItem | null, kind: Kind, { from, to, force, overdue }: Choice): Query {
  return { asset: asset?.name, partitions: kind === "backfill" && !from && !to ? "all" : null, from: from.trim(), to: to.trim(), force: force || null, overdue: overdue || null };
}

/** The plan for the last choice: an answer to an earlier one is dropped. */
function usePlan() {
  const [query, setQuery] = useState<{ query: Query } | null>(null);
  const [state, setState] = useState<{ data: AssetPlan | null; problem: Problem | null; loading: boolean }>({ data: null, problem: null, loading: false });
  useEffect(() => {
    if (query === null) return setState({ data: null, problem: null, loading: false });
    const abort = new AbortController();
    setState((old) => ({ data: old.data, problem: null, loading: true }));
    get<AssetPlan>("asset-plan", query.query, abort.signal).then(
      (data) => !abort.signal.aborted && setState({ data, problem: null, loading: false }),
      (error: unknown) => !abort.signal.aborted && setState({ data: null, problem: Problem.of(error), loading: false }),
    );
    return () => abort.abort();
  }, [query]);
  return { ...state, load: (next: Query) => setQuery({ query: next }), clear: () => setQuery(null) };
}

interface ChoiceProps {
  asset: AssetItem;
  choice: Choice;
  change: (part: Partial<Choice>) => void;
}

const EXAMPLES = { hourly: "2026-01-31T23", daily: "2026-01-31", weekly: "2026-01-26", monthly: "2026-01" };

function Range({ asset, choice, change }: ChoiceProps) {
  const id = useId();
  const keys = asset.period === null ? (asset.partitions ?? "").split(", ") : [];
  return (
    <>
      <p class="muted">Materializes the stale and missing partitions of a range, and their inputs. Partitions: {asset.partitions}. An empty field means the first or the last one.</p>
      <div class="filters">
        {(["from", "to"] as const).map((bound) => (
          <div class="field grow" key={bound}>
            <label for={`${id}-${bound}`}>{bound === "from" ? "First partition" : "Last partition"}</label>
            {keys.length > 0 ? (
              <select id={`${id}-${bound}`} value={choice[bound]} onChange={(event) => change({ [bound]: event.currentTarget.value })}>
                <option value="">{bound === "from" ? "first" : "last"}</option>
                {keys.map((key) => <option key={key} value={key}>{key}</option>)}
              </select>
            ) : (
              <input id={`${id}-${bound}`} class="code" autocomplete="off" spellcheck={false} placeholder={asset.period === null ? "" : EXAMPLES[asset.period]} value={choice[bound]}
                onInput={(event) => change({ [bound]: event.currentTarget.value })} />
            )}
          </div>
        ))}
      </div>
    </>
  );
}

function Flags({ asset, choice, change }: { asset: AssetItem | null; choice: Choice; change: ChoiceProps["change"] }) {
  const id = useId();
  return (
    <>
      <div class="field flag">
        <input id={`${id}-force`} type="checkbox" checked={choice.force} onChange={(event) => change({ force: event.currentTarget.checked })} />
        <label for={`${id}-force`}>Materialize these again even if they are current</label>
      </div>
      {(asset === null || (asset.freshness !== null && asset.period === null)) && (
        <div class="field flag">
          <input id={`${id}-overdue`} type="checkbox" checked={choice.overdue} onChange={(event) => change({ overdue: event.currentTarget.checked })} />
          <label for={`${id}-overdue`}>Also materialize values that are older than their freshness</label>
        </div>
      )}
    </>
  );
}

/** The number of steps that are shown at once. */
const SOME = 100;

function Plan({ plan }: { plan: AssetPlan }) {
  const [most, setMost] = useState(SOME);
  useEffect(() => setMost(SOME), [plan]);
  const { steps } = plan;
  return (
    <section class="stack" aria-label="Plan">
      <p role="status">{summaryOf(plan)}</p>
      {steps.length > 0 && (
        <div class="scroll plan" tabIndex={0} role="region" aria-label="Steps of the plan">
          <table class="cells">
            <thead><tr><th scope="col">Partition</th><th scope="col">Why</th></tr></thead>
            <tbody>
              {steps.slice(0, most).map(({ asset, partition, reasons }) => (
                <tr key={partitionName(asset, partition)}><td><code>{partitionName(asset, partition)}</code></td><td>{reasons.map(({ text }) => text).join("; ")}</td></tr>
              ))}
            </tbody>
          </table>
          {most < steps.length && <button type="button" class="more" onClick={() => setMost(most + 10 * SOME)}>Show more ({(steps.length - most).toLocaleString("en")} left)</button>}
        </div>
      )}
    </section>
  );
}
