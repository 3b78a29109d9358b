// User flows: keyboard only, two accounts, files with errors.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, signIn } from "./browser.mjs";
import { contract } from "./contract.mjs";
import { start } from "./mock.mjs";

let browser;
let mock;
before(async () => {
  mock = await start({ contract: await contract() });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await mock?.close();
});

const focused = (page) => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent);

test("everything is reachable by keyboard", async () => {
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
  assert.equal(await focused(page), "Skip to content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "New workflow");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await focused(page), "New workflow", "the focus returns to the button");

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
  assert.deepEqual([...faults, ...mock.world.faults], []);
  await context.close();
});

test("a workflow is created from a file, whose errors have a position, and run from its form", async () => {
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
  await dialog.getByText("required").waitFor();
  await dialog.getByLabel("day").fill("2026-01-02");
  await dialog.getByRole("button", { name: "Add to sources" }).click();
  await dialog.getByLabel("sources 2", { exact: true }).fill("zendesk");
  await dialog.getByRole("button", { name: "Edit as JSON" }).click();
  await dialog.getByRole("button", { name: "Edit as form" }).click();
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await page.waitForFunction(() => location.hash.startsWith("#/runs/"));
  assert.deepEqual(mock.world.runs.at(-1).input, { day: "2026-01-02", rows: 5000, mode: "delta", dry_run: false, sources: ["salesforce", "zendesk"], target: { table: "customers" } });
  assert.deepEqual([...faults, ...mock.world.faults], []);
  await context.close();
});

test("a number in the form keeps every digit", async () => {
  const { page, context } = await open(browser);
  await signIn(page, mock.url);
  await page.goto(`${mock.url}#/workflows/daily-etl`);
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("day").fill("2026-01-02");
  await dialog.getByLabel("rows").fill("many");
  await dialog.getByRole("button", { name: "Edit as JSON" }).click();
  await dialog.getByText("must be a number").waitFor();
  await dialog.getByLabel("rows").fill("9007199254740993");
  await dialog.getByRole("button", { name: "Edit as JSON" }).click();
  assert.match(await dialog.getByLabel(/^Input as JSON/).inputValue(), /"rows": 9007199254740993,/);
  await dialog.getByRole("button", { name: "Edit as form" }).click();
  const [sent] = await Promise.all([page.waitForRequest(/\/run$/), dialog.getByRole("button", { name: "Run", exact: true }).click()]);
  assert.match(sent.postData(), /"rows":9007199254740993,/);
  await context.close();
});

test("search, filters and pages find workflows", async () => {
  const { page, context, faults } = await open(browser);
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
  assert.deepEqual([...faults, ...mock.world.faults], []);
  await context.close();
});

test("metadata is checked and saved", async () => {
  const { page, context, faults } = await open(browser);
  await signIn(page, mock.url);
  await page.goto(`${mock.url}#/workflows/nightly-backup?tab=details`);
  await page.getByLabel("Metadata").fill('{"a": }');
  await page.getByText("invalid JSON").waitFor();
  assert.ok(await page.getByRole("button", { name: "Save" }).isDisabled());
  await page.getByLabel("Metadata").fill('{"owner": "ops"}');
  await page.getByLabel("Project").fill("moved");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved").waitFor();
  assert.deepEqual([mock.world.find("5").metadata, mock.world.find("5").project], [{ owner: "ops" }, "moved"]);
  assert.deepEqual([...faults, ...mock.world.faults], []);
  await context.close();
});

test("a user sees only their workflows; an expired session leads to sign-in and back", async () => {
  const { page, context, faults } = await open(browser);
  await page.goto(mock.url);
  await page.getByLabel("Username").fill("bob");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("wrong user name or password").waitFor();
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
  assert.deepEqual([...faults, ...mock.world.faults], []);
  await context.close();
});

test("a token is shown once; a rejected field shows its error", async () => {
  const { page, context, faults } = await open(browser);
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
  await page.getByText("must have at least 8 characters").waitFor();
  assert.deepEqual([...faults, ...mock.world.faults], []);
  await context.close();
});

test("Back restores the loaded rows and the scroll position", async () => {
  const { page, context } = await open(browser);
  await signIn(page, mock.url);
  await page.goto(`${mock.url}#/runs`);
  const count = () => page.locator("tbody tr").count();
  await page.locator("tbody tr").nth(49).waitFor();
  await page.getByRole("button", { name: "Show more" }).click();
  await page.locator("tbody tr").nth(90).waitFor();
  const rows = await count();
  await page.locator("tbody tr").nth(70).scrollIntoViewIfNeeded();
  await page.waitForFunction(() => window.scrollY > 500);
  const before = await page.evaluate(() => window.scrollY);
  await page.locator("tbody tr").nth(70).locator("a").first().click();
  await page.getByRole("navigation", { name: "Run sections" }).waitFor();
  assert.equal(await page.evaluate(() => window.scrollY), 0);
  await page.goBack();
  await page.waitForFunction((wanted) => Math.abs(window.scrollY - wanted) < 5, before);
  assert.equal(await count(), rows);
  await context.close();
});

test("selecting a job adds a history entry, and Esc closes the job", async () => {
  const { page, context } = await open(browser);
  await signIn(page, mock.url);
  await page.goto(`${mock.url}#/runs/${mock.world.failed.id}`);
  const panel = page.getByRole("region", { name: "Job clean" });
  await page.getByRole("button", { name: /^clean/ }).click();
  await panel.waitFor();
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  await page.getByRole("button", { name: /^clean/ }).click();
  await panel.waitFor();
  await page.goBack();
  await panel.waitFor({ state: "detached" });
  await page.goForward();
  await panel.waitFor();
  await page.getByRole("button", { name: "Close job" }).click();
  await panel.waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => location.hash), `#/runs/${mock.world.failed.id}`);
  await context.close();
});

