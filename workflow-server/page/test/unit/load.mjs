// A module of src/ as node can import it.

import { build } from "esbuild";
import { fileURLToPath, pathToFileURL } from "node:url";

const page = fileURLToPath(new URL("../../", import.meta.url));

export async function load(path) {
  const outfile = `${page}test/build/${path.replace(/\W+/g, "-")}.mjs`;
  await build({ entryPoints: [`${page}src/${path}`], outfile, bundle: true, format: "esm", platform: "node", logLevel: "error" });
  return import(pathToFileURL(outfile).href);
}
