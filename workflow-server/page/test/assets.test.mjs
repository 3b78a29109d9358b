// Assets with the real server of a program that has three, each with a partition for each day. Triggers of a workflow.

import assert from "node:assert/strict";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { axeFaults, OUTPUT } from "./browser.mjs";
import { example } from "./server.mjs";
import { ended, Site } from "./site.mjs";

let site;
let view;
before(async () => {
  site = await Site.start([["alice", "--staff"], ["bob"]], example("assets"));
  await mkdir(join(site.folder, "source"));
  view = await site.visitor("alice");
});
after(() => site?.stop());

/** Writes the source of a day, complete or not at all. The program waits while it is `wait`. */
async function source(day, text) {
  await writeFile(join(site.folder, "new"), text);
  await rename(join(site.folder, "new"), join(site.folder, "source", day));
}
const cell = (page, label) => page.getByRole("group", { name: /^Partitions of/ }).getByRole("button", { name: label });
const dialog = (page) => page.getByRole("dialog");
const steps = (page) => dialog(page).getByRole("region", { name: "Steps of the plan" });
const panel = (page, day) => page.getByRole("region", { name: `Partition ${day}` });
const yesterday = new Date(Date.now() - 864e5).toISOString().slice(0, 10);

async function visit(page, hash) {
  await page.goto(`${site.url}#/${hash}`);
  await page.locator("h1").waitFor();
}

/** Fills the dialog for a backfill, and shows its plan. */
async function backfill(page, asset, from, to) {
  await visit(page, `assets/${asset}`);
  await page.getByRole("button", { name: "Backfill" }).click();
  await dialog(page).getByLabel("First partition").fill(from);
  await dialog(page).getByLabel("Last partition").fill(to);
  await dialog(page).getByRole("button", { name: "Show plan" }).click();
}

async function start(page) {
  await dialog(page).getByRole("button", { name: "Start run" }).click();
  await page.waitForFunction(() => location.hash.startsWith("#/runs/"));
}

/** Closes the dialog, and loses what was typed there. */
async function discard(page) {
  page.once("dialog", (asked) => asked.accept());
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
}

test("assets are drawn with what they are made from, and lead to their pages", async () => {
  const { page } = view;
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Assets" }).click();
  const graph = page.getByRole("group", { name: "Graph of the assets" });
  await graph.getByRole("button", { name: /^raw, never materialized, \d+ days: \d+ missing$/ }).waitFor();
  assert.equal(await graph.getByRole("button").count(), 3);
  assert.equal((await page.locator(".edges").getAttribute("d")).match(/M/g).length, 2);
  await page.getByRole("row", { name: "revenue" }).getByText("never materialized").waitFor();
  await graph.getByRole("button", { name: /^raw/ }).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "orders" }).waitFor();
  await page.getByRole("definition").getByRole("link", { name: "raw" }).waitFor();
  await page.getByRole("definition").getByRole("link", { name: "revenue" }).click();
  await page.getByText("The revenue of a day.").waitFor();
  await cell(page, `${yesterday}, missing: never materialized`).waitFor();
});

test("the last partition is made, after its plan was shown with reasons", async () => {
  const { page } = view;
  await visit(page, "assets/revenue");
  await page.getByRole("button", { name: "Materialize", exact: true }).click();
  await dialog(page).getByText("Materializes 3 partitions of 3 assets.").waitFor();
  const rows = await steps(page).getByRole("row").allTextContents();
  assert.deepEqual(rows, ["PartitionWhy", ...["raw", "orders", "revenue"].map((name) => `${name}[${yesterday}]never materialized`)]);
  await start(page);
  await ended(page, "completed");
  await page.getByRole("button", { name: `revenue[${yesterday}], completed`, exact: false }).waitFor();
  await visit(page, "assets/revenue");
  await cell(page, `${yesterday}, current`).waitFor();
  await page.getByRole("button", { name: "Materialize", exact: true }).click();
  await dialog(page).getByText("Nothing to materialize; skips 3 partitions that are current.").waitFor();
  assert.equal(await dialog(page).getByRole("button", { name: "Start run" }).count(), 0);
  await dialog(page).getByLabel(/^Materialize these again/).check();
  await steps(page).getByText("forced").waitFor();
  await discard(page);
});