test("an earlier version of a file can be shown and restored", async () => {
  const { page, context } = await open(browser);
  await signIn(page, mock.url);
  await page.goto(`${mock.url}#/workflows/daily-etl?tab=source`);
  const source = page.getByLabel("Source", { exact: true }).filter({ has: page.locator("xpath=self::pre") });
  const first = await source.textContent();
  assert.equal(await page.getByRole("heading", { name: "Versions" }).count(), 0);
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "Source" }).fill(`${first}# changed\n`);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("cell", { name: "2 (current)" }).waitFor();
  await page.getByRole("button", { name: "Show version 1" }).click();
  assert.equal(await page.getByLabel("Source of version 1").textContent(), first);
  await page.getByRole("button", { name: "Restore this version" }).click();
  await page.getByRole("cell", { name: "3 (current)" }).waitFor();
  assert.equal(await source.textContent(), first);
  await context.close();
});

test("leaving unsaved text asks for confirmation", async () => {
  const { page, context } = await open(browser);
  const asked = [];
  let answer = false;
  page.on("dialog", (dialog) => (asked.push(dialog.message()), answer ? dialog.accept() : dialog.dismiss()));
  await signIn(page, mock.url);
  await page.goto(`${mock.url}#/workflows/daily-etl?tab=source`);
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "Source" }).fill("name: changed");
  await page.getByRole("link", { name: "Runs", exact: true }).first().click();
  await page.waitForFunction(() => location.hash.includes("tab=source"));
  assert.equal(await page.getByRole("textbox", { name: "Source" }).inputValue(), "name: changed");
  assert.equal(asked.length, 1);
  answer = true;
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  assert.equal(asked.length, 2);
  await page.goto(`${mock.url}#/workflows`);
  await page.getByRole("button", { name: "New workflow" }).click();
  await page.getByLabel("Workflow file").fill("name: half");
  answer = false;
  await page.keyboard.press("Escape");
  assert.equal(asked.length, 3);
  assert.equal(await page.getByLabel("Workflow file").inputValue(), "name: half");
  answer = true;
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await context.close();
});

