// Starts the real server for tests. WORKFLOW_BIN names the binary.

import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
export const binary = process.env.WORKFLOW_BIN ?? [`${root}target/release/workflow`, `${root}target/debug/workflow`].find(existsSync);

/** The program of an example of workflow-cli. */
export const example = (name) => binary && join(dirname(binary), "examples", name);

/** Starts the server of a program with these users and arguments, in a temporary folder. */
export async function serve(users = [], password = "", program = binary, more = []) {
  if (!binary) throw new Error("no server binary found; run `cargo build -p workflow-cli`, or set WORKFLOW_BIN");
  const folder = await mkdtemp(join(tmpdir(), "workflow-page-"));
  const db = `sqlite://${join(folder, "test.db")}`;
  for (const [name, ...more] of users) execFileSync(binary, ["user", "add", name, ...more, "--db", db], { input: `${password}\n` });
  if (!existsSync(program)) throw new Error(`${program} does not exist; run \`cargo build -p workflow-cli --bins --examples\``);
  const server = spawn(program, ["serve", "--db", db, "--address", "127.0.0.1:0", "--allow-commands", ...more], { cwd: folder });
  const url = await new Promise((resolve, reject) => {
    let text = "";
    const hear = (part) => {
      text += part;
      const found = /http:\/\/127\.0\.0\.1:[1-9]\d*/.exec(text);
      if (found) resolve(`${found[0]}/`);
    };
    server.stdout.on("data", hear);
    server.stderr.on("data", hear);
    server.on("exit", () => reject(new Error(text)));
  });
  const stop = async () => {
    server.removeAllListeners("exit");
    const gone = new Promise((resolve) => server.on("exit", resolve));
    server.kill();
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  return { url, folder, db, stop };
}

/** Starts a worker on the store of a server. Killing it leaves it no time to say goodbye. */
export function startWorker({ folder, db }, more = []) {
  const worker = spawn(binary, ["worker", "--db", db, ...more], { cwd: folder, stdio: "inherit" });
  const gone = new Promise((resolve) => worker.on("exit", resolve));
  return { kill: () => (worker.kill("SIGKILL"), gone) };
}
