-- The files of a workflow, one after another.

CREATE TABLE workflows_version (
    workflow_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    -- A name, which stays when the account is deleted.
    author VARCHAR(150),
    created_at TIMESTAMP NOT NULL,
    definition JSON NOT NULL,
    PRIMARY KEY (workflow_id, version)
);
INSERT INTO workflows_version (workflow_id, version, author, created_at, definition)
    SELECT w.id, coalesce(w.version, 1), (SELECT username FROM accounts_user u WHERE u.id = w.user_id),
    w.updated_at, w.definition FROM workflows_workflow w WHERE w.definition IS NOT NULL;

-- Which of them runs with this definition run; none for code.
ALTER TABLE workflows_definition ADD COLUMN version INTEGER;
UPDATE workflows_definition d SET version =
    (SELECT v.version FROM workflows_version v WHERE v.workflow_id = d.workflow_id
    AND v.definition::text = d.source::text);
