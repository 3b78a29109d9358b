// The events that start runs of a workflow.

import { base } from "../api/client.ts";
import type { WorkflowDetail } from "../api/types.ts";
import { triggersOf, type Trigger } from "../live/triggers.ts";
import { CopyButton } from "../ui/copy.tsx";
import { Prose } from "../ui/prose.tsx";

export function WorkflowTriggers({ workflow }: { workflow: WorkflowDetail }) {
  const triggers = triggersOf(workflow.metadata);
  if (triggers.length === 0) return null;
  return (
    <section class="card" aria-label="Triggers">
      <h2>Triggers</h2>
      <Blocked reason={workflow.triggers_blocked} />
      <ul class="reasons">{triggers.map((trigger) => <li key={JSON.stringify(trigger)}><TriggerView workflow={workflow} trigger={trigger} /></li>)}</ul>
    </section>
  );
}

/** Why a trigger does not run. */
function Blocked({ reason }: { reason: string | null }) {
  return reason === null ? null : <span class="warning flow" role="note"><Prose text={`trigger not running: ${reason}`} runs={[]} /></span>;
}

function TriggerView({ workflow, trigger }: { workflow: WorkflowDetail; trigger: Trigger }) {
  if (trigger.kind === "after") return <>after a run of <After workflow={trigger.workflow} />: {ENDS[trigger.on] ?? trigger.on}</>;
  // By ID: several owners may have a workflow of this name.
  const address = new URL(`workflows/${workflow.id}/webhooks/${encodeURIComponent(trigger.name)}`, base).href;
  return (
    <>
      webhook <code>{trigger.name}</code>, signed as {trigger.signature}: <code>POST {address}</code>{" "}
      <CopyButton text={() => address} label={`Copy the address of webhook ${trigger.name}`} />
    </>
  );
}

const ENDS: Record<string, string> = { succeeded: "when it completed", failed: "when it failed", finished: "when it ended in any way" };

function After({ workflow }: { workflow: string }) {
  return <a href={`#/workflows/${encodeURIComponent(workflow)}`}>{workflow}</a>;
}

/** The triggers in a few words, for the head of the page. */
export function TriggerFacts({ workflow }: { workflow: WorkflowDetail }) {
  const triggers = triggersOf(workflow.metadata);
  return (
    <>
      {triggers.length > 0 && (
        <span class="flow">
          started by {triggers.map((trigger, index) => (
            <>{index > 0 && ", "}{trigger.kind === "after" ? <>the end of <After workflow={trigger.workflow} /></> : <>webhook <code>{trigger.name}</code></>}</>
          ))}
        </span>
      )}
      <Blocked reason={workflow.triggers_blocked} />
    </>
  );
}
