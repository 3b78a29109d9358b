-- Files that have arrived and started a run, as long as they are in their folder.

CREATE TABLE workflows_file (
    workflow_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    -- The name of the watched folder and the path in it.
    name TEXT NOT NULL,
    -- Size and time of the last change.
    version TEXT NOT NULL,
    PRIMARY KEY (workflow_id, name)
) WITHOUT ROWID;
