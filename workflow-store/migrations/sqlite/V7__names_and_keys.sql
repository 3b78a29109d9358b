-- Names have owners, and idempotency keys have scopes.

-- Runs bring up to date what a row says of its file, unless somebody wrote the row.
UPDATE workflows_workflow SET edited = TRUE WHERE source = 'stored';

-- A file that was run is data. It was taken for code.
UPDATE workflows_workflow SET source = 'stored', definition =
    (SELECT d.source FROM workflows_definition d
    WHERE d.workflow_id = workflows_workflow.id ORDER BY d.id DESC LIMIT 1)
    WHERE source = 'registered'
    AND EXISTS (SELECT 1 FROM workflows_definition d WHERE d.workflow_id = workflows_workflow.id)
    AND NOT EXISTS (SELECT 1 FROM workflows_definition d
    WHERE d.workflow_id = workflows_workflow.id AND d.source IS NULL);

-- Among which keys a key is looked up: `user` and the number of the user, 0 for nobody's;
-- `schedule`; `nested` for runs inside of others. It stays when the user is deleted.
ALTER TABLE workflows_workflowrun ADD COLUMN key_scope TEXT;
UPDATE workflows_workflowrun SET key_scope = CASE WHEN parent_run IS NOT NULL THEN 'nested'
    WHEN trigger = 'schedule' THEN 'schedule' ELSE 'user ' || coalesce(user_id, 0) END
    WHERE idempotency_key IS NOT NULL;
-- Keys were unique within a workflow only. The first run keeps the key.
UPDATE workflows_workflowrun SET key_scope = 'run ' || id
    WHERE idempotency_key IS NOT NULL AND EXISTS (SELECT 1 FROM workflows_workflowrun o
    WHERE o.idempotency_key = workflows_workflowrun.idempotency_key
    AND o.key_scope = workflows_workflowrun.key_scope AND o.id < workflows_workflowrun.id);
CREATE UNIQUE INDEX workflows_workflowrun_key_scope_idx ON workflows_workflowrun (idempotency_key, key_scope)
    WHERE idempotency_key IS NOT NULL;
DROP INDEX workflows_workflowrun_idempotency_key_idx;
DROP INDEX workflows_workflowrun_key_idx;