test("wrong ranges are refused with the cure", async () => {
  const { page } = view;
  await backfill(page, "revenue", "mars", "");
  await dialog(page).getByRole("alert").getByText("daily ones look like 2026-01-31").first().waitFor();
  await dialog(page).getByLabel("First partition").fill("2026-02-02");
  await dialog(page).getByRole("alert").first().waitFor({ state: "detached" });
  await dialog(page).getByLabel("Last partition").fill("2026-02-01");
  await dialog(page).getByRole("button", { name: "Show plan" }).click();
  await dialog(page).getByRole("alert").getByText("name the earlier partition first").first().waitFor();
  assert.equal(await dialog(page).getByRole("button", { name: "Start run" }).count(), 0);
  await discard(page);
});

test("a range is made, and its cells say what checks refused and warned of", async () => {
  const { page } = view;
  await source("2026-01-02", "2000");
  await source("2026-01-03", "9999999");
  await backfill(page, "revenue", "2026-01-01", "2026-01-03");
  await dialog(page).getByText("Materializes 9 partitions of 3 assets.").waitFor();
  await start(page);
  await ended(page, "failed");
  await visit(page, "assets/revenue");
  await cell(page, "2026-01-01, current").waitFor();
  await cell(page, "2026-01-02, current, with a warning: unusual: 2000 is unusual").waitFor();
  await cell(page, "2026-01-03, failed check: plausible: 9999999 is not plausible").click();
  await panel(page, "2026-01-03").getByText("Refused value").waitFor();
  await panel(page, "2026-01-03").getByText("9999999 is not plausible").waitFor();
  await panel(page, "2026-01-03").getByRole("link", { name: /^run …/ }).waitFor();
  await page.keyboard.press("Escape");
  await panel(page, "2026-01-03").waitFor({ state: "detached" });
});

test("the grid is used with the keyboard, and shows a record with its inputs and columns", async () => {
  const { page } = view;
  await visit(page, "assets/revenue");
  await cell(page, `${yesterday}, current`).focus();
  await page.keyboard.press("End");
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^2026-01-01, current/);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  const shown = panel(page, "2026-01-02");
  await shown.getByRole("row", { name: /^unusual warns warning 2000 is unusual/ }).waitFor();
  await shown.getByText("2 columns").click();
  await shown.getByText("integer").waitFor();
  await shown.getByText("Materialized from 1 value").click();
  await shown.getByRole("link", { name: "orders[2026-01-02]" }).click();
  await page.getByRole("heading", { name: "orders", exact: true }).waitFor();
  await panel(page, "2026-01-02").waitFor();
});

test("checks and materializations are listed, with links to their runs", async () => {
  const { page } = view;
  await visit(page, "assets/revenue?tab=checks");
  const failed = page.getByRole("table", { name: "Failed checks" });
  await failed.getByRole("row", { name: /revenue\[2026-01-03\] plausible refused 9999999 is not plausible/ }).waitFor();
  await failed.getByRole("row", { name: /revenue\[2026-01-02\] unusual warning 2000 is unusual/ }).waitFor();
  await page.getByRole("table", { name: "Results of the checks" }).getByRole("row", { name: /^plausible refuses the value/ }).waitFor();
  await page.getByRole("navigation", { name: "Asset sections" }).getByRole("link", { name: "Materializations" }).click();
  const records = page.getByRole("table", { name: "Materializations" });
  await records.getByRole("row").nth(4).waitFor();
  assert.equal(await records.getByRole("row").count(), 5);
  await page.getByLabel("Partition").fill("2026-01-03");
  await records.getByRole("row").nth(2).waitFor({ state: "detached" });
  await records.getByRole("row", { name: /2026-01-03 refused/ }).getByRole("link", { name: /^run …/ }).click();
  await page.getByText("check `plausible` refused the value of revenue[2026-01-03]").first().waitFor();
});

