-- Links from assets: when a run ends that has made the asset, one of the downstream workflow starts.

ALTER TABLE workflows_link ALTER COLUMN upstream_id DROP NOT NULL;
ALTER TABLE workflows_link ADD COLUMN asset TEXT;
ALTER TABLE workflows_link ADD CHECK ((upstream_id IS NULL) <> (asset IS NULL));
ALTER TABLE workflows_link ADD UNIQUE (asset, downstream_id);

CREATE FUNCTION workflows_leave_made() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO workflows_ended (link, run)
    SELECT l.id, NEW.id FROM workflows_link l WHERE l.asset IS NOT NULL AND EXISTS (
        SELECT 1 FROM workflows_materialization m
        WHERE m.run_id = NEW.run_id AND m.asset = l.asset AND NOT m.is_refused
    )
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- Child runs count: no other run has made the asset.
CREATE TRIGGER workflows_workflowrun_made AFTER UPDATE OF completed_at ON workflows_workflowrun
    FOR EACH ROW WHEN (OLD.completed_at IS NULL AND NEW.completed_at IS NOT NULL)
    EXECUTE FUNCTION workflows_leave_made();

-- A short run is inserted with its end.
CREATE TRIGGER workflows_workflowrun_inserted_made AFTER INSERT ON workflows_workflowrun
    FOR EACH ROW WHEN (NEW.completed_at IS NOT NULL)
    EXECUTE FUNCTION workflows_leave_made();
