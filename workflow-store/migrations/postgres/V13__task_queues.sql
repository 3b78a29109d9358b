-- Task queues. A run waits in its queue while no engine drives it.

ALTER TABLE workflows_workflowrun ADD COLUMN task_queue TEXT NOT NULL DEFAULT 'default-workflows';
ALTER TABLE workflows_workflowrun ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;

UPDATE workflows_workflowrun SET task_queue = 'default-' ||
    (SELECT w.domain FROM workflows_workflow w WHERE w.id = workflow_id)
    WHERE completed_at IS NULL AND EXISTS
    (SELECT 1 FROM workflows_workflow w WHERE w.id = workflow_id AND w.domain IS NOT NULL);

-- `rank`: the order among runs of one priority.
CREATE TABLE workflows_queue (
    run BIGINT PRIMARY KEY REFERENCES workflows_workflowrun(id) ON DELETE CASCADE,
    task_queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    rank BIGINT NOT NULL
);
CREATE INDEX workflows_queue_order_idx ON workflows_queue (task_queue, priority DESC, rank, run);
CREATE INDEX workflows_queue_all_idx ON workflows_queue (priority DESC, rank, run);

INSERT INTO workflows_queue (run, task_queue, priority, rank)
    SELECT r.id, r.task_queue, 0, coalesce(r.created_ns, 0) FROM workflows_workflowrun r
    JOIN workflows_definition d ON d.id = r.definition_id
    WHERE r.completed_at IS NULL AND coalesce(r.status, 'pending') IN ('pending', 'running')
    AND r.owner_id IS NULL AND r.parent_run IS NULL AND d.fingerprint NOT LIKE 'stored-%'
    AND NOT EXISTS (SELECT 1 FROM workflows_blocked b WHERE b.run = r.id);

-- Child runs that no task queue has.
CREATE INDEX workflows_workflowrun_open_child_idx ON workflows_workflowrun (run_id)
    WHERE parent_run IS NOT NULL AND completed_at IS NULL;

-- The heartbeat of an owner at whose death its runs went back into their queues.
ALTER TABLE workflows_owner ADD COLUMN requeued BIGINT;
