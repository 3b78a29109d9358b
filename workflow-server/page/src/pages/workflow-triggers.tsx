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
  switch (trigger.kind) {
    case "after": return <>after a run of <After workflow={trigger.workflow} />: {ENDS[trigger.on] ?? trigger.on}</>;
    case "asset": return <>after a run that has made the asset <Asset name={trigger.name} /></>;
    case "file": return <>for each file that arrives: <code>{trigger.path}</code></>;
    case "webhook": return <Webhook workflow={workflow} name={trigger.name} signature={trigger.signature} />;
  }
}

function Webhook({ workflow, name, signature }: { workflow: WorkflowDetail; name: string; signature: string }) {
  // By ID: several owners may have a workflow of this name.
  const address = new URL(`workflows/${workflow.id}/webhooks/${encodeURIComponent(name)}`, base).href;
  return (
    <>
      webhook <code>{name}</code>, signed as {signature}: <code>POST {address}</code>{" "}
      <CopyButton text={() => address} label={`Copy the address of webhook ${name}`} />
    </>
  );
}

const ENDS: Record<string, string> = { succeeded: "when it completed", failed: "when it failed", finished: "when it ended in any way" };

function After({ workflow }: { workflow: string }) {
  return <a href={`#/workflows/${encodeURIComponent(workflow)}`}>{workflow}</a>;
}

function Asset({ name }: { name: string }) {
  return <a href={`#/assets/${encodeURIComponent(name)}`}>{name}</a>;
}

/** The triggers in a few words, for the head of the page. */
export function TriggerFacts({ workflow }: { workflow: WorkflowDetail }) {
  const triggers = triggersOf(workflow.metadata);
  return (
    <>
      {triggers.length > 0 && (
        <span class="flow">
          started by {triggers.map((trigger, index) => (
            <>{index > 0 && ", "}<Fact trigger={trigger} /></>
          ))}
        </span>
      )}
      <Blocked reason={workflow.triggers_blocked} />
    </>
  );
}

function Fact({ trigger }: { trigger: Trigger }) {
  switch (trigger.kind) {
    case "after": return <>the end of <After workflow={trigger.workflow} /></>;
    case "asset": return <>the asset <Asset name={trigger.name} /></>;
    case "file": return <>files <code>{trigger.path}</code></>;
    case "webhook": return <>webhook <code>{trigger.name}</code></>;
  }
}
