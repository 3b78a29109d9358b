-- Runs that began before V8 told what runs wait for. What each waits for is told from its events when
-- the file is opened, and it is taken off this list.

CREATE TABLE workflows_unfolded (
    run BIGINT PRIMARY KEY REFERENCES workflows_workflowrun(id) ON DELETE CASCADE
) WITHOUT ROWID;

INSERT INTO workflows_unfolded
    SELECT id FROM workflows_workflowrun WHERE status = 'running' AND run_id IS NOT NULL;
