// The events of a run, as sent by the event stream.

import { parseExact } from "../api/json.ts";
import type { Failure, Json, JsonObject } from "../api/types.ts";
import { isObject } from "../form/schema.ts";

export interface RunEvent {
  sequence: number;
  at: string;
  event: string;
  job?: string;
  attempt?: number;
  error?: Failure;
  retry_in?: number;
  reason?: string;
  until?: string;
  signal?: string;
  payload?: Json;
  output?: Json;
  annotations?: JsonObject;
  origin?: Json;
}

/** Parses an event; null if it is invalid. */
export function readEvent(data: string): RunEvent | null {
  try {
    const value = parseExact(data) as unknown as RunEvent;
    return typeof value.event === "string" && typeof value.sequence === "number" ? value : null;
  } catch {
    return null;
  }
}

/** Returns the job that started this job dynamically. */
export function startedBy(origin: Json | undefined): string | null {
  if (!isObject(origin)) return null;
  for (const [way, key] of [["called", "by"], ["element", "of"], ["undo", "of"]] as const) {
    const part = origin[way];
    if (isObject(part) && typeof part[key] === "string") return part[key];
  }
  return null;
}
