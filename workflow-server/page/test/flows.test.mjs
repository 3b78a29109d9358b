// What people do: by keyboard alone, with two accounts, with files that have mistakes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, signIn } from "./browser.mjs";
import { start } from "./mock.mjs";

let browser;
let mock;
before(async () => {
  mock = await start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await mock?.close();
});

const focused = (page) => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent);

test("everything is reached by keyboard", async () => {
  const { page, context, faults } = await open(browser);
  await page.goto(mock.url);
  await page.getByLabel("Username").waitFor();
  await page.getByLabel("Username").focus();
  await page.keyboard.type("alice");
  await page.keyboard.press("Tab");
  await page.keyboard.type("alice");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "daily_etl" }).waitFor();
  await page.reload();
  await page.getByRole("link", { name: "daily_etl" }).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Skip to the content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "New workflow");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await focused(page), "New workflow", "the focus is back where it was");

  await page.getByRole("link", { name: "daily_etl" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Run", exact: true }).waitFor();
  await page.getByRole("button", { name: "extract_stripe" }).focus();
  await page.keyboard.press("ArrowRight");
  assert.match(await focused(page), /^clean/);
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Job clean" }).waitFor();
  await page.keyboard.press("+");

  await page.goto(`${mock.url}#/runs/${mock.world.large.id}?tab=jobs`);
  await page.locator("[data-row='0']").focus();
  await page.keyboard.press("End");
  await page.waitForFunction(() => document.activeElement?.getAttribute("data-row") === "1999");
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: /^Job / }).or(page.locator("section.panel")).waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test("a workflow is made from a file, its mistakes shown with their place, and run from its form", async () => {
  const { page, context, faults } = await open(browser);
  await signIn(page, mock.url);
  await page.getByRole("button", { name: "New workflow" }).click();
  const editor = page.getByLabel("Workflow file");
  await editor.fill('name: "made_here"\njobs:\n\t- name: "one"\n');
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("button", { name: "Go to line 3" }).click();
  assert.equal(await editor.evaluate((area) => area.value.slice(0, area.selectionStart).split("\n").length), 3);
  await editor.fill('name: "made_here"\njobs:\n  - name: "one"\n  - name: "two"\n');
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name: "made_here" }).waitFor();
  await page.getByRole("button", { name: "two" }).waitFor();

  await page.goto(`${mock.url}#/workflows/daily-etl`);
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await dialog.getByText("is needed").waitFor();
  await dialog.getByLabel("day").fill("2026-01-02");
  await dialog.getByRole("button", { name: "Add to sources" }).click();
  await dialog.getByLabel("sources 2", { exact: true }).fill("zendesk");
  await dialog.getByRole("button", { name: "Edit as JSON" }).click();
  await dialog.getByRole("button", { name: "Edit as a form" }).click();
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await page.waitForFunction(() => location.hash.startsWith("#/runs/"));
  assert.deepEqual(mock.world.runs.at(-1).input, { day: "2026-01-02", rows: 5000, mode: "delta", dry_run: false, sources: ["salesforce", "zendesk"], target: { table: "customers" } });
  assert.deepEqual(faults, []);
  await context.close();
});

test("workflows are found by typing and by filters, page after page", async () => {
  const { page, context } = await open(browser);
  await signIn(page, mock.url);
  const rows = page.locator(".workflows tbody tr");
  await page.waitForFunction(() => document.querySelectorAll(".workflows tbody tr").length === 50);
  await page.getByRole("button", { name: "Show more" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".workflows tbody tr").length > 60);
  await page.getByLabel("Search").fill("invoice");
  await page.waitForFunction(() => document.querySelectorAll(".workflows tbody tr").length === 1);
  assert.match(page.url(), /q=invoice/);
  await page.getByLabel("Search").fill("");
  await page.getByLabel("Project").fill("imaging");
  await rows.getByRole("link", { name: "satellite_tiles" }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll(".workflows tbody tr").length === 1);
  await context.close();
});

test("metadata is checked and saved", async () => {
  const { page, context } = await open(browser);
  await signIn(page, mock.url);
  await page.goto(`${mock.url}#/workflows/nightly-backup?tab=details`);
  await page.getByLabel("Metadata").fill('{"a": }');
  await page.getByText("is no JSON").waitFor();
  assert.ok(await page.getByRole("button", { name: "Save" }).isDisabled());
  await page.getByLabel("Metadata").fill('{"owner": "ops"}');
  await page.getByLabel("Project").fill("moved");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved").waitFor();
  assert.deepEqual([mock.world.find("5").metadata, mock.world.find("5").project], [{ owner: "ops" }, "moved"]);
  await context.close();
});

test("who signs in sees what is theirs; an ended session leads to the door and back", async () => {
  const { page, context } = await open(browser);
  await page.goto(mock.url);
  await page.getByLabel("Username").fill("bob");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("The username or the password is wrong").waitFor();
  await signIn(page, mock.url, "bob");
  await page.getByRole("link", { name: "report_02" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "daily_etl" }).count(), 0);
  assert.equal(await page.getByRole("link", { name: "Admin" }).count(), 0);
  await page.goto(`${mock.url}#/workflows/daily-etl`);
  await page.getByText("No workflow `daily-etl`").waitFor();
  mock.world.sessions.clear();
  await page.goto(`${mock.url}#/runs`);
  await page.getByLabel("Username").waitFor();
  await page.getByLabel("Username").fill("bob");
  await page.getByLabel("Password").fill("bob");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Runs" }).waitFor();
  await context.close();
});

test("a token is shown once; a refusal is shown with its field", async () => {
  const { page, context } = await open(browser);
  await signIn(page, mock.url);
  await page.goto(`${mock.url}#/admin`);
  await page.getByRole("button", { name: "New token" }).click();
  await page.getByLabel("Name").fill("deploy");
  await page.getByRole("button", { name: "Create" }).click();
  assert.match(await page.locator(".secret code").textContent(), /^wf_/);
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("cell", { name: "deploy", exact: true }).waitFor();
  assert.equal(await page.getByText(/wf_/).count(), 0);
  await page.getByRole("button", { name: "New account" }).click();
  await page.getByLabel("Username").fill("carol");
  await page.getByRole("dialog").getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByText("needs 8 characters or more").waitFor();
  await context.close();
});
