// Hooks that load data from the server and reload it.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { entryState } from "../route.ts";
import { get, type Query } from "./client.ts";
import { Problem } from "./problem.ts";
import type { Page } from "./types.ts";

export interface Load<T> {
  data: T | null;
  problem: Problem | null;
  loading: boolean;
  reload: () => void;
}

/** Loads when a key changes, and every `every` seconds while the page is visible. */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, keys: unknown[], every?: number): Load<T> {
  return useLoadFrom(null, load, keys, every);
}

/** Like `useLoad`, starting with data that was loaded before. */
function useLoadFrom<T>(before: T | null, load: (signal: AbortSignal) => Promise<T>, keys: unknown[], every?: number): Load<T> {
  const [state, set] = useState<Omit<Load<T>, "reload">>({ data: before, problem: null, loading: true });
  const [turn, again] = useState(0);
  const key = JSON.stringify(keys);
  const loaded = useRef<string | null>(before === null ? null : key);
  useEffect(() => {
    const abort = new AbortController();
    const fresh = loaded.current !== key;
    set((old) => ({ data: fresh ? null : old.data, problem: null, loading: true }));
    load(abort.signal).then(
      (data) => {
        if (abort.signal.aborted) return;
        loaded.current = key;
        set({ data, problem: null, loading: false });
      },
      (error: unknown) => {
        if (!abort.signal.aborted) set((old) => ({ data: old.data, problem: Problem.of(error), loading: false }));
      },
    );
    return () => abort.abort();
  }, [key, turn]);
  const reload = useCallback(() => again((n) => n + 1), []);
  useEffect(() => {
    if (!every) return;
    const timer = setInterval(() => document.visibilityState === "visible" && reload(), every * 1000);
    return () => clearInterval(timer);
  }, [every]);
  return { ...state, reload };
}

export interface Paged<T> extends Load<T[]> {
  more: (() => void) | null;
}

/** Loads a list page by page. Reloading and returning with Back keep the number of loaded items. */
export function usePaged<T>(path: string, query: Query, every?: number, limit = 50): Paged<T> {
  const key = JSON.stringify([path, query]);
  const place = useRef(entryState().lists);
  const before = useRef(place.current.get(key) as Page<T> | undefined);
  const [count, setCount] = useState(Math.max(limit, before.current?.items.length ?? 0));
  const last = useRef(key);
  if (last.current !== key) {
    last.current = key;
    if (count !== limit) setCount(limit);
  }
  const loaded = useLoadFrom(before.current ?? null, (signal) => pages<T>(path, query, count, limit, signal), [path, query], every);
  if (loaded.data) place.current.set(key, loaded.data);
  const counted = useRef(count);
  useEffect(() => {
    if (counted.current !== count) {
      counted.current = count;
      loaded.reload();
    }
  }, [count]);
  const more = loaded.data?.next ? () => setCount((n) => n + limit) : null;
  return { ...loaded, data: loaded.data?.items ?? null, more };
}

async function pages<T>(path: string, query: Query, count: number, limit: number, signal: AbortSignal): Promise<Page<T>> {
  let page = await get<Page<T>>(path, { ...query, limit }, signal);
  const items = page.items;
  while (page.next && items.length < count) {
    page = await get<Page<T>>(path, { ...query, limit, cursor: page.next }, signal);
    items.push(...page.items);
  }
  return { items, next: page.next };
}
