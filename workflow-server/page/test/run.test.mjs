// The page of a run: live updates, reconnection, and 2,000 jobs.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { axeFaults, launch, open, OUTPUT, signIn } from "./browser.mjs";
import { contract } from "./contract.mjs";
import { start } from "./mock.mjs";

let browser;
let mock;
let view;
before(async () => {
  mock = await start({ contract: await contract() });
  browser = await launch();
  view = await open(browser);
  await signIn(view.page, mock.url);
});
after(async () => {
  await browser?.close();
  await mock?.close();
});

const show = async (run) => view.page.goto(`${mock.url}#/runs/${run.id}`);
const status = () => view.page.locator(".facts > [role=status]");

test("a run is shown live until it completes", async () => {
  const { page } = view;
  const run = mock.world.begin(mock.world.workflows[0], {}, { tick: 150, trouble: 0 });
  await show(run);
  await page.getByRole("button", { name: /^extract_stripe, (running|completed)/ }).waitFor();
  await page.getByRole("button", { name: /^notify, completed/ }).waitFor({ timeout: 10_000 });
  await page.waitForFunction(() => document.querySelector(".facts > [role=status]")?.textContent === "completed");
  await page.getByRole("link", { name: "Input and output" }).click();
  await page.getByText("published").waitFor();
});

test("a lost connection is shown, and recovers without missing or repeated events", async () => {
  const { page } = view;
  const run = mock.world.begin(mock.world.workflows[0], {}, { tick: 500, trouble: 0 });
  await show(run);
  await page.getByRole("button", { name: /^extract_stripe, running/ }).waitFor();
  mock.world.down = true;
  mock.world.cutStreams();
  await page.getByText("Connection lost, reconnecting").waitFor();
  await page.waitForTimeout(900);
  mock.world.down = false;
  await page.getByText("Connection lost, reconnecting").waitFor({ state: "detached", timeout: 15_000 });
  await page.getByRole("button", { name: /^notify, completed/ }).waitFor({ timeout: 15_000 });
  await page.getByText("9 completed").waitFor();
});

test("the page reports a deleted run, also after a lost connection", async () => {
  const { page } = view;
  for (const connected of [true, false]) {
    const run = mock.world.begin(mock.world.workflows[0], {}, { tick: 60_000 });
    await show(run);
    await page.getByRole("button", { name: /^extract_stripe, / }).waitFor();
    while (mock.world.streams.size === 0) await page.waitForTimeout(20);
    if (!connected) {
      mock.world.down = true;
      mock.world.cutStreams();
      await page.getByText("Connection lost, reconnecting").waitFor();
    }
    mock.world.delete(run);
    mock.world.down = false;
    await page.getByRole("alert").getByText("This run was deleted").waitFor({ timeout: 15_000 });
    await page.getByText("Connection lost, reconnecting").waitFor({ state: "detached" });
    // After a reload, the run does not exist.
    await page.reload();
    await page.getByRole("alert").getByText("No run").waitFor();
  }
});

test("the log of a job is shown live", async () => {
  const { page } = view;
  const run = mock.world.begin(mock.world.workflows[0], {}, { tick: 300, trouble: 0 });
  await show(run);
  await page.getByRole("button", { name: /^extract_zendesk/ }).click();
  await page.getByRole("log", { name: "Log of extract_zendesk" }).getByText("wrote 1020 rows").waitFor({ timeout: 10_000 });
  assert.match(page.url(), /job=extract_zendesk/);
  assert.ok(!(await page.locator(".log-box").first().textContent()).includes("\u001b"));
});

test("runs can be cancelled and retried", async () => {
  const { page } = view;
  const run = mock.world.begin(mock.world.workflows[0], {}, { tick: 5000 });
  await show(run);
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("button", { name: "Cancel run" }).click();
  await page.waitForFunction(() => document.querySelector(".facts > [role=status]")?.textContent === "cancelled");
  await show(mock.world.failed);
  await page.getByRole("button", { name: "Retry failed" }).click();
  await page.waitForFunction((id) => !location.hash.includes(id), mock.world.failed.id);
  await page.getByRole("button", { name: /^notify, completed/ }).waitFor({ timeout: 15_000 });
  await show(mock.world.failed);
  await page.getByRole("link", { name: /^See / }).first().click();
  await page.getByRole("button", { name: "Retry from here" }).click();
  await page.waitForFunction((id) => !location.hash.includes(id), mock.world.failed.id);
});

test("a signal is sent to a waiting run", async () => {
  const { page } = view;
  const run = mock.world.begin(mock.world.workflows[2], {}, { tick: 100, trouble: 0 });
  await show(run);
  await page.getByText(/^Waits for signature, \d/).waitFor();
  assert.equal(await status().textContent(), "waiting");
  await page.getByLabel(/^Payload as JSON/).fill('{"by": "me"}');
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("button", { name: /^pay, completed/ }).waitFor({ timeout: 10_000 });
  assert.deepEqual(run.events.find((event) => event.event === "signal_received").payload, { by: "me" });
});

