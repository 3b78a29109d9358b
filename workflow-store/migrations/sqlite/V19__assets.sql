-- Records of assets. A partition without a key has the empty text; the last record of a partition
-- that was not refused is the current one.

CREATE TABLE workflows_materialization (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    asset TEXT NOT NULL,
    partition_key TEXT NOT NULL,
    run_id TEXT NOT NULL,
    made_at TIMESTAMP NOT NULL,
    is_refused BOOLEAN NOT NULL,
    code_version TEXT NOT NULL,
    data_version TEXT NOT NULL,
    -- JSON: file, size, rows, columns, inputs, checks, reasons, duration.
    facts TEXT NOT NULL
);

CREATE UNIQUE INDEX workflows_materialization_run
    ON workflows_materialization (run_id, asset, partition_key, is_refused);
CREATE INDEX workflows_materialization_newest
    ON workflows_materialization (asset, partition_key, id);
CREATE INDEX workflows_materialization_of_asset
    ON workflows_materialization (asset, id);
CREATE INDEX workflows_materialization_current
    ON workflows_materialization (asset, partition_key, id) WHERE NOT is_refused;
