// Workers, task queues and queued runs, with the real server: it serves no queue until a worker starts.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { axeFaults, OUTPUT } from "./browser.mjs";
import { startWorker } from "./server.mjs";
import { ended, run, Site } from "./site.mjs";

const QUEUE = "reports of o'brien";

let site;
let view;
before(async () => {
  site = await Site.start([["alice", "--staff"], ["bob"]], undefined, ["--no-worker"]);
  view = await site.visitor("alice");
});
after(() => site?.stop());

const waiting = (page) => page.getByRole("region", { name: "Waiting" });
const workers = (page) => page.getByRole("region", { name: "Workers", exact: true });
const queues = (page) => page.getByRole("region", { name: "Task queues" });
const row = (page, name) => page.getByRole("row", { name });
const file = (name) => `name: "${name}"\njobs:\n- { name: extract, command: "echo extract" }\n- { name: load, command: "echo load", depends_on: [extract] }\n`;

/** Opens the form that starts a run, with these options. */
async function fill(page, queue, priority) {
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Task queue and priority").click();
  await dialog.getByLabel(/^Task queue/).fill(queue);
  await dialog.getByLabel(/^Priority/).fill(priority);
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  return dialog;
}

test("without workers and queued runs, the lists say so", async () => {
  const { page } = view;
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Workers" }).click();
  await page.getByRole("heading", { name: "Workers and Queues" }).waitFor();
  await page.getByText("Nothing waits in a task queue.").waitFor();
  await page.getByText("No live workers.").waitFor();
  assert.equal(await page.getByRole("table").count(), 0);
});

test("a wrong priority is rejected at its field", async () => {
  const { page } = view;
  await site.create(page, file("nightly"));
  const dialog = await fill(page, "", "high");
  await dialog.getByText("must be a number").waitFor();
  await dialog.getByLabel(/^Priority/).fill("2147483648");
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await dialog.getByText("must be 2147483647 or less").waitFor();
  page.once("dialog", (asked) => asked.accept());
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
});

test("a queue that nobody serves is told at the start, marked in the list, and the reason of the run", async () => {
  const { page } = view;
  const dialog = await fill(page, QUEUE, "7");
  await dialog.getByRole("alert").getByText(/^No live worker serves task queue/).waitFor();
  await page.screenshot({ path: `${OUTPUT}workers-warning.png` });
  await dialog.getByRole("link", { name: "Workers and Queues" }).click();
  await dialog.waitFor({ state: "detached" });

  await queues(page).getByRole("status").getByText("A task queue has no live worker.").waitFor();
  await row(page, QUEUE).getByText("no worker").waitFor();
  await row(page, QUEUE).getByText("workflow worker --task-queue 'reports of o'\\''brien'").waitFor();
  assert.equal(await row(page, QUEUE).getByRole("cell").nth(2).textContent(), "1");

  await page.goto(`${site.url}#/runs`);
  await row(page, "nightly").getByRole("link").first().click();
  await waiting(page).getByText(/^The run waits in task queue/).waitFor();
  await waiting(page).getByText(/^Start a worker that has the workflow/).waitFor();
  await waiting(page).getByRole("link", { name: "Workers and Queues" }).waitFor();
  const facts = await page.locator(".facts").textContent();
  for (const fact of [`task queue ${QUEUE}`, "priority 7", "requested"]) assert.ok(facts.includes(fact), facts);
  assert.ok(!facts.includes("running for"), facts);
});

test("the views have no accessibility faults, at any width", async () => {
  const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
  const shown = view.page.url().split("#")[1];
  const wrong = [];
  for (const look of [{ theme: "light" }, { theme: "dark", phone: true }]) {
    const { page, context } = await site.visitor("alice", look);
    for (const [name, hash, there] of [["workers", "/workers", queues], ["workers-run", shown, waiting]]) {
      await page.goto(`${site.url}#${hash}`);
      await there(page).waitFor();
      await page.evaluate(axe);
      wrong.push(...(await axeFaults(page)).map((fault) => `${name}: ${fault}`));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) wrong.push(`${name}: ${wide} pixels wider than the window`);
      await page.screenshot({ path: `${OUTPUT}real-${name}-${look.theme}.png` });
    }
    await context.close();
  }
  assert.deepEqual(wrong, []);
});

test("other users see why their run waits, but no workers", async () => {
  const { page, context } = await site.visitor("bob");
  await site.create(page, file("of_bob"));
  const dialog = await fill(page, "elsewhere", "");
  await dialog.getByRole("alert").waitFor();
  assert.equal(await dialog.getByRole("link", { name: "Workers and Queues" }).count(), 0);
  await dialog.getByRole("link", { name: "Show run" }).click();
  await waiting(page).getByText("elsewhere").first().waitFor();
  assert.equal(await page.getByRole("link", { name: /^Workers/ }).count(), 0);
  await page.goto(`${site.url}#/workers`);
  await page.getByText("Only staff can see workers and task queues.").waitFor();
  await context.close();
});

test("a run in progress shows what its jobs do, wait for, and when they are tried again", async () => {
  const { page, context } = await site.visitor("alice");
  const retry = "{ maximum_attempts: 2, initial_interval: 60s }";
  await site.create(page, `name: "busy"\njobs:\n- { name: gate, command: "sleep 60" }\n- { name: load, command: "true", depends_on: [gate] }\n- { name: flaky, command: "false", retry: ${retry} }\n`);
  await run(page);
  await waiting(page).getByText(/^Retries in (\d\d s|1 m)/).waitFor();
  await page.getByText("What other jobs do or wait for").click();
  const jobs = page.locator(".why li");
  await jobs.getByText(/^Job gate is running, attempt 1 since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d/).waitFor();
  await jobs.getByText("Job load waits for job gate").waitFor();
  assert.equal(await jobs.count(), 2);
  await page.screenshot({ path: `${OUTPUT}workers-busy.png` });
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("button", { name: "Cancel run" }).click();
  await ended(page, "cancelled");
  assert.equal(await waiting(page).count() + (await jobs.count()), 0, "an ended run waits for nothing");
  await context.close();
});

test("without accounts, everybody sees the workers; the server is one unless told otherwise", async () => {
  const open = await Site.start([]);
  try {
    const { page, context } = await open.visitor(null);
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Workers" }).click();
    await workers(page).getByRole("row", { name: "alive" }).getByText("all queues", { exact: true }).waitFor();
    await context.close();
  } finally {
    await open.stop();
  }
});

test("a worker that starts changes both views, and one that dies is marked", async () => {
  const { page } = view;
  const list = await site.visitor("alice");
  await list.page.goto(`${site.url}#/workers`);
  await row(list.page, QUEUE).getByText("no worker").waitFor();
  const worker = startWorker(site.server, ["--task-queue", QUEUE, "--max-concurrent-workflows", "3"]);
  try {
    await waiting(page).waitFor({ state: "detached" });
    await ended(page, "completed");
    await row(list.page, QUEUE).getByText("no worker").waitFor({ state: "detached" });
    await row(list.page, "elsewhere").getByText("no worker").waitFor();
    const alive = workers(list.page).getByRole("row", { name: "alive" });
    for (const text of [QUEUE, "0 of 3", "0, no limit"]) await alive.getByText(text, { exact: true }).waitFor();
    await list.page.screenshot({ path: `${OUTPUT}workers-alive.png` });
  } finally {
    await worker.kill();
  }
  await workers(list.page).getByRole("row", { name: "dead" }).waitFor();
  await list.page.getByText("No live workers.").waitFor();
  await list.context.close();
});

test("no script errors", () => assert.deepEqual(view.faults, []));
