-- The tables of workflows and runs. JSON is text that is checked, times are UTC.

CREATE TABLE IF NOT EXISTS accounts_user (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username VARCHAR(150) NOT NULL UNIQUE
);

CREATE TABLE IF NOT EXISTS workflows_workflow (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL,
    project_name VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    slug VARCHAR(255) NOT NULL,
    description TEXT,
    app_name VARCHAR(255),
    molecules_used TEXT DEFAULT '[]' CHECK (json_valid(molecules_used)),
    atoms_in_molecules TEXT DEFAULT '{}' CHECK (json_valid(atoms_in_molecules)),
    dag_spec TEXT DEFAULT '{}' CHECK (json_valid(dag_spec)),
    user_id BIGINT REFERENCES accounts_user(id) ON DELETE SET NULL,
    created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    updated_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    is_active BOOLEAN DEFAULT TRUE,
    version INTEGER DEFAULT 1,
    execution_count INTEGER DEFAULT 0,
    last_executed_at TIMESTAMP NULL,
    project VARCHAR(255),
    domain VARCHAR(255),
    metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
    source VARCHAR(20) NOT NULL DEFAULT 'stored',
    definition TEXT CHECK (json_valid(definition)),
    edited BOOLEAN NOT NULL DEFAULT FALSE,
    labelled BOOLEAN NOT NULL DEFAULT FALSE
);

-- What was run: a graph, kept once for all runs of it.
CREATE TABLE IF NOT EXISTS workflows_definition (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    name VARCHAR(255) NOT NULL,
    fingerprint VARCHAR(200) NOT NULL,
    digest BLOB NOT NULL,
    metadata TEXT NOT NULL CHECK (json_valid(metadata)),
    source TEXT CHECK (json_valid(source)),
    graph TEXT NOT NULL CHECK (json_valid(graph)),
    created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    UNIQUE (workflow_id, digest)
);

CREATE TABLE IF NOT EXISTS workflows_workflowrun (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    started_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    completed_at TIMESTAMP NULL,
    status VARCHAR(50) DEFAULT 'pending',
    error_message TEXT,
    result_data TEXT DEFAULT '{}' CHECK (json_valid(result_data)),
    run_id TEXT NOT NULL DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))),
    definition_id BIGINT REFERENCES workflows_definition(id),
    created_ns BIGINT,
    begun_at TIMESTAMP,
    trigger VARCHAR(20) NOT NULL DEFAULT 'manual',
    input TEXT CHECK (json_valid(input)),
    idempotency_key TEXT,
    parent_run TEXT,
    parent_job TEXT,
    owner_id TEXT,
    token BIGINT NOT NULL DEFAULT 0,
    events BIGINT NOT NULL DEFAULT 0
);

-- Outputs that are too large for a row, by their SHA-256.
CREATE TABLE IF NOT EXISTS workflows_blob (
    digest BLOB PRIMARY KEY,
    content BLOB NOT NULL
);

-- `at` in microseconds since 1970; `body` is the whole event, but for an output in a blob.
CREATE TABLE IF NOT EXISTS workflows_event (
    run BIGINT NOT NULL REFERENCES workflows_workflowrun(id) ON DELETE CASCADE,
    sequence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind VARCHAR(40) NOT NULL,
    job TEXT,
    attempt INTEGER,
    body TEXT NOT NULL,
    blob BLOB REFERENCES workflows_blob(digest),
    PRIMARY KEY (run, sequence)
) WITHOUT ROWID;

