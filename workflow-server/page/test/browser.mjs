// Starts Chromium, with helpers for all browser tests.

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const PLACES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
export const OUTPUT = fileURLToPath(new URL("./output/", import.meta.url));

export async function launch() {
  await mkdir(OUTPUT, { recursive: true });
  const executablePath = PLACES.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("no Chromium: install Debian's `chromium`, or name one in CHROMIUM");
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const browser = await chromium.launch({ executablePath, args });
  const close = browser.close.bind(browser);
  return Object.assign(browser, {
    /** Script errors of pages whose context was not closed. */
    faults: [],
    async close() {
      await close();
      complain(browser.faults);
    },
  });
}

function complain(faults) {
  if (faults.length > 0) throw new Error(`script errors:\n${faults.join("\n")}`);
}

/** Opens a page that records script errors: closing its context, or the browser, fails if there are any. */
export async function open(browser, { theme = "light", phone = false, motion = "reduce" } = {}) {
  const viewport = phone ? { width: 390, height: 844 } : { width: 1360, height: 860 };
  const context = await browser.newContext({ viewport, colorScheme: theme, reducedMotion: motion, hasTouch: phone });
  const page = await context.newPage();
  const faults = [];
  const note = (text) => (faults.push(text), browser.faults.push(text));
  page.on("pageerror", (error) => note(String(error.stack ?? error)));
  page.on("console", (message) => {
    // Tests provoke failed requests on purpose; any other console error is a fault.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) note(message.text());
  });
  const close = context.close.bind(context);
  context.close = async () => {
    await close();
    complain(faults);
  };
  return { context, page, faults };
}

export async function signIn(page, url, username = "alice", password = username) {
  await page.goto(url);
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
}

/** Describes the serious accessibility faults that axe finds. */
export async function axeFaults(page) {
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`).join(" | ")}`);
}
