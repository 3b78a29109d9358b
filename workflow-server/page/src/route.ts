// Which page is shown: kept behind the # of the address, so that the server knows one file only.

import { signal } from "@preact/signals";

export interface Route {
  path: string[];
  params: Record<string, string>;
}

export type Params = Record<string, string | null | undefined>;

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
window.addEventListener("hashchange", () => (route.value = parse(location.hash)));

export function go(path: string[], params: Params = {}): void {
  location.hash = href(path, params);
}

/** Changes what the address says about this page, without a step back to what it said. */
export function setParams(change: Params): void {
  const { path, params } = route.peek();
  const next = href(path, { ...params, ...change });
  history.replaceState(null, "", next);
  route.value = parse(next);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
