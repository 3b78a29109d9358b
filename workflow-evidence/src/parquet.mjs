// Fetches the Parquet extension of DuckDB-WASM to the place where DuckDB-WASM keeps it. Evidence needs it
// to write tables. When DuckDB-WASM cannot fetch it itself, it waits forever for its own helper thread.

import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const REPOSITORY = 'extensions.duckdb.org';
const NAME = 'parquet.duckdb_extension.wasm';
const SECONDS = 60;

/** DuckDB-WASM of the dashboard, and its folder. None if this version of Evidence has it elsewhere. */
function find() {
	try {
		const dashboard = createRequire(join(process.cwd(), 'package.json'));
		const evidence = createRequire(dashboard.resolve('@evidence-dev/universal-sql'));
		const folder = dirname(evidence.resolve('@duckdb/duckdb-wasm'));
		return { folder, duckdb: evidence('@duckdb/duckdb-wasm/dist/duckdb-node-blocking') };
	} catch {
		return undefined;
	}
}

/** The version and the platform, which are in the path of an extension. */
async function release({ folder, duckdb }) {
	const bundle = (kind) => ({ mainModule: join(folder, `duckdb-${kind}.wasm`), mainWorker: '' });
	const bundles = { mvp: bundle('mvp'), eh: bundle('eh') };
	const db = await duckdb.createDuckDB(bundles, new duckdb.VoidLogger(), duckdb.NODE_RUNTIME);
	await db.instantiate();
	db.open({});
	const connection = db.connect();
	const one = (query) => Object.values(connection.query(query).toArray()[0].toJSON())[0];
	return [
		one('select library_version from pragma_version()'),
		one('select platform from pragma_platform()')
	];
}

async function main() {
	const found = find();
	if (!found) return;
	const path = [...(await release(found)), NAME];
	const file = join(homedir(), '.duckdb', 'extensions', REPOSITORY, ...path);
	if (existsSync(file)) return;
	const base = process.env.DUCKDB_EXTENSIONS_URL || `https://${REPOSITORY}`;
	const url = [base.replace(/\/+$/, ''), ...path].join('/');
	try {
		const response = await fetch(url, { signal: AbortSignal.timeout(SECONDS * 1000) });
		if (!response.ok) throw new Error(`the server answers ${response.status}`);
		const content = Buffer.from(await response.arrayBuffer());
		mkdirSync(dirname(file), { recursive: true });
		writeFileSync(`${file}.${process.pid}`, content);
		renameSync(`${file}.${process.pid}`, file);
	} catch (error) {
		const reason = error.cause?.message || error.message;
		console.error(
			`error: the dashboard needs DuckDB's Parquet extension, and ${url} cannot be fetched: ${reason}; ` +
				`set DUCKDB_EXTENSIONS_URL to a mirror, or copy the file to ${file}`
		);
		process.exitCode = 2;
	}
}

await main();
