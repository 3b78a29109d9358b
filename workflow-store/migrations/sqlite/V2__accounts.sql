-- Accounts, tokens and sessions; who asked for a run.

ALTER TABLE accounts_user ADD COLUMN password_hash TEXT;
ALTER TABLE accounts_user ADD COLUMN is_staff BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE accounts_user ADD COLUMN is_active BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE accounts_user ADD COLUMN created_at TIMESTAMP;
UPDATE accounts_user SET created_at = strftime('%Y-%m-%d %H:%M:%f', 'now');

CREATE INDEX accounts_user_password_idx ON accounts_user (id) WHERE password_hash IS NOT NULL;

-- `digest` is the SHA-256 of the token, which is kept nowhere.
CREATE TABLE accounts_token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id BIGINT NOT NULL REFERENCES accounts_user(id) ON DELETE CASCADE,
    name VARCHAR(255) NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    scope VARCHAR(20) NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP,
    last_used_at TIMESTAMP
);
CREATE INDEX accounts_token_user_id_idx ON accounts_token (user_id, id);
CREATE INDEX accounts_token_expires_at_idx ON accounts_token (expires_at)
    WHERE expires_at IS NOT NULL;

CREATE TABLE accounts_session (
    digest BLOB PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES accounts_user(id) ON DELETE CASCADE,
    csrf VARCHAR(255) NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
) WITHOUT ROWID;
CREATE INDEX accounts_session_user_id_idx ON accounts_session (user_id);
CREATE INDEX accounts_session_expires_at_idx ON accounts_session (expires_at);

-- `workflow_user_id` is the `user_id` of the run's workflow, so that the runs which a user may see
-- are found by an index in their order.
ALTER TABLE workflows_workflowrun
    ADD COLUMN user_id BIGINT REFERENCES accounts_user(id) ON DELETE SET NULL;
ALTER TABLE workflows_workflowrun
    ADD COLUMN workflow_user_id BIGINT REFERENCES accounts_user(id) ON DELETE SET NULL;
UPDATE workflows_workflowrun SET workflow_user_id =
    (SELECT user_id FROM workflows_workflow w WHERE w.id = workflow_id)
    WHERE workflow_id IN (SELECT id FROM workflows_workflow WHERE user_id IS NOT NULL);

CREATE INDEX workflows_workflowrun_user_id_idx ON workflows_workflowrun (user_id, started_at DESC, id DESC)
    WHERE user_id IS NOT NULL;
CREATE INDEX workflows_workflowrun_user_status_idx ON workflows_workflowrun (user_id, status, started_at DESC, id DESC)
    WHERE user_id IS NOT NULL;
CREATE INDEX workflows_workflowrun_workflow_user_id_idx ON workflows_workflowrun (workflow_user_id, started_at DESC, id DESC)
    WHERE workflow_user_id IS NOT NULL;
CREATE INDEX workflows_workflowrun_workflow_user_status_idx ON workflows_workflowrun (workflow_user_id, status, started_at DESC, id DESC)
    WHERE workflow_user_id IS NOT NULL;

CREATE INDEX workflows_workflow_source_idx ON workflows_workflow (source, id);

CREATE TRIGGER workflows_workflow_owner
AFTER UPDATE OF user_id ON workflows_workflow
WHEN OLD.user_id IS NOT NEW.user_id
BEGIN
    UPDATE workflows_workflowrun SET workflow_user_id = NEW.user_id WHERE workflow_id = NEW.id;
END;

-- Runs that other applications add.
CREATE TRIGGER workflows_workflowrun_owner
AFTER INSERT ON workflows_workflowrun
WHEN NEW.definition_id IS NULL
BEGIN
    UPDATE workflows_workflowrun SET workflow_user_id =
        (SELECT user_id FROM workflows_workflow w WHERE w.id = NEW.workflow_id)
        WHERE id = NEW.id;
END;
