// Every page in both themes and at phone width: it renders, without serious accessibility faults or script errors.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { axeFaults, launch, open, OUTPUT, signIn } from "./browser.mjs";
import { contract } from "./contract.mjs";
import { start } from "./mock.mjs";

const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
let browser;
let mock;
before(async () => {
  mock = await start({ prefix: "/below/here/", contract: await contract() });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await mock?.close();
});

const LOOKS = [{ theme: "light" }, { theme: "dark" }, { theme: "light", phone: true }, { theme: "dark", phone: true }];

function pages() {
  const { failed, large } = mock.world;
  const bad = [...failed.jobs.values()].find((job) => job.status === "failed").name;
  return {
    workflows: "workflows", "nothing-found": "workflows?q=zzz", workflow: "workflows/daily-etl", "workflow-job": "workflows/daily-etl?job=clean", "workflow-large": "workflows/satellite-tiles", "workflow-runs": "workflows/daily-etl?tab=runs",
    "workflow-durations": "workflows/daily-etl?tab=durations", "workflow-source": "workflows/daily-etl?tab=source", "workflow-config": "workflows/daily-etl?tab=config", "workflow-details": "workflows/daily-etl?tab=details",
    runs: "runs", run: `runs/${failed.id}?job=${bad}`, "run-timeline": `runs/${failed.id}?tab=timeline`, "run-jobs": `runs/${failed.id}?tab=jobs`, "run-log": `runs/${failed.id}?tab=log`, "run-values": `runs/${failed.id}?tab=values`,
    "run-large": `runs/${large.id}`, "run-waiting": `runs/${mock.world.waiting.id}`, "run-queued": `runs/${mock.world.queued.id}`, assets: "assets", asset: "assets/attribution_of_orders_to_campaigns?partition=2026-01-05", "asset-value": "assets/forecast", "asset-checks": "assets/orders?tab=checks", "asset-details": "assets/orders?tab=details",
    overview: "overview", workers: "workers", admin: "admin", "no-page": "nowhere", "no-run": "runs/none",
  };
}

for (const look of LOOKS) {
  const name = `${look.theme}${look.phone ? "-phone" : ""}`;
  test(`pages, ${name}`, async () => {
    mock.world.waiting ??= mock.world.begin(mock.world.workflows[2], {}, { tick: 50 });
    // The page runs under the content security policy of the real server, so axe is injected from outside.
    const { page, faults, context } = await open(browser, look);
    const wrong = [];
    const check = async (at) => {
      await page.evaluate(axe);
      wrong.push(...(await axeFaults(page)).map((fault) => `${at}: ${fault}`));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) wrong.push(`${at}: ${wide} pixels wider than the window`);
      await page.screenshot({ path: `${OUTPUT}${at}-${name}.png` });
    };
    await page.goto(mock.url);
    await page.getByLabel("Username").waitFor();
    await check("sign-in");
    await signIn(page, mock.url);
    for (const [at, hash] of Object.entries(pages())) {
      await page.goto(`${mock.url}#/${hash}`);
      await page.locator("h1").waitFor();
      await page.waitForFunction(() => !document.querySelector(".waiting"));
      await page.waitForTimeout(120);
      await check(at);
    }
    for (const [at, hash, button] of [["dialog-run", "workflows/daily-etl", "Run"], ["dialog-new", "workflows", "New workflow"], ["dialog-backfill", "assets/prices", "Backfill"], ["dialog-token", "admin", "New token"], ["dialog-account", "admin", "New account"]]) {
      await page.goto(`${mock.url}#/${hash}`);
      await page.getByRole("button", { name: button, exact: true }).click();
      await page.getByRole("dialog").waitFor();
      await check(at);
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "hidden" });
    }
    await context.close();
    assert.deepEqual([...wrong, ...faults, ...mock.world.faults], []);
  });
}
