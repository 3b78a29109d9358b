// A mock server with sample data, held to the contract of the real one, for development and tests of the page.
//   node test/mock.mjs [port]      alice/alice is staff, bob/bob is not

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { api } from "./mock/api.mjs";
import { World } from "./mock/world.mjs";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".txt": "text/plain" };
const POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'self'; frame-ancestors 'none'; form-action 'self'";

export async function start({ port = 0, prefix = "/", open = false, contract = null } = {}) {
  const world = new World({ open, contract });
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://localhost");
    if (!url.pathname.startsWith(prefix)) return void response.writeHead(404).end();
    const path = url.pathname.slice(prefix.length);
    const answer = path.startsWith("api/v1/") ? api(world, request, response, url, path.slice("api/v1/".length)) : file(response, path);
    answer.catch((error) => {
      response.headersSent ? response.destroy() : response.writeHead(500).end(String(error));
    });
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = () => {
    world.stop();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { world, server, url: `http://127.0.0.1:${server.address().port}${prefix}`, close };
}

async function file(response, path) {
  const name = normalize(path === "" ? "index.html" : path);
  const body = name.startsWith("..") ? null : await readFile(join(DIST, name)).catch(() => null);
  if (!body) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream", "content-security-policy": POLICY, "x-content-type-options": "nosniff" });
  response.end(body);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await start({ port: Number(process.argv[2] ?? 8090) });
  console.log(url);
}
