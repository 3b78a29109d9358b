// Checks the responses of the mock against the OpenAPI document of the real server.

import { readFile } from "node:fs/promises";
import { serve } from "./server.mjs";

let loaded;

/** The contract of the real server, loaded once per process. */
export const contract = () => (loaded ??= load());

async function load() {
  const server = await serve();
  try {
    const document = await (await fetch(`${server.url}api/openapi.json`)).json();
    const runs = JSON.parse(await readFile(new URL("./fixtures/runs.json", import.meta.url), "utf8"));
    return new Contract(document, runs.flatMap(({ events }) => events));
  } finally {
    await server.stop();
  }
}

class Contract {
  #document;
  #paths;
  #events = new Map();

  constructor(document, events) {
    this.#document = document;
    this.#paths = Object.entries(document.paths).map(([path, methods]) => [pattern(path), path, methods]);
    for (const event of events) {
      const known = this.#events.get(event.event) ?? new Set();
      Object.keys(event).forEach((key) => known.add(key));
      this.#events.set(event.event, known);
    }
  }

  /** Throws if a response does not match the document. */
  check(method, path, status, body) {
    const found = this.#paths.find(([matches]) => matches.test(`/api/v1/${path}`));
    const answer = found?.[2][method.toLowerCase()]?.responses[status];
    if (!answer) throw new Error(`the server does not answer ${status} to ${method} ${path}`);
    const schema = answer.content?.["application/json"]?.schema;
    const wrong = schema ? this.#compare(schema, body, "") : body === undefined ? [] : [`a body, where ${found[1]} has none`];
    if (wrong.length > 0) throw new Error(`${method} ${path} answers otherwise on the server: ${wrong.slice(0, 5).join("; ")}`);
  }

  /** Throws if an event does not match the event schema. */
  checkEvent(event) {
    const known = this.#events.get(event.event);
    if (!known) throw new Error(`test/fixtures/runs.json has no event \`${event.event}\``);
    const strange = Object.keys(event).filter((key) => !known.has(key));
    const missing = ["sequence", "at", "event", "job", "attempt"].filter((key) => known.has(key) && !(key in event));
    if (strange.length + missing.length > 0) throw new Error(`events \`${event.event}\` are otherwise on the server: ${[...strange, ...missing].join(", ")}`);
  }

  #resolve(schema) {
    if (!schema.$ref) return schema;
    return schema.$ref.slice(2).split("/").reduce((at, key) => at[key], this.#document);
  }

  /** All properties of an object schema, including those of its `allOf` parts. */
  #object(schema) {
    const { properties = {}, required = [], additionalProperties, allOf = [] } = this.#resolve(schema);
    const parts = allOf.map((part) => this.#object(part));
    return {
      properties: Object.assign({}, ...parts.map((part) => part.properties), properties),
      required: [...parts.flatMap((part) => part.required), ...required],
      open: additionalProperties !== undefined || parts.some((part) => part.open),
    };
  }

  #compare(given, value, at) {
    const schema = this.#resolve(given);
    const choices = schema.oneOf ?? schema.anyOf;
    if (choices) {
      const found = choices.map((choice) => this.#compare(choice, value, at));
      return found.some((wrong) => wrong.length === 0) ? [] : (found.at(-1) ?? []);
    }
    const types = [schema.type ?? []].flat();
    if (types.length > 0 && !types.some((type) => is(type, value))) return [`${at || "the body"} is no ${types.join(" or ")}`];
    if (Array.isArray(value)) return schema.items ? value.flatMap((item, index) => this.#compare(schema.items, item, `${at}[${index}]`)) : [];
    if (typeof value !== "object" || value === null) return [];
    const { properties, required, open } = this.#object(schema);
    if (Object.keys(properties).length === 0) return [];
    const missing = required.filter((key) => !(key in value)).map((key) => `${at}.${key} is missing`);
    const rest = Object.entries(value).flatMap(([key, inner]) => {
      if (properties[key]) return this.#compare(properties[key], inner, `${at}.${key}`);
      return open ? [] : [`${at}.${key} does not exist`];
    });
    return [...missing, ...rest];
  }
}

const pattern = (path) => new RegExp(`^${path.replace(/\{[^}]+\}/g, "[^/]+")}$`);

function is(type, value) {
  if (type === "null") return value === null;
  if (type === "integer") return Number.isInteger(value);
  if (type === "array") return Array.isArray(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return typeof value === type;
}