test("leaving a dialog or form with changes asks for confirmation once", async () => {
  const { page, context } = await open(browser);
  let asked = 0;
  let answer = false;
  page.on("dialog", (dialog) => ((asked += 1), answer ? dialog.accept() : dialog.dismiss()));
  await signIn(page, mock.url);
  const dialog = page.getByRole("dialog");
  const waiting = mock.world.begin(mock.world.workflows[2], {}, { tick: 50 });
  const dialogs = [
    [`workflows/daily-etl`, "Run", "day", "2026-01-02"], ["admin", "New token", "Name", "ci 2"], ["admin", "New account", "Username", "carol"],
    ["admin", "Change password of bob", "Password", "secret"], ["workflows", "New workflow", "Workflow file", "name: x"], [`runs/${waiting.id}`, "Signal", "Signal", "go"],
  ];
  for (const [hash, button, label, text] of dialogs) {
    await page.goto(`${mock.url}#/${hash}`);
    const closes = async (how) => {
      await how();
      await dialog.waitFor({ state: "detached" });
    };
    // No confirmation without changes, or after they were reverted.
    [asked, answer] = [0, false];
    await page.getByRole("button", { name: button, exact: true }).click();
    const field = dialog.getByLabel(label, { exact: label !== "Workflow file" });
    const before = await field.inputValue();
    await field.fill(text);
    await field.fill(before);
    await closes(() => page.keyboard.press("Escape"));
    assert.equal(asked, 0, button);
    await page.getByRole("button", { name: button, exact: true }).click();
    await field.fill(text);
    await page.keyboard.press("Escape");
    await dialog.getByRole("button", { name: "Close", exact: true }).click();
    assert.equal(asked, 2, button);
    assert.equal(await field.inputValue(), text);
    await page.evaluate(() => (location.hash = "#/overview"));
    await page.waitForFunction((at) => location.hash === at, `#/${hash}`);
    assert.equal(await field.inputValue(), text, `${button}: the address changed`);
    assert.equal(asked, 3, button);
    answer = true;
    await closes(() => page.keyboard.press("Escape"));
    assert.equal(asked, 4, button);
  }
  const forms = [["admin", "Workflow (empty: all)", "etl"], [`runs/${waiting.id}`, /^Payload as JSON/, "{}"]];
  for (const [hash, label, text] of forms) {
    await page.goto(`${mock.url}#/${hash}`);
    await page.getByLabel(label).fill(text);
    [asked, answer] = [0, false];
    await page.getByRole("link", { name: "Overview" }).click();
    await page.waitForFunction((at) => location.hash === at, `#/${hash}`);
    await page.getByRole("button", { name: "Sign out" }).click();
    assert.equal(await page.getByLabel(label).inputValue(), text);
    assert.equal(asked, 2, hash);
    await page.evaluate(() => setTimeout(() => location.reload(), 0));
    await page.waitForEvent("dialog");
    assert.equal(await page.getByLabel(label).inputValue(), text);
    answer = true;
    await page.getByRole("link", { name: "Overview" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
  }
  await context.close();
});

test("a part of a name finds runs, and a workflow that cannot run shows the reason", async () => {
  const { page, context } = await open(browser);
  await signIn(page, mock.url);
  await page.goto(`${mock.url}#/runs`);
  await page.locator("tbody tr").first().waitFor();
  await page.getByRole("searchbox", { name: "Workflow" }).fill("invoice");
  await page.waitForFunction(() => {
    const names = [...document.querySelectorAll("tbody .name")];
    return names.length > 0 && names.every((cell) => cell.textContent === "approve_invoice");
  });
  await page.goto(`${mock.url}#/workflows/retired-report`);
  await page.getByText("Cannot run: this workflow is inactive").waitFor();
  assert.ok(await page.getByRole("button", { name: "Run", exact: true }).isDisabled());
  await context.close();
});

test("a checkbox is restored if the server rejects the change", async () => {
  const { page, context } = await open(browser);
  await signIn(page, mock.url);
  await page.goto(`${mock.url}#/admin`);
  await page.route("**/api/v1/users/bob", (route) => route.fulfill({ status: 403, contentType: "application/problem+json", body: JSON.stringify({ title: "Not allowed", status: 403, detail: "ask another admin" }) }));
  const box = page.getByLabel("bob is staff");
  await box.click();
  await page.getByText("ask another admin").waitFor();
  assert.equal(await box.isChecked(), false);
  await context.close();
});
