// Builds dist/ from src/. The build is reproducible: the same sources give the same bytes.
import { build, context } from "esbuild";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";

const here = new URL("./", import.meta.url);
const shipped = ["preact", "@preact/signals", "@preact/signals-core", "@dagrejs/dagre", "@dagrejs/graphlib", "uplot"];

const options = {
  absWorkingDir: here.pathname,
  entryPoints: { page: "src/main.tsx" },
  outdir: "dist/assets",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  metafile: true,
  charset: "utf8",
};

async function index(result) {
  const outputs = Object.entries(result.metafile.outputs);
  const entry = outputs.find(([, output]) => output.entryPoint === "src/main.tsx");
  const script = basename(entry[0]);
  const style = basename(entry[1].cssBundle);
  const template = await readFile(new URL("src/index.html", here), "utf8");
  const html = template.replace("%script%", `assets/${script}`).replace("%style%", `assets/${style}`);
  await writeFile(new URL("dist/index.html", here), html);
}

async function licences() {
  const texts = [];
  for (const name of shipped) {
    const folder = new URL(`node_modules/${name}/`, here);
    const { version, license } = JSON.parse(await readFile(new URL("package.json", folder), "utf8"));
    const text = await readFile(new URL("LICENSE", folder), "utf8");
    texts.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
  }
  await writeFile(new URL("dist/licences.txt", here), texts.join(`\n${"-".repeat(72)}\n\n`));
}

await rm(new URL("dist/", here), { recursive: true, force: true });
await mkdir(new URL("dist/", here), { recursive: true });
if (process.argv.includes("--watch")) {
  const plugin = { name: "index", setup: (b) => b.onEnd((r) => (r.errors.length ? undefined : index(r))) };
  await (await context({ ...options, entryNames: "[name]", chunkNames: "[name]", plugins: [plugin] })).watch();
} else {
  await index(await build(options));
  await licences();
}
