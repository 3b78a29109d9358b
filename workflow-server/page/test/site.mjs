// The real server with a browser, and common actions of users.
// WORKFLOW_BIN names the binary; PAGE_FROM_DIST=1 loads the page from dist/ instead of the binary.

import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { launch, open, signIn } from "./browser.mjs";
import { serve } from "./server.mjs";

const PASSWORD = "correct horse battery";

export class Site {
  /** Each user is a name with further arguments of `workflow user add`. `more` are arguments of `serve`. */
  static async start(users, program, more) {
    const site = new Site();
    site.server = await serve(users, PASSWORD, program, more);
    site.browser = await launch();
    return Object.assign(site, { url: site.server.url, folder: site.server.folder, db: site.server.db });
  }

  async stop() {
    await this.browser.close();
    await this.server.stop();
  }

  /** Opens the page as a user, or as anybody if the server has no accounts. */
  async visitor(name, look) {
    const opened = await open(this.browser, look);
    if (process.env.PAGE_FROM_DIST) await opened.context.route((at) => !at.pathname.startsWith("/api/"), fromDist);
    if (name === null) await opened.page.goto(this.url);
    else await signIn(opened.page, this.url, name, PASSWORD);
    return opened;
  }

  /** Creates a workflow from a file and opens its page. */
  async create(page, yaml) {
    await page.goto(`${this.url}#/workflows`);
    await page.getByRole("button", { name: "New workflow" }).first().click();
    await page.getByLabel("Workflow file").fill(yaml);
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("button", { name: "Run", exact: true }).waitFor();
  }
}

async function fromDist(route) {
  const path = new URL(route.request().url()).pathname.slice(1) || "index.html";
  const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
  const headers = { "content-security-policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'" };
  await route.fulfill({ body: await readFile(new URL(`../dist/${path}`, import.meta.url)), contentType: types[extname(path)], headers });
}

/** Runs the workflow on the current page, with its input as JSON. */
export async function run(page, input = null) {
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const dialog = page.getByRole("dialog");
  if (input !== null) await dialog.getByLabel(/^Input as JSON/).fill(input);
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await page.waitForFunction(() => location.hash.startsWith("#/runs/"));
}

/** Waits until the run on the current page has this status. */
export const ended = (page, status) =>
  page.waitForFunction((wanted) => document.querySelector(".facts > [role=status]")?.textContent === wanted, status, { timeout: 20_000 });
