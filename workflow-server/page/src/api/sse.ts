// Parses server-sent events. Pure: `stream.ts` handles connections.

export interface Message {
  id: string | null;
  event: string;
  data: string;
}

/** Parses a stream in arbitrary pieces and returns the complete messages. */
export class SseParser {
  #rest = "";
  #data: string[] = [];
  #event = "";
  #id: string | null = null;

  push(text: string): Message[] {
    this.#rest += text;
    const messages: Message[] = [];
    for (;;) {
      const end = this.#rest.search(/\r\n|\n|\r/);
      // A lone \r at the end may be the first half of \r\n.
      if (end < 0 || (this.#rest[end] === "\r" && end === this.#rest.length - 1)) return messages;
      const line = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + (this.#rest.startsWith("\r\n", end) ? 2 : 1));
      const message = this.#line(line);
      if (message) messages.push(message);
    }
  }

  #line(line: string): Message | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }

  #dispatch(): Message | null {
    const message = { id: this.#id, event: this.#event || "message", data: this.#data.join("\n") };
    const empty = this.#data.length === 0;
    this.#data = [];
    this.#event = "";
    return empty ? null : message;
  }
}
