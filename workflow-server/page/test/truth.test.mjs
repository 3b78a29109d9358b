// The page shows the true state of the real server: waits, pending jobs, durations and errors.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { binary, example } from "./server.mjs";
import { ended, run, Site } from "./site.mjs";

let site;
let view;
before(async () => {
  site = await Site.start([["alice", "--staff"]], example("booking"));
  view = await site.visitor("alice");
});
after(() => site?.stop());

const status = (page) => page.locator(".facts > [role=status]");
const cli = (...args) => execFileSync(binary, [...args, "--db", site.db], { encoding: "utf8" });
const idOf = (page) => page.url().match(/runs\/([^?]+)/)[1];
/** Reads a path of the API with the session of the page. */
const api = (page, path) => page.evaluate(async (at) => (await fetch(`api/v1/${at}`)).json(), path);

async function begin(page, name, yaml) {
  await site.create(page, `name: "${name}"\n${yaml}`);
  await run(page);
}

test("the waits of a function and of its jobs are shown live and on load, and can be answered", async () => {
  const { page } = view;
  await page.goto(`${site.url}#/workflows/seats%2Fbook`);
  await run(page);
  const waiting = page.getByRole("region", { name: "Waiting" });
  const told = async () => {
    await waiting.getByText(/^Waits for answer, /).waitFor();
    await waiting.getByText(/^Waits for go, /).waitFor();
    assert.equal(await status(page).textContent(), "waiting");
    assert.deepEqual(await waiting.getByRole("option").allTextContents(), ["answer", "go"]);
    return edges();
  };
  const edges = async () => (await page.locator("path.edges").getAttribute("d")).match(/M/g).length;
  const before = await told();
  assert.equal(before, 2, "from the function to `hold` and to `ask`");
  await page.reload();
  assert.equal(await told(), before, "the edges are shown after a reload");
  const id = idOf(page);
  const document = await api(page, `runs/${id}`);
  assert.deepEqual(document.waiting.map(({ signal }) => signal), ["answer", "go"]);
  assert.equal(document.stall.state, "waiting");
  assert.match(cli("runs", "list"), /waiting/);
  assert.match(cli("runs", "get", id), /waits for signal `answer`/);
  await page.goto(`${site.url}#/runs`);
  await page.locator("tbody tr", { hasText: "seats/book" }).getByText("waiting").waitFor();
  await page.locator("tbody tr", { hasText: "for answer, " }).getByRole("link").first().click();
  await waiting.getByLabel("Signal", { exact: true }).selectOption("go");
  await waiting.getByRole("button", { name: "Send" }).click();
  await waiting.getByText(/^Waits for go, /).waitFor({ state: "detached" });
  await waiting.getByLabel(/^Payload as JSON/).fill("[18446744073709551615]");
  await waiting.getByRole("button", { name: "Send" }).click();
  // The first sleep is over; the page shows the second one.
  await waiting.getByText(/^Sleeps until /).waitFor();
  assert.equal(await edges(), 3, "the job that started in the meantime has its edge");
  await page.getByRole("button", { name: /^ask/ }).first().click();
  await page.getByRole("group", { name: "output", exact: true }).getByText("18446744073709551615").waitFor();
});

