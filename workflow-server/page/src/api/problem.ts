// Errors, read from the server's problem documents (RFC 9457).

export interface FieldError {
  field: string;
  message: string;
}

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string | null = null,
    readonly errors: FieldError[] = [],
    readonly retryAfter: number | null = null,
  ) {
    super(detail ?? title);
  }

  static unreachable(): Problem {
    return new Problem(0, "Cannot reach the server", "It may be restarting, or the network may be down.");
  }

  static deleted(): Problem {
    return new Problem(404, "This run was deleted", "The page shows the last data it received.");
  }

  static of(error: unknown): Problem {
    if (error instanceof Problem) return error;
    return new Problem(0, "Unexpected error in this page", error instanceof Error ? error.message : String(error));
  }

  static async from(response: Response): Promise<Problem> {
    const after = Number(response.headers.get("retry-after"));
    const retryAfter = Number.isFinite(after) && after > 0 ? after : null;
    const text = await response.text().catch(() => "");
    try {
      const body = JSON.parse(text) as Record<string, unknown>;
      const title = typeof body.title === "string" ? body.title : `Error ${response.status}`;
      const detail = typeof body.detail === "string" ? body.detail : null;
      return new Problem(response.status, title, detail, fieldErrors(body.errors), retryAfter);
    } catch {
      const title = response.statusText || `Error ${response.status}`;
      return new Problem(response.status, title, text.slice(0, 500) || null, [], retryAfter);
    }
  }
}

function fieldErrors(value: unknown): FieldError[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    if (typeof entry === "string") return [{ field: "", message: entry }];
    if (typeof entry !== "object" || entry === null) return [];
    const { field, message } = entry as Record<string, unknown>;
    return [{ field: String(field ?? ""), message: String(message ?? "") }];
  });
}

/** Finds the line and column (from 1) in a message. */
export function place(message: string): { line: number; column: number } | null {
  const found =
    /\bline (\d+)(?:,? column (\d+))?/i.exec(message) ??
    /-->\s*\S*?:(\d+)(?::(\d+))?/.exec(message) ??
    /^(\d+):(\d+)(?:$|[\s:])/.exec(message);
  return found ? { line: Number(found[1]), column: Number(found[2] ?? 1) } : null;
}
