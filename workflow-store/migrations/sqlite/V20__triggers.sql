-- Links between workflows: when a run of the upstream one ends, one of the downstream one starts.

CREATE TABLE workflows_link (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    upstream_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    downstream_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    UNIQUE (upstream_id, downstream_id)
);

-- Ended runs of the upstream workflow, until the downstream run has begun.
CREATE TABLE workflows_ended (
    link BIGINT NOT NULL REFERENCES workflows_link(id) ON DELETE CASCADE,
    run BIGINT NOT NULL REFERENCES workflows_workflowrun(id) ON DELETE CASCADE,
    PRIMARY KEY (link, run)
) WITHOUT ROWID;
CREATE INDEX workflows_ended_run_idx ON workflows_ended (run);

-- Child runs do not count: the outer run does.
CREATE TRIGGER workflows_workflowrun_ended AFTER UPDATE OF completed_at ON workflows_workflowrun
WHEN OLD.completed_at IS NULL AND NEW.completed_at IS NOT NULL AND NEW.parent_run IS NULL
BEGIN
    INSERT INTO workflows_ended (link, run)
    SELECT id, NEW.id FROM workflows_link WHERE upstream_id = NEW.workflow_id
    ON CONFLICT DO NOTHING;
END;

-- A short run is inserted with its end.
CREATE TRIGGER workflows_workflowrun_inserted_ended AFTER INSERT ON workflows_workflowrun
WHEN NEW.completed_at IS NOT NULL AND NEW.parent_run IS NULL
BEGIN
    INSERT INTO workflows_ended (link, run)
    SELECT id, NEW.id FROM workflows_link WHERE upstream_id = NEW.workflow_id
    ON CONFLICT DO NOTHING;
END;
