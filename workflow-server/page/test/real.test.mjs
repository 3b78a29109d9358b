// The page with the real server: create a workflow from a file, run, fail, retry, and keep it private.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { axeFaults, OUTPUT } from "./browser.mjs";
import { ended, run, Site } from "./site.mjs";

let site;
let view;

before(async () => {
  site = await Site.start([["alice", "--staff"], ["bob"], ["carol"]]);
  view = await site.visitor("bob");
});

after(() => site?.stop());

test("errors in a file are shown with their position", async () => {
  const { page } = view;
  await page.getByRole("button", { name: "New workflow" }).first().click();
  await page.getByLabel("Workflow file").fill('name: "wrong"\njobs:\n  - name: "a"\n    comand: "true"\n');
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("button", { name: "Go to line 4" }).click();
  page.once("dialog", (dialog) => dialog.accept());
  await page.keyboard.press("Escape");
});

test("a workflow is created from a file, and its run is shown live", async () => {
  const { page } = view;
  const job = (name, needs) => `  - name: "${name}"\n    command: "echo ${name}; sleep 0.5"\n${needs ? `    depends_on: ${JSON.stringify(needs)}\n` : ""}`;
  const yaml = `name: "daily_etl_pipeline"\nproject: "data-warehouse"\nmetadata: |\n  {"schedule": "0 2 * * *", "owner": "data-engineering-team"}\ndescription: "Daily ETL process for customer analytics data"\njobs:\n${job("extract_salesforce")}${job("extract_zendesk")}${job("transform_and_load", ["extract_salesforce", "extract_zendesk"])}`;
  await site.create(page, yaml);
  await page.getByText("data-warehouse").first().waitFor();
  await run(page);
  await page.getByRole("button", { name: /^extract_zendesk, running/ }).waitFor();
  await ended(page, "completed");
  await page.getByRole("button", { name: /^transform_and_load, completed/ }).click();
  await page.getByRole("log").getByText("transform_and_load").waitFor();
});

test("a log of 50,000 lines can be read and downloaded", async () => {
  const { page } = view;
  await site.create(page, 'name: "chatty"\njobs:\n  - name: "count"\n    command: "seq 1 50000"\n');
  await run(page);
  await ended(page, "completed");
  await page.getByRole("link", { name: "Log" }).click();
  const log = page.getByRole("log");
  await log.getByText("50000", { exact: true }).waitFor();
  await page.getByText("50,000 lines").waitFor();
  await log.getByRole("button", { name: "Jump to start" }).click();
  await log.getByText("1", { exact: true }).waitFor();
  await log.getByRole("button", { name: "Later lines" }).click();
  await log.getByText("2001", { exact: true }).waitFor();
  await log.getByRole("button", { name: "Jump to end" }).click();
  await log.getByText("50000", { exact: true }).waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  const text = await readFile(await download.path(), "utf8");
  assert.deepEqual([text.split("\n").length, text.slice(0, 20), text.slice(-14)], [50_001, "count | 1\ncount | 2\n", "count | 50000\n"]);
});

test("a run is cancelled", async () => {
  const { page } = view;
  await site.create(page, 'name: "slow"\njobs:\n  - name: "wait"\n    command: "sleep 60"\n');
  await run(page);
  await page.getByRole("button", { name: /^wait, running/ }).waitFor();
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("button", { name: "Cancel run" }).click();
  await ended(page, "cancelled");
});

test("a failed run is retried", async () => {
  const { page } = view;
  const flag = join(site.folder, "there");
  await site.create(page, `name: "flaky"\njobs:\n  - name: "first"\n    command: "echo first"\n  - name: "second"\n    command: "cat ${flag}"\n    depends_on: ["first"]\n`);
  await run(page);
  await ended(page, "failed");
  const failed = page.url();
  await page.getByRole("button", { name: /^second, failed/ }).click();
  await page.getByRole("log").getByText("No such file").waitFor();
  await writeFile(flag, "now");
  await page.getByRole("button", { name: "Retry failed" }).click();
  await page.waitForFunction((before) => location.href.split("?")[0] !== before.split("?")[0], failed);
  await ended(page, "completed");
  await page.getByRole("button", { name: /^first, completed, .*reused/ }).waitFor();
  await page.getByRole("link", { name: "an earlier run" }).click();
  await page.waitForFunction((before) => location.href.split("?")[0] === before.split("?")[0], failed);
});