test("a partition that a run makes is shown as running, and its change as a reason", async () => {
  const { page } = view;
  await source("2026-01-01", "wait");
  await visit(page, "assets/raw?partition=2026-01-01");
  await panel(page, "2026-01-01").getByRole("button", { name: "Materialize again" }).click();
  await steps(page).getByText("forced").waitFor();
  await start(page);
  await visit(page, "assets/raw");
  await cell(page, "2026-01-01, running").waitFor();
  await page.getByText("A run materializes assets").waitFor();
  await source("2026-01-01", "77");
  await cell(page, "2026-01-01, current").waitFor();
  await visit(page, "assets/orders");
  await cell(page, "2026-01-01, stale: input changed: raw[2026-01-01]").waitFor();
  await page.getByText("input changed: raw[2026-01-01]").first().waitFor();
  await visit(page, "assets");
  await page.getByRole("button", { name: /^orders, stale: input changed, \d+ days: 1 stale, \d+ missing$/ }).waitFor();
  await page.getByRole("button", { name: "Materialize", exact: true }).click();
  await dialog(page).getByText("Nothing to materialize; skips 3 partitions that are current.").waitFor();
});

test("other users see the assets and may make them, as every registered workflow", async () => {
  const { page, context } = await site.visitor("bob");
  await visit(page, "assets/orders");
  await cell(page, "2026-01-01, stale: input changed: raw[2026-01-01]").click();
  await panel(page, "2026-01-01").getByRole("button", { name: "Materialize", exact: true }).click();
  await start(page);
  await ended(page, "completed");
  await visit(page, "assets/order");
  await page.getByText("no asset is named `order` (did you mean `orders`?)").waitFor();
  await context.close();
});

test("assets have no accessibility faults, at any width", async () => {
  const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
  const { page, context } = await site.visitor("alice", { theme: "dark", phone: true });
  const wrong = [];
  for (const [name, hash] of [["assets", "assets"], ["asset", "assets/revenue?partition=2026-01-03"]]) {
    await visit(page, hash);
    await page.waitForFunction(() => !document.querySelector(".waiting"));
    await page.evaluate(axe);
    wrong.push(...(await axeFaults(page)).map((fault) => `${name}: ${fault}`));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) wrong.push(`${name}: ${wide} pixels wider than the window`);
    await page.screenshot({ path: `${OUTPUT}real-${name}-phone.png` });
  }
  assert.deepEqual(wrong, []);
  await context.close();
});

test("a program without assets says so, and a workflow shows its triggers and why one does not run", async () => {
  const other = await Site.start([]);
  try {
    const { page, context } = await other.visitor(null);
    await page.goto(`${other.url}#/assets`);
    await page.getByText("This program has no assets.").waitFor();
    assert.equal(await page.getByRole("button", { name: "Materialize", exact: true }).count(), 0);
    const job = 'jobs:\n- { name: build, command: "true" }\n';
    await other.create(page, `name: ingest\n${job}`);
    await other.create(page, `name: report\nmetadata:\n  triggers:\n  - webhook: { name: push, signature: github, secret: SHOP }\n  - after: { workflow: ingest }\n${job}`);
    await page.locator(".facts").getByText("started by webhook push, the end of ingest").waitFor();
    await page.getByRole("link", { name: "Details" }).click();
    const triggers = page.getByRole("region", { name: "Triggers" });
    await triggers.getByText(/^POST http:.*\/api\/v1\/workflows\/\d+\/webhooks\/push$/).waitFor();
    await triggers.getByText("after a run of ingest: when it completed").waitFor();
    await other.create(page, `name: stock\nmetadata:\n  triggers:\n  - asset: { name: orders }\n  - file: { path: "inbox/*.csv" }\n${job}`);
    await page.locator(".facts").getByText("started by the asset orders, files inbox/*.csv").waitFor();
    await page.getByRole("link", { name: "Details" }).click();
    await triggers.getByText("after a run that has made the asset orders").waitFor();
    await triggers.getByText("for each file that arrives: inbox/*.csv").waitFor();
    await other.create(page, `name: circle\nmetadata:\n  triggers:\n  - after: { workflow: circle, on: finished }\n${job}`);
    // The scheduler reads the triggers of a new workflow a moment later.
    await page.waitForFunction(async () => (await (await fetch("api/v1/workflows/circle")).json()).triggers_blocked !== null, null, { polling: 100 });
    await page.reload();
    const blocked = page.getByRole("note").filter({ hasText: "trigger not running" });
    await blocked.first().waitFor();
    assert.match(await blocked.first().textContent(), /circle/);
    await page.screenshot({ path: `${OUTPUT}real-triggers.png` });
    await context.close();
  } finally {
    await other.stop();
  }
});

test("no script errors", () => assert.deepEqual(view.faults, []));