test("2,000 jobs render, expand to cells, and update live", async () => {
  const { page } = view;
  const times = [];
  for (let i = 0; i < 3; i++) {
    await page.goto("about:blank");
    await page.goto(`${mock.url}#/runs/${mock.world.large.id}`, { waitUntil: "commit" });
    times.push(await page.evaluate(() => new Promise((resolve) => {
      const look = () => (document.querySelector(".node") ? requestAnimationFrame(() => resolve(performance.now())) : requestAnimationFrame(look));
      look();
    })));
  }
  console.log(`first paint of 2,000 jobs: ${times.map(Math.round).join(", ")} ms`);
  const run = mock.world.begin(mock.world.workflows[1], {}, { tick: 100, each: 60, trouble: 0 });
  await show(run);
  await page.getByRole("button", { name: /^Group download_/ }).click();
  assert.equal(await page.locator("[data-stop^='job download_']").count(), 990);
  await page.evaluate(() => {
    globalThis.slowest = 0;
    let last = performance.now();
    const look = (now) => ((globalThis.slowest = Math.max(globalThis.slowest, now - last)), (last = now), requestAnimationFrame(look));
    requestAnimationFrame((now) => ((last = now), look(now)));
  });
  await page.waitForFunction(() => document.querySelector(".facts > [role=status]")?.textContent === "completed", null, { timeout: 60_000 });
  const slowest = await page.evaluate(() => globalThis.slowest);
  console.log(`slowest frame while 2,000 jobs ran: ${Math.round(slowest)} ms`);
  await page.getByRole("button", { name: "Show all jobs" }).click();
  await page.waitForFunction(() => document.querySelectorAll("[data-stop]").length === 2000);
});

const HOSTILE = "<img src=x onerror=\"globalThis.hacked = true\">\u001b[31m\n\u202e";

/** A table of the mock, with text that would be code without escapes. */
function table(name, more = {}) {
  const text = { kind: "frequent", values: [{ value: HOSTILE, count: 2 }, { value: "", count: 1 }], distinct: 2 };
  const buckets = Array.from({ length: 20 }, (_, at) => ({ from: String(at * 5), to: String(at * 5 + 5), count: at === 7 ? 31 : at }));
  const all = { kind: "frequent", values: Array.from({ length: 10 }, (_, at) => ({ value: `k${at}`, count: 1 })), distinct: 240 };
  return {
    name, job: "load", place: `data/${name}.parquet`, written: 240,
    columns: [
      { name: "key", type: "text", nulls: 0, chart: all },
      { name: "amount", type: "number", nulls: 19, chart: { kind: "histogram", buckets } },
      { name: "<b>note</b>", type: "text", nulls: 237, chart: text },
      { name: "nothing", type: "text", nulls: 240, chart: null },
    ],
    column_count: 4,
    rows: Array.from({ length: 100 }, (_, at) => [`k${at}`, at % 9 === 0 ? null : String(at * 1.5), at === 0 ? HOSTILE : `note ${at} `.repeat(at === 3 ? 25 : 1), null]),
    row_count: null, sampled: 240, unreadable: 2, ...more,
  };
}

for (const [theme, phone] of [["light", false], ["dark", false], ["light", true]]) {
  test(`the tables of a run are shown as text, ${theme}${phone ? ", phone" : ""}`, async () => {
    const run = mock.world.begin(mock.world.workflows[0], {}, { tick: 20, trouble: 0 });
    run.tables = [table("orders"), table("orders-2", { columns: undefined })];
    const { page, context } = await open(browser, { theme, phone });
    await signIn(page, mock.url);
    await page.goto(`${mock.url}#/runs/${run.id}`);
    await page.getByRole("link", { name: "Data 2" }).click({ timeout: 20_000 });
    await page.getByText("at least 242 rows, 4 columns").waitFor();
    await page.getByRole("img", { name: "Values of amount from 0 to 100; most, 31, from 35 to 40" }).waitFor();
    await page.getByText("240 values, all different.").waitFor();
    await page.getByText("2 rows left out").waitFor();
    const shown = "<img src=x onerror=\"globalThis.hacked = true\">\\u001b[31m\\n\\u202e";
    const cells = page.getByRole("region", { name: "First rows" });
    assert.equal(await cells.locator("tbody tr").first().locator("td").nth(2).textContent(), shown);
    await page.getByRole("list", { name: "Values of <b>note</b>" }).getByText(shown).waitFor();
    assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
    assert.equal(await cells.locator("tbody tr").count(), 100);
    await page.evaluate(await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8"));
    assert.deepEqual(await axeFaults(page), []);
    await page.screenshot({ path: `${OUTPUT}run-data-${theme}${phone ? "-phone" : ""}.png`, fullPage: true });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), "the page is not wider than the window");
    await page.getByRole("link", { name: "orders-2" }).click();
    await page.getByText("the file is not on this machine").waitFor();
    await context.close();
  });
}

test("a run without tables has no tab for them", async () => {
  const { page } = view;
  await show(mock.world.failed);
  await page.getByRole("link", { name: "Input and output" }).waitFor();
  assert.equal(await page.getByRole("link", { name: /^Data/ }).count(), 0);
  await page.goto(`${mock.url}#/runs/${mock.world.failed.id}?tab=data`);
  await page.getByText("This run has recorded no tables.").waitFor();
});

test("no script errors, and the mock kept the contract", () => assert.deepEqual([...view.faults, ...mock.world.faults], []));
