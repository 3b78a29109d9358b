-- The tables of workflows and runs, so that a database in which they exist already is taken
-- over: what is missing is added.

-- Microseconds since 1970, by this server's clock.
CREATE OR REPLACE FUNCTION workflows_now() RETURNS BIGINT LANGUAGE SQL VOLATILE
AS 'SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)';

CREATE TABLE IF NOT EXISTS accounts_user (
    id BIGSERIAL PRIMARY KEY,
    username VARCHAR(150) NOT NULL UNIQUE
);

CREATE TABLE IF NOT EXISTS workflows_workflow (
    id BIGSERIAL PRIMARY KEY,
    project_id INTEGER NOT NULL,
    project_name VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    slug VARCHAR(255) NOT NULL,
    description TEXT,
    app_name VARCHAR(255),
    molecules_used JSONB DEFAULT '[]',
    atoms_in_molecules JSONB DEFAULT '{}',
    dag_spec JSONB DEFAULT '{}',
    user_id BIGINT REFERENCES accounts_user(id) ON DELETE SET NULL,
    created_at TIMESTAMP NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMP NOT NULL DEFAULT NOW(),
    is_active BOOLEAN DEFAULT TRUE,
    version INTEGER DEFAULT 1,
    execution_count INTEGER DEFAULT 0,
    last_executed_at TIMESTAMP NULL
);

ALTER TABLE workflows_workflow
    ADD COLUMN IF NOT EXISTS project VARCHAR(255),
    ADD COLUMN IF NOT EXISTS domain VARCHAR(255),
    ADD COLUMN IF NOT EXISTS metadata JSONB NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS tags JSONB NOT NULL DEFAULT '[]',
    ADD COLUMN IF NOT EXISTS source VARCHAR(20) NOT NULL DEFAULT 'stored',
    ADD COLUMN IF NOT EXISTS definition JSON,
    ADD COLUMN IF NOT EXISTS edited BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN IF NOT EXISTS labelled BOOLEAN NOT NULL DEFAULT FALSE;

-- What was run: a graph, kept once for all runs of it.
CREATE TABLE IF NOT EXISTS workflows_definition (
    id BIGSERIAL PRIMARY KEY,
    workflow_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    name VARCHAR(255) NOT NULL,
    fingerprint VARCHAR(200) NOT NULL,
    digest BYTEA NOT NULL,
    metadata JSON NOT NULL,
    source JSON,
    graph JSON NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT NOW(),
    UNIQUE (workflow_id, digest)
);

CREATE TABLE IF NOT EXISTS workflows_workflowrun (
    id BIGSERIAL PRIMARY KEY,
    workflow_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    started_at TIMESTAMP NOT NULL DEFAULT NOW(),
    completed_at TIMESTAMP NULL,
    status VARCHAR(50) DEFAULT 'pending',
    error_message TEXT,
    result_data JSONB DEFAULT '{}'
);

ALTER TABLE workflows_workflowrun
    ADD COLUMN IF NOT EXISTS run_id UUID NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN IF NOT EXISTS definition_id BIGINT REFERENCES workflows_definition(id),
    ADD COLUMN IF NOT EXISTS created_ns BIGINT,
    ADD COLUMN IF NOT EXISTS begun_at TIMESTAMP,
    ADD COLUMN IF NOT EXISTS trigger VARCHAR(20) NOT NULL DEFAULT 'manual',
    ADD COLUMN IF NOT EXISTS input JSON,
    ADD COLUMN IF NOT EXISTS idempotency_key TEXT,
    ADD COLUMN IF NOT EXISTS parent_run UUID,
    ADD COLUMN IF NOT EXISTS parent_job TEXT,
    ADD COLUMN IF NOT EXISTS owner_id UUID,
    ADD COLUMN IF NOT EXISTS token BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS events BIGINT NOT NULL DEFAULT 0;

-- Outputs that are too large for a row, by their SHA-256.
CREATE TABLE IF NOT EXISTS workflows_blob (
    digest BYTEA PRIMARY KEY,
    content BYTEA NOT NULL
);

-- `at` in microseconds since 1970; `body` is the whole event, but for an output in a blob.
CREATE TABLE IF NOT EXISTS workflows_event (
    run BIGINT NOT NULL REFERENCES workflows_workflowrun(id) ON DELETE CASCADE,
    sequence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind VARCHAR(40) NOT NULL,
    job TEXT,
    attempt INTEGER,
    body JSON NOT NULL,
    blob BYTEA REFERENCES workflows_blob(digest),
    PRIMARY KEY (run, sequence)
);

-- Until when each owner counts as alive, in microseconds by the store's clock.
CREATE TABLE IF NOT EXISTS workflows_owner (
    owner_id UUID PRIMARY KEY,
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
    body JSON NOT NULL,
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
);

-- By what workflows are found: tags, molecules, atoms, words, values in metadata.
CREATE TABLE IF NOT EXISTS workflows_label (
    kind VARCHAR(20) NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    workflow_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    PRIMARY KEY (kind, path, value, workflow_id)
);

CREATE TABLE IF NOT EXISTS workflows_schedule (
    id BIGSERIAL PRIMARY KEY,
    workflow_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    cron VARCHAR(255) NOT NULL,
    timezone VARCHAR(64),
    input JSON,
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
CREATE OR REPLACE FUNCTION workflows_unlabel() RETURNS TRIGGER LANGUAGE plpgsql
AS 'BEGIN NEW.labelled := FALSE; RETURN NEW; END';
DROP TRIGGER IF EXISTS workflows_workflow_unlabel ON workflows_workflow;
CREATE TRIGGER workflows_workflow_unlabel
BEFORE UPDATE OF name, description, tags, molecules_used, atoms_in_molecules, metadata ON workflows_workflow
FOR EACH ROW EXECUTE FUNCTION workflows_unlabel();
