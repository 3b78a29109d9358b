// Requests to the server, relative to the path where the page is mounted.

import { signal } from "@preact/signals";
import { parseExact, writeJson } from "./json.ts";
import { Problem } from "./problem.ts";
import type { Json, Session } from "./types.ts";

export const base = new URL("api/v1/", document.baseURI);

export type Query = Record<string, string | number | boolean | null | undefined>;

interface Options {
  query?: Query;
  body?: unknown;
  /** A body that is sent unchanged, with its content type. */
  text?: { type: string; body: string };
  signal?: AbortSignal;
}

/** The current session; null until it is loaded. */
export const session = signal<Session | null>(null);

/** Whether the user has staff rights. Only affects the page: the server checks every request. */
export function isStaff(): boolean {
  return session.value !== null && (session.value.open || session.value.user?.is_staff === true);
}

export function address(path: string, query: Query = {}): URL {
  const url = new URL(path, base);
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(key, String(value));
  }
  return url;
}

export async function loadSession(): Promise<void> {
  session.value = await get<Session>("session");
}

export const get = <T>(path: string, query: Query = {}, signal?: AbortSignal) => call<T>("GET", path, { query, signal });
export const post = <T>(path: string, body: unknown = {}, query: Query = {}) => call<T>("POST", path, { query, body });
export const patch = <T>(path: string, body: unknown) => call<T>("PATCH", path, { body });
export const remove = <T>(path: string) => call<T>("DELETE", path);

export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  let response = await send(method, path, options);
  if (response.status === 403 && method !== "GET" && (await renewed())) response = await send(method, path, options);
  if (!response.ok) throw await refusal(response, method, path);
  if (response.status === 204) return undefined as T;
  const type = response.headers.get("content-type") ?? "";
  const answer = await response.text();
  return (type.includes("json") ? parseExact(answer) : answer) as T;
}

async function send(method: string, path: string, { query, body, text, signal }: Options): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (text) headers["Content-Type"] = text.type;
  else if (body !== undefined) headers["Content-Type"] = "application/json";
  const csrf = session.peek()?.csrf;
  if (csrf && method !== "GET") headers["X-CSRF-Token"] = csrf;
  const payload = text ? text.body : body === undefined ? undefined : writeJson(body as Json);
  try {
    return await fetch(address(path, query), { method, headers, body: payload, signal, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw Problem.unreachable();
  }
}

/** Reloads the session; true if its CSRF token has changed, so that a retry may succeed. */
async function renewed(): Promise<boolean> {
  const before = session.peek()?.csrf;
  await loadSession().catch(() => undefined);
  return session.peek()?.csrf !== before;
}

async function refusal(response: Response, method: string, path: string): Promise<Problem> {
  const signingIn = path === "session" && method === "POST";
  const now = session.peek();
  if (response.status === 401 && !signingIn && now) session.value = { ...now, user: null, open: false, csrf: null };
  return Problem.from(response);
}
