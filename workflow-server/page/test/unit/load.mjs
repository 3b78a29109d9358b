// Bundles modules of src/ so that node can import them.

import { build } from "esbuild";
import { fileURLToPath, pathToFileURL } from "node:url";

const page = fileURLToPath(new URL("../../", import.meta.url));

/** Loads the exports of these modules together. */
export async function load(...paths) {
  const outfile = `${page}test/build/${paths.join("-").replace(/\W+/g, "-")}.mjs`;
  const contents = paths.map((path) => `export * from "./${path}";`).join("\n");
  await build({ stdin: { contents, resolveDir: `${page}src` }, outfile, bundle: true, format: "esm", platform: "node", logLevel: "error" });
  return import(pathToFileURL(outfile).href);
}
