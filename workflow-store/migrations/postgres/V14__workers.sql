-- Workers, as their latest heartbeats report them. Times are microseconds since 1970.
CREATE TABLE workflows_worker (
    owner_id UUID NOT NULL,
    number INTEGER NOT NULL,
    report TEXT NOT NULL,
    since BIGINT NOT NULL,
    last_heartbeat BIGINT NOT NULL,
    alive_until BIGINT NOT NULL,
    PRIMARY KEY (owner_id, number)
);

-- Wakes workers that wait for runs.
CREATE FUNCTION workflows_announce_queued() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added) THEN
        PERFORM pg_notify('workflows_queue', '');
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER workflows_queue_added AFTER INSERT ON workflows_queue
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION workflows_announce_queued();
