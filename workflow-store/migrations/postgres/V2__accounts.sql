-- Accounts, tokens and sessions; who asked for a run.

ALTER TABLE accounts_user
    ADD COLUMN IF NOT EXISTS password_hash TEXT,
    ADD COLUMN IF NOT EXISTS is_staff BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN IF NOT EXISTS is_active BOOLEAN NOT NULL DEFAULT TRUE,
    ADD COLUMN IF NOT EXISTS created_at TIMESTAMP DEFAULT NOW();

CREATE INDEX IF NOT EXISTS accounts_user_password_idx ON accounts_user (id)
    WHERE password_hash IS NOT NULL;
-- In a table that was there, which need not say so.
CREATE UNIQUE INDEX IF NOT EXISTS accounts_user_username_idx ON accounts_user (username);

-- `digest` is the SHA-256 of the token, which is kept nowhere.
CREATE TABLE IF NOT EXISTS accounts_token (
    id BIGSERIAL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES accounts_user(id) ON DELETE CASCADE,
    name VARCHAR(255) NOT NULL,
    digest BYTEA NOT NULL UNIQUE,
    scope VARCHAR(20) NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP,
    last_used_at TIMESTAMP
);
CREATE INDEX IF NOT EXISTS accounts_token_user_id_idx ON accounts_token (user_id, id);
CREATE INDEX IF NOT EXISTS accounts_token_expires_at_idx ON accounts_token (expires_at)
    WHERE expires_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS accounts_session (
    digest BYTEA PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES accounts_user(id) ON DELETE CASCADE,
    csrf VARCHAR(255) NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX IF NOT EXISTS accounts_session_user_id_idx ON accounts_session (user_id);
CREATE INDEX IF NOT EXISTS accounts_session_expires_at_idx ON accounts_session (expires_at);

-- `workflow_user_id` is the `user_id` of the run's workflow, so that the runs which a user may see
-- are found by an index in their order.
ALTER TABLE workflows_workflowrun
    ADD COLUMN IF NOT EXISTS user_id BIGINT REFERENCES accounts_user(id) ON DELETE SET NULL,
    ADD COLUMN IF NOT EXISTS workflow_user_id BIGINT REFERENCES accounts_user(id) ON DELETE SET NULL;
UPDATE workflows_workflowrun r SET workflow_user_id = w.user_id
    FROM workflows_workflow w WHERE w.id = r.workflow_id AND w.user_id IS NOT NULL;

CREATE INDEX IF NOT EXISTS workflows_workflowrun_user_id_idx ON workflows_workflowrun (user_id, started_at DESC, id DESC)
    WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS workflows_workflowrun_user_status_idx ON workflows_workflowrun (user_id, status, started_at DESC, id DESC)
    WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS workflows_workflowrun_workflow_user_id_idx ON workflows_workflowrun (workflow_user_id, started_at DESC, id DESC)
    WHERE workflow_user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS workflows_workflowrun_workflow_user_status_idx ON workflows_workflowrun (workflow_user_id, status, started_at DESC, id DESC)
    WHERE workflow_user_id IS NOT NULL;

CREATE INDEX IF NOT EXISTS workflows_workflow_source_idx ON workflows_workflow (source, id);

CREATE OR REPLACE FUNCTION workflows_pass_owner_on() RETURNS TRIGGER LANGUAGE plpgsql
AS 'BEGIN UPDATE workflows_workflowrun SET workflow_user_id = NEW.user_id
WHERE workflow_id = NEW.id; RETURN NULL; END';
DROP TRIGGER IF EXISTS workflows_workflow_owner ON workflows_workflow;
CREATE TRIGGER workflows_workflow_owner
AFTER UPDATE OF user_id ON workflows_workflow
FOR EACH ROW WHEN (OLD.user_id IS DISTINCT FROM NEW.user_id)
EXECUTE FUNCTION workflows_pass_owner_on();

-- Runs that other applications add.
CREATE OR REPLACE FUNCTION workflows_take_owner() RETURNS TRIGGER LANGUAGE plpgsql
AS 'BEGIN NEW.workflow_user_id := (SELECT user_id FROM workflows_workflow w
WHERE w.id = NEW.workflow_id); RETURN NEW; END';
DROP TRIGGER IF EXISTS workflows_workflowrun_owner ON workflows_workflowrun;
CREATE TRIGGER workflows_workflowrun_owner
BEFORE INSERT ON workflows_workflowrun
FOR EACH ROW WHEN (NEW.definition_id IS NULL)
EXECUTE FUNCTION workflows_take_owner();
