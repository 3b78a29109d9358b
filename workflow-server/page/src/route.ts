// The current page. Its path is in the fragment of the address, so the server serves a single file. Each history entry
// remembers its scroll position and its loaded list items, so that Back restores both.

import { signal } from "@preact/signals";

export interface Route {
  path: string[];
  params: Record<string, string>;
}

export type Params = Record<string, string | null | undefined>;

/** A history entry, as the browser stores it. */
interface Step {
  key: string;
  index: number;
  /** The address of the entry before it. */
  from: string | null;
}

/** What a history entry remembers while the page is open. */
interface EntryState {
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
const memory = new Map<string, EntryState>();
let step = adopt(null);
let undoing = false;
history.scrollRestoration = "manual";

/** Returns what the current history entry remembers. */
export function entryState(): EntryState {
  let found = memory.get(step.key);
  if (!found) memory.set(step.key, (found = { scroll: 0, lists: new Map() }));
  return found;
}

export function go(path: string[], params: Params = {}): void {
  location.hash = href(path, params);
}

/** Changes parameters of the address and replaces the current history entry. */
export function setParams(change: Params): void {
  const { path, params } = route.peek();
  const next = href(path, { ...params, ...change });
  history.replaceState(history.state, "", next);
  route.value = parse(next);
}

/** Changes parameters of the address as a new history entry. */
export function pushParams(change: Params): void {
  const { path, params } = route.peek();
  go(path, { ...params, ...change });
}

/** Reverts a change of parameters: goes back if the previous entry matches, replaces the current entry otherwise. */
export function popParams(change: Params): void {
  const { path, params } = route.peek();
  if (step.from === href(path, { ...params, ...change })) history.back();
  else setParams(change);
}

/** The components that hold unsaved text. */
const unsaved = new Set<object>();

export function markUnsaved(owner: object, isUnsaved: boolean): void {
  if (isUnsaved) unsaved.add(owner);
  else unsaved.delete(owner);
}

/** Asks before unsaved changes are lost; true if there are none or the user agrees. */
export function mayLeave(): boolean {
  return unsaved.size === 0 || mayLose();
}

/** Asks whether to discard unsaved changes. */
export function mayLose(): boolean {
  return confirm("Discard unsaved changes?");
}

/** Forgets all unsaved changes. */
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

/** Returns the browser's current history entry; gives a new entry its key and index. */
function adopt(before: Step | null): Step {
  const known = history.state as Step | null;
  if (known?.key) return known;
  const from = before && href(route.peek().path, route.peek().params);
  const made = { key: crypto.randomUUID?.() ?? String(Math.random()), index: (before?.index ?? 0) + 1, from };
  history.replaceState(made, "", location.hash || "#/");
  return made;
}

let settling = 0;

/** Restores the scroll position of this entry once the page is tall enough. */
export function settle(): void {
  const wanted = entryState().scroll;
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

window.addEventListener("scroll", () => settling === 0 && (entryState().scroll = window.scrollY), { passive: true });
// A user who scrolls in the meantime keeps their position.
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
