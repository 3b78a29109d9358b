-- Links from assets: when a run ends that has made the asset, one of the downstream workflow starts.

-- A column cannot lose its NOT NULL, so both tables are made again, with their rows.
DROP TRIGGER workflows_workflowrun_ended;
DROP TRIGGER workflows_workflowrun_inserted_ended;

CREATE TABLE workflows_link_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    upstream_id BIGINT REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    asset TEXT,
    downstream_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    UNIQUE (upstream_id, downstream_id),
    UNIQUE (asset, downstream_id),
    CHECK ((upstream_id IS NULL) <> (asset IS NULL))
);
INSERT INTO workflows_link_new (id, upstream_id, downstream_id)
SELECT id, upstream_id, downstream_id FROM workflows_link;

CREATE TABLE workflows_ended_new (
    link BIGINT NOT NULL REFERENCES workflows_link_new(id) ON DELETE CASCADE,
    run BIGINT NOT NULL REFERENCES workflows_workflowrun(id) ON DELETE CASCADE,
    PRIMARY KEY (link, run)
) WITHOUT ROWID;
INSERT INTO workflows_ended_new (link, run) SELECT link, run FROM workflows_ended;

DROP TABLE workflows_ended;
DROP TABLE workflows_link;
ALTER TABLE workflows_link_new RENAME TO workflows_link;
ALTER TABLE workflows_ended_new RENAME TO workflows_ended;
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

-- Child runs count: no other run has made the asset.
CREATE TRIGGER workflows_workflowrun_made AFTER UPDATE OF completed_at ON workflows_workflowrun
WHEN OLD.completed_at IS NULL AND NEW.completed_at IS NOT NULL
BEGIN
    INSERT INTO workflows_ended (link, run)
    SELECT l.id, NEW.id FROM workflows_link l WHERE l.asset IS NOT NULL AND EXISTS (
        SELECT 1 FROM workflows_materialization m
        WHERE m.run_id = NEW.run_id AND m.asset = l.asset AND NOT m.is_refused
    )
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER workflows_workflowrun_inserted_made AFTER INSERT ON workflows_workflowrun
WHEN NEW.completed_at IS NOT NULL
BEGIN
    INSERT INTO workflows_ended (link, run)
    SELECT l.id, NEW.id FROM workflows_link l WHERE l.asset IS NOT NULL AND EXISTS (
        SELECT 1 FROM workflows_materialization m
        WHERE m.run_id = NEW.run_id AND m.asset = l.asset AND NOT m.is_refused
    )
    ON CONFLICT DO NOTHING;
END;
