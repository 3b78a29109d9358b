// Which page is shown: kept behind the # of the address, so that the server knows one file only. Each step of the
// history remembers how far it was scrolled and what its lists had loaded, so that Back leads to what was there.

import { signal } from "@preact/signals";

export interface Route {
  path: string[];
  params: Record<string, string>;
}

export type Params = Record<string, string | null | undefined>;

/** A step of the history, as the browser keeps it. */
interface Step {
  key: string;
  index: number;
  /** The address before it. */
  from: string | null;
}

/** What a step remembers while the page is open. */
interface Kept {
  scroll: number;
  lists: Map<string, unknown>;
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decode);
  return { path: parts, params: Object.fromEntries(new URLSearchParams(query)) };
}

export function href(path: string[], params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) if (value) query.set(key, value);
  const text = query.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text && `?${text}`}`;
}

export const route = signal<Route>(parse(location.hash));
const memory = new Map<string, Kept>();
let step = adopt(null);
let undoing = false;
history.scrollRestoration = "manual";

/** What the step at hand remembers. */
export function kept(): Kept {
  let found = memory.get(step.key);
  if (!found) memory.set(step.key, (found = { scroll: 0, lists: new Map() }));
  return found;
}

export function go(path: string[], params: Params = {}): void {
  location.hash = href(path, params);
}

/** Changes what the address says about this page, without a step back to what it said. */
export function setParams(change: Params): void {
  const { path, params } = route.peek();
  const next = href(path, { ...params, ...change });
  history.replaceState(history.state, "", next);
  route.value = parse(next);
}

/** Changes it as a step of the history. */
export function pushParams(change: Params): void {
  const { path, params } = route.peek();
  go(path, { ...params, ...change });
}

/** Takes a change of the address back: by a step back, if that is where it came from. */
export function popParams(change: Params): void {
  const { path, params } = route.peek();
  if (step.from === href(path, { ...params, ...change })) history.back();
  else setParams(change);
}

/** What is written and not saved, by whoever shows it. */
const unsaved = new Set<object>();

export function markUnsaved(owner: object, isUnsaved: boolean): void {
  if (isUnsaved) unsaved.add(owner);
  else unsaved.delete(owner);
}

/** Asks whether to lose what is not saved, if there is anything. */
export function mayLeave(): boolean {
  return unsaved.size === 0 || mayLose();
}

/** Asks whether to lose what is not saved. */
export function mayLose(): boolean {
  return confirm("What you have written is not saved. Leave it?");
}

/** What is not saved is of no use any more. */
export function dropUnsaved(): void {
  unsaved.clear();
}

window.addEventListener("beforeunload", (event) => {
  if (unsaved.size > 0) event.preventDefault();
});

window.addEventListener("hashchange", () => {
  if (undoing) {
    undoing = false;
    return;
  }
  const [before, next] = [route.peek(), parse(location.hash)];
  const arrived = adopt(step);
  const leaves = before.path.join("/") !== next.path.join("/") || before.params.tab !== next.params.tab;
  if (leaves && !mayLeave()) {
    undoing = true;
    history.go(step.index - arrived.index);
    return;
  }
  if (leaves) unsaved.clear();
  step = arrived;
  route.value = next;
});

/** The step at hand as the browser has it; a new one is given its place. */
function adopt(before: Step | null): Step {
  const known = history.state as Step | null;
  if (known?.key) return known;
  const from = before && href(route.peek().path, route.peek().params);
  const made = { key: crypto.randomUUID?.() ?? String(Math.random()), index: (before?.index ?? 0) + 1, from };
  history.replaceState(made, "", location.hash || "#/");
  return made;
}

let settling = 0;

/** Scrolls to where this step was left, once there is enough to scroll. */
export function settle(): void {
  const wanted = kept().scroll;
  const until = performance.now() + 3000;
  cancelAnimationFrame(settling);
  const look = () => {
    const room = document.documentElement.scrollHeight - window.innerHeight;
    if (room < wanted && performance.now() < until) settling = requestAnimationFrame(look);
    else {
      settling = 0;
      window.scrollTo(0, wanted);
    }
  };
  look();
}

window.addEventListener("scroll", () => settling === 0 && (kept().scroll = window.scrollY), { passive: true });
// Who scrolls meanwhile is not scrolled back.
for (const kind of ["wheel", "touchmove", "keydown"]) {
  window.addEventListener(kind, () => (cancelAnimationFrame(settling), (settling = 0)), { passive: true });
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