test("users do not see each other's workflows; staff see all", async () => {
  const carol = await site.visitor("carol");
  await site.create(carol.page, 'name: "of_carol"\njobs:\n  - name: "a"\n    command: "true"\n');
  await carol.page.goto(`${site.url}#/workflows`);
  await carol.page.getByRole("link", { name: "of_carol" }).waitFor();
  assert.equal(await carol.page.getByRole("link", { name: "daily_etl_pipeline" }).count(), 0);
  await view.page.goto(`${site.url}#/workflows`);
  await view.page.getByRole("link", { name: "daily_etl_pipeline" }).waitFor();
  assert.equal(await view.page.getByRole("link", { name: "of_carol" }).count(), 0);
  const alice = await site.visitor("alice");
  await alice.page.getByRole("link", { name: "of_carol" }).waitFor();
  await alice.page.getByRole("link", { name: "daily_etl_pipeline" }).waitFor();
  for (const { context, faults } of [carol, alice]) {
    assert.deepEqual(faults, []);
    await context.close();
  }
});

test("a run of 2,000 jobs renders", async () => {
  const jobs = Array.from({ length: 2000 }, (_, at) => `  - name: job_${at}\n    command: "true"${at < 100 ? "" : `\n    depends_on: [job_${at % 100}]`}\n`);
  await view.page.goto(site.url);
  await view.page.evaluate(async (yaml) => {
    const { csrf } = await (await fetch("api/v1/session")).json();
    await fetch("api/v1/workflows", { method: "POST", body: yaml, headers: { "content-type": "application/yaml", "x-csrf-token": csrf } });
  }, `name: many\njobs:\n${jobs.join("")}`);
  await view.page.goto(`${site.url}#/workflows/many`);
  await run(view.page);
  await view.page.waitForFunction(() => document.querySelector(".facts > [role=status]")?.textContent === "completed", null, { timeout: 120_000 });
  const at = view.page.url();
  const times = [];
  for (let round = 0; round < 5; round += 1) {
    await view.page.goto("about:blank");
    await view.page.goto(at);
    await view.page.locator("svg [data-job], svg g").first().waitFor();
    times.push(await view.page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
    times.push(await view.page.evaluate(() => performance.now()));
  }
  console.log(`2,000 jobs, real server: first contentful paint and graph, alternating: ${times.map(Math.round).join(", ")} ms`);
});

for (const theme of ["light", "dark"]) {
  test(`every page renders, ${theme}`, async () => {
    const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
    const { page, context, faults } = await site.visitor("alice", { theme });
    await page.goto(`${site.url}#/runs?workflow=flaky`);
    await page.locator("tbody .status", { hasText: "failed" }).waitFor();
    const failed = await page.locator("tbody tr", { hasText: "failed" }).locator("a").first().getAttribute("href");
    const pages = { workflows: "#/workflows", workflow: "#/workflows/daily_etl_pipeline", runs: "#/runs", run: failed, overview: "#/overview", admin: "#/admin" };
    for (const tab of ["runs", "durations", "source", "config", "details"]) pages[`workflow-${tab}`] = `#/workflows/daily_etl_pipeline?tab=${tab}`;
    for (const tab of ["timeline", "jobs", "log", "values"]) pages[`run-${tab}`] = `${failed}?tab=${tab}`;
    const wrong = [];
    for (const [name, hash] of Object.entries(pages)) {
      await page.goto(`${site.url}${hash}`);
      await page.locator("h1").waitFor();
      await page.waitForFunction(() => !document.querySelector(".waiting"));
      await page.waitForTimeout(150);
      await page.evaluate(axe);
      if (await page.getByText("Not Found").count()) wrong.push(`${name}: not found`);
      wrong.push(...(await axeFaults(page)).map((fault) => `${name}: ${fault}`));
      await page.screenshot({ path: `${OUTPUT}real-${name}-${theme}.png` });
    }
    assert.deepEqual([...wrong, ...faults], []);
    await context.close();
  });
}

test("no script errors", () => assert.deepEqual(view.faults, []));