test("a run that waits for a child run links it", async () => {
  const { page } = view;
  await begin(page, "outer", `jobs:\n- { name: call, workflow: seats/book }\n`);
  const waiting = page.getByRole("region", { name: "Waiting" });
  await waiting.getByText(/^Job call waits for run /).waitFor();
  await waiting.getByRole("link").first().click();
  await page.getByRole("heading", { name: /^seats\/book #/ }).waitFor();
  await waiting.getByText(/^Waits for go, /).waitFor();
});

test("pending jobs are counted and listed", async () => {
  const { page } = view;
  await begin(page, "many", `jobs:\n- { name: gate, command: "sleep 60" }\n- { name: "job_{i}", command: "true", parameters: { i: "1:249" }, depends_on: [gate] }\n`);
  await page.getByRole("link", { name: "Jobs 250" }).click();
  await page.getByText("249 pending").first().waitFor();
  await page.getByRole("button", { name: /^pending ?job_249/ }).or(page.getByRole("button", { name: /job_2\b/ })).first().waitFor();
  await page.getByLabel("Search").fill("job_249");
  await page.getByRole("button", { name: /job_249/ }).waitFor();
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("button", { name: "Cancel run" }).click();
  await ended(page, "cancelled");
});

test("the timeline of a running run shows its jobs in order, with durations", async () => {
  const { page } = view;
  await begin(page, "line", `jobs:\n- { name: z_first, command: "sleep 2" }\n- { name: a_second, command: "sleep 60", depends_on: [z_first] }\n- { name: m_third, command: "true", depends_on: [a_second] }\n`);
  await page.getByRole("link", { name: "Timeline" }).click();
  const line = (name) => page.locator(".timeline [data-row]", { hasText: name });
  await line("a_second").getByText(/, running, started after 2/).waitFor();
  // The duration keeps counting: 3 s, then 5 s.
  await line("a_second").locator(".line-took", { hasText: /^3(\.\d)? s$/ }).waitFor();
  await line("a_second").locator(".line-took", { hasText: /^5(\.\d)? s$/ }).waitFor();
  const names = () => page.locator(".timeline [data-row] .line-name").allTextContents();
  assert.deepEqual(await names(), ["z_first", "a_second", "m_third"]);
  assert.match(await line("z_first").locator(".line-took").textContent(), /^2(\.\d)? s$/);
  await page.reload();
  await line("a_second").waitFor();
  assert.deepEqual(await names(), ["z_first", "a_second", "m_third"]);
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("button", { name: "Cancel run" }).click();
  await ended(page, "cancelled");
});

test("a retry links the original run, and reused jobs show their duration", async () => {
  const { page } = view;
  await begin(page, "repeat", `jobs:\n- { name: slow, command: "sleep 1.2" }\n- { name: bad, command: "test -e there", depends_on: [slow] }\n`);
  await ended(page, "failed");
  const failed = idOf(page);
  await page.getByRole("button", { name: "Retry failed" }).click();
  await page.waitForFunction((id) => !location.hash.includes(id), failed);
  await ended(page, "failed");
  assert.match(await page.getByRole("link", { name: "an earlier run" }).getAttribute("href"), new RegExp(failed));
  await page.getByRole("link", { name: "Jobs" }).click();
  const row = page.locator(".job-line", { hasText: "slow" });
  for (const open of [() => undefined, () => page.reload()]) {
    await open();
    await row.getByText("result of the original run").waitFor();
    assert.match(await row.locator(".number").textContent(), /^1\.\d s$/);
  }
  await page.getByRole("link", { name: "Timeline" }).click();
  assert.match(await page.locator(".timeline [data-row]", { hasText: "slow" }).locator(".line-took").textContent(), /^1\.\d s$/);
  assert.match(await page.locator(".facts").textContent(), /took \d+ ms/, "the retry itself took less than a second");
});

/** Counts the pixels of a colour in a chart. */
const pixels = (page, chart, colour) =>
  page.getByRole("img", { name: chart }).locator("canvas").evaluate((canvas, name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(--${name})`;
    canvas.parentElement.append(probe);
    const [r, g, b] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
    probe.remove();
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) count += Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 12;
    return count;
  }, colour);

test("durations and statistics of few runs are correct", async () => {
  const { page } = view;
  await begin(page, "few", `jobs:\n- { name: maybe, command: "sleep 0.3; test ! -e stop || sleep 60" }\n`);
  await ended(page, "completed");
  const workflow = `${site.url}#/workflows/few`;
  const chart = async (name) => {
    await page.goto(`${workflow}?tab=durations`);
    await page.getByRole("heading", { name: "Statistics" }).waitFor();
    await page.getByRole("img", { name }).locator("canvas").waitFor();
    return pixels(page, name, "completed");
  };
  assert.ok((await chart("Duration of 1 run over time")) > 8, "a single run is drawn as a point");
  const cells = async () => (await page.locator(".figures tbody tr").first().locator("td").allTextContents());
  let [completed, failed, success, , p50, p95] = await cells();
  assert.deepEqual([completed, failed, success, p95], ["1", "0", "100 %", "–"]);
  assert.match(p50, /ms$/);
  // A run that is cancelled is neither a success nor a failure.
  execFileSync("touch", [`${site.folder}/stop`]);
  await page.goto(workflow);
  await run(page);
  await page.getByRole("button", { name: /^maybe, running/ }).waitFor();
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("button", { name: "Cancel run" }).click();
  await ended(page, "cancelled");
  await chart("Duration of 2 runs over time");
  [completed, failed, success] = await cells();
  assert.deepEqual([completed, failed, success], ["1", "0", "100 %"]);
  await page.getByText("100 % success").waitFor();
  await page.goto(`${site.url}#/workflows?q=few`);
  await page.locator("tbody tr", { hasText: "few" }).getByText("100 %").waitFor();
  await page.goto(`${site.url}#/overview`);
  await page.getByRole("img", { name: /^Duration/ }).first().locator("canvas").waitFor();
});

test("lists, headings and the job panel show the most significant error line", async () => {
  const { page } = view;
  const script = `echo noise >&2; printf 'Traceback (most recent call last):\\\\n  File \\"load.py\\", line 3\\\\nConnectionError: no route to db\\\\n' >&2; exit 3`;
  await begin(page, "decides", `jobs:\n- name: load\n  command: "${script}"\n`);
  await ended(page, "failed");
  await page.locator(".problem-title", { hasText: "job `load` failed: ConnectionError: no route to db" }).waitFor();
  await page.getByRole("button", { name: /^load, failed/ }).click();
  await page.getByRole("region", { name: "Job load" }).locator(".problem-title", { hasText: "ConnectionError: no route to db" }).waitFor();
  await page.getByRole("link", { name: "Jobs" }).click();
  await page.locator(".job-note", { hasText: "ConnectionError: no route to db" }).waitFor();
  await page.goto(`${site.url}#/runs?q=decides`);
  assert.equal(await page.locator("tbody tr td").last().textContent(), "load: ConnectionError: no route to db");
  const line = cli("runs", "list").split("\n").find((text) => text.includes("decides"));
  assert.match(line, /ConnectionError/);
});

test("a log of 50,000 lines can be read page by page", async () => {
  const { page } = view;
  await begin(page, "chatty", `jobs:\n- { name: count, command: "seq 1 50000" }\n`);
  await ended(page, "completed");
  const id = idOf(page);
  const text = await page.evaluate(async (run) => {
    let [all, from, isWhole] = ["", 0, false];
    while (!isWhole) {
      const { items, next, ended } = await (await fetch(`api/v1/runs/${run}/logs?limit=3&from=${from}`)).json();
      all += items.map((record) => record.text).join("");
      [from, isWhole] = [next, ended];
    }
    return all;
  }, id);
  assert.deepEqual([text.split("\n").length, text.slice(-6)], [50_001, "50000\n"]);
});

test("a part of a name finds workflows and runs, and Back restores the loaded rows", async () => {
  const { page } = view;
  await begin(page, "nightly_sales_report", `jobs:\n- { name: a, command: "true" }\n`);
  await ended(page, "completed");
  const id = (await api(page, "workflows/nightly_sales_report")).id;
  await page.evaluate(async (workflow) => {
    const { csrf } = await (await fetch("api/v1/session")).json();
    for (let at = 0; at < 70; at += 1) await fetch(`api/v1/workflows/${workflow}/run`, { method: "POST", headers: { "x-csrf-token": csrf } });
  }, id);
  for (const [typed, found] of [["nigh", 1], ["sales", 1], ["rep nightly_sa", 1], ["REPORT", 1], ["sales nothing", 0]]) {
    await page.goto(`${site.url}#/workflows`);
    await page.getByLabel("Search").fill(typed);
    await page.waitForFunction((wanted) => location.hash.includes("q=") && document.querySelectorAll(".workflows tbody tr").length === wanted, found);
    if (found) await page.getByRole("link", { name: "nightly_sales_report" }).waitFor();
  }
  await page.goto(`${site.url}#/runs`);
  const [list] = await Promise.all([page.waitForResponse(/runs\?q=ales_rep/), page.getByRole("searchbox", { name: "Workflow" }).fill("ales_rep")]);
  await list.finished();
  await page.waitForFunction(() => {
    const names = [...document.querySelectorAll("tbody .name")];
    return location.hash.includes("ales_rep") && names.length === 50 && names.every((cell) => cell.textContent === "nightly_sales_report");
  });
  await page.getByRole("button", { name: "Show more" }).click();
  await page.locator("tbody tr").nth(70).waitFor();
  const row = page.locator("tbody tr").nth(65);
  await row.scrollIntoViewIfNeeded();
  await page.waitForFunction(() => window.scrollY > 500);
  const before = await page.evaluate(() => window.scrollY);
  await row.getByRole("link").first().click();
  await page.getByRole("navigation", { name: "Run sections" }).waitFor();
  await page.getByRole("button", { name: /^a, / }).click();
  await page.getByRole("region", { name: "Job a" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("region", { name: "Job a" }).waitFor({ state: "detached" });
  await page.goBack();
  await page.waitForFunction((wanted) => Math.abs(window.scrollY - wanted) < 5, before);
  assert.equal(await page.locator("tbody tr").count(), 71);
});

test("a rejected change is reverted, and a workflow that cannot run shows the reason", async () => {
  const { page } = view;
  await page.goto(`${site.url}#/admin`);
  const box = page.getByLabel("alice is staff");
  await box.click();
  await page.locator(".notices .bad").waitFor();
  assert.equal(await box.isChecked(), true);
  await site.create(page, `name: "resting"\njobs:\n- { name: a, command: "true" }\n`);
  await page.getByRole("link", { name: "Details" }).click();
  await page.getByRole("button", { name: "Deactivate" }).click();
  await page.getByText("Cannot run: this workflow is inactive").waitFor();
  assert.ok(await page.getByRole("button", { name: "Run", exact: true }).isDisabled());
  await page.getByRole("button", { name: "Activate" }).click();
  await page.getByText("Cannot run").waitFor({ state: "detached" });
});