-- Until when each owner counts as alive, in microseconds by the store's clock.
CREATE TABLE IF NOT EXISTS workflows_owner (
    owner_id TEXT PRIMARY KEY,
    alive_until BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS workflows_counter (
    name VARCHAR(40) PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO workflows_counter (name, value) VALUES ('message', 0) ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS workflows_message (
    number BIGINT PRIMARY KEY,
    run BIGINT NOT NULL REFERENCES workflows_workflowrun(id) ON DELETE CASCADE,
    body TEXT NOT NULL CHECK (json_valid(body)),
    at BIGINT NOT NULL
);

-- How long runs (job '') and jobs took: how many in each bucket. See `stats.rs` for the buckets.
CREATE TABLE IF NOT EXISTS workflows_duration (
    workflow_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    job TEXT NOT NULL,
    status VARCHAR(20) NOT NULL,
    bucket INTEGER NOT NULL,
    count BIGINT NOT NULL,
    total BIGINT NOT NULL,
    longest BIGINT NOT NULL,
    PRIMARY KEY (workflow_id, job, status, bucket)
) WITHOUT ROWID;

-- By what workflows are found: tags, molecules, atoms, words, values in metadata.
CREATE TABLE IF NOT EXISTS workflows_label (
    kind VARCHAR(20) NOT NULL,
    path TEXT NOT NULL,
    value TEXT NOT NULL,
    workflow_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    PRIMARY KEY (kind, path, value, workflow_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS workflows_schedule (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    cron VARCHAR(255) NOT NULL,
    timezone VARCHAR(64),
    input TEXT CHECK (json_valid(input)),
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    next_at TIMESTAMP,
    last_at TIMESTAMP
);

CREATE INDEX IF NOT EXISTS workflows_workflow_project_id_idx ON workflows_workflow (project_id);
CREATE INDEX IF NOT EXISTS workflows_workflow_user_id_idx ON workflows_workflow (user_id);
CREATE INDEX IF NOT EXISTS workflows_workflow_slug_idx ON workflows_workflow (slug);
CREATE INDEX IF NOT EXISTS workflows_workflow_created_at_idx ON workflows_workflow (created_at DESC);
CREATE INDEX IF NOT EXISTS workflows_workflowrun_workflow_id_started_at_idx ON workflows_workflowrun (workflow_id, started_at DESC);
CREATE INDEX IF NOT EXISTS workflows_workflowrun_status_idx ON workflows_workflowrun (status);

CREATE INDEX IF NOT EXISTS workflows_workflow_name_idx ON workflows_workflow (name, id);
CREATE UNIQUE INDEX IF NOT EXISTS workflows_workflow_registered_idx ON workflows_workflow (name)
    WHERE source = 'registered';
CREATE INDEX IF NOT EXISTS workflows_workflow_project_idx ON workflows_workflow (project);
CREATE INDEX IF NOT EXISTS workflows_workflow_domain_idx ON workflows_workflow (domain);
CREATE INDEX IF NOT EXISTS workflows_workflow_app_name_idx ON workflows_workflow (app_name);
CREATE INDEX IF NOT EXISTS workflows_workflow_execution_count_idx ON workflows_workflow (execution_count DESC, id);
CREATE INDEX IF NOT EXISTS workflows_workflow_is_active_idx ON workflows_workflow (is_active);
CREATE INDEX IF NOT EXISTS workflows_workflow_unlabelled_idx ON workflows_workflow (id)
    WHERE NOT labelled;
CREATE UNIQUE INDEX IF NOT EXISTS workflows_workflowrun_run_id_idx ON workflows_workflowrun (run_id);
CREATE UNIQUE INDEX IF NOT EXISTS workflows_workflowrun_idempotency_key_idx ON workflows_workflowrun (workflow_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS workflows_workflowrun_key_idx ON workflows_workflowrun (idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS workflows_workflowrun_open_idx ON workflows_workflowrun (run_id)
    WHERE completed_at IS NULL;
CREATE INDEX IF NOT EXISTS workflows_workflowrun_owner_id_idx ON workflows_workflowrun (owner_id)
    WHERE status IN ('pending', 'running');
CREATE INDEX IF NOT EXISTS workflows_workflowrun_started_at_idx ON workflows_workflowrun (started_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS workflows_workflowrun_recent_idx ON workflows_workflowrun (status, started_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS workflows_workflowrun_workflow_status_idx ON workflows_workflowrun (workflow_id, status, started_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS workflows_workflowrun_parent_run_idx ON workflows_workflowrun (parent_run)
    WHERE parent_run IS NOT NULL;
CREATE INDEX IF NOT EXISTS workflows_workflowrun_definition_id_idx ON workflows_workflowrun (definition_id);
CREATE INDEX IF NOT EXISTS workflows_definition_fingerprint_idx ON workflows_definition (workflow_id, fingerprint);
CREATE INDEX IF NOT EXISTS workflows_event_blob_idx ON workflows_event (blob)
    WHERE blob IS NOT NULL;
CREATE INDEX IF NOT EXISTS workflows_message_run_idx ON workflows_message (run, number);
CREATE INDEX IF NOT EXISTS workflows_label_workflow_id_idx ON workflows_label (workflow_id);
CREATE INDEX IF NOT EXISTS workflows_schedule_workflow_id_idx ON workflows_schedule (workflow_id);
CREATE INDEX IF NOT EXISTS workflows_schedule_next_at_idx ON workflows_schedule (next_at)
    WHERE is_active;

-- Whoever changes what a workflow is found by has it labelled anew.
CREATE TRIGGER IF NOT EXISTS workflows_workflow_unlabel
AFTER UPDATE OF name, description, tags, molecules_used, atoms_in_molecules, metadata ON workflows_workflow
WHEN NEW.labelled
BEGIN
    UPDATE workflows_workflow SET labelled = FALSE WHERE id = NEW.id;
END;
