// Numbers with the real server: typed, shown, copied and sent back without loss.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ended, run, Site } from "./site.mjs";

let site;
before(async () => (site = await Site.start([["alice", "--staff"]])));
after(() => site?.stop());

/** Numbers as typed, and as the server stores them. */
const KEPT = [
  ["9007199254740993", "9007199254740993"], ["9223372036854775808", "9223372036854775808"], ["18446744073709551615", "18446744073709551615"],
  ["-9223372036854775808", "-9223372036854775808"], ["0.1", "0.1"], ["1.10", "1.1"], ["3.10", "3.1"], ['"007"', '"007"'], ["1e20", "1e+20"],
];
const LOST = [
  ["18446744073709551616", "has more than 64 bits"], ["-9223372036854775809", "has more than 64 bits"], ["1e400", "is too large for a 64-bit float"],
  ["99999999999999999999.5", "has more digits than a 64-bit float can hold"],
];

test("numbers keep every digit", async () => {
  const { page, context } = await site.visitor("alice");
  // The rejected text is still in the dialog when it closes.
  page.on("dialog", (dialog) => dialog.accept());
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await site.create(page, 'name: "numbers"\njobs:\n- name: "tell"\n  command: "echo \'<${{ input.n }}>\'; printf \'{\\"n\\": %s}\' \'${{ input.n }}\' > $WORKFLOW_OUTPUT"\n  outputs: [n]\n');
  const workflow = page.url();
  for (const [typed, kept] of KEPT) {
    await page.goto(workflow);
    await run(page, `{"n": ${typed}}`);
    await page.getByRole("link", { name: "Input and output" }).click();
    const input = page.getByRole("group", { name: "input", exact: true });
    await input.getByText(kept, { exact: true }).waitFor();
    await input.getByRole("button", { name: "Copy input" }).click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `{\n  "n": ${kept}\n}`);
    if (kept.startsWith('"')) continue;
    await ended(page, "completed");
    await page.getByRole("link", { name: "Graph" }).click();
    await page.getByRole("button", { name: /^tell/ }).click();
    await page.getByRole("group", { name: "output", exact: true }).getByText(kept, { exact: true }).waitFor();
  }
  for (const [typed, reason] of LOST) {
    await page.goto(workflow);
    await page.getByRole("button", { name: "Run", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel(/^Input as JSON/).fill(`{"n": [${typed}]}`);
    await dialog.getByRole("button", { name: "Run", exact: true }).click();
    await dialog.getByRole("listitem").getByText(`the number ${typed} ${reason}; write it as text, in quotes`).waitFor();
    await dialog.getByText("input.n[0]", { exact: true }).waitFor();
    await page.keyboard.press("Escape");
  }
  await context.close();
});

test("editing metadata does not change its numbers", async () => {
  const { page, context } = await site.visitor("alice");
  await site.create(page, `name: "kept"\nmetadata:\n  big: 9007199254740993\n  large: 1e20\njobs: [{ name: a, command: "true" }]\n`);
  await page.getByRole("link", { name: "Details" }).click();
  const text = page.getByLabel("Metadata");
  const shown = await text.inputValue();
  assert.match(shown, /"big": 9007199254740993,\n +"large": 1e\+20/);
  await text.fill(shown.replace("{", '{ "more": 18446744073709551615,'));
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved").waitFor();
  await page.reload();
  assert.match(await text.inputValue(), /9007199254740993[^]*1e\+20[^]*18446744073709551615/);
  await context.close();
});
