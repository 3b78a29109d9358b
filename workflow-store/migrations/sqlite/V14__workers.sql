-- Workers, as their latest heartbeats report them. Times are microseconds since 1970.
CREATE TABLE workflows_worker (
    owner_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    report TEXT NOT NULL,
    since BIGINT NOT NULL,
    last_heartbeat BIGINT NOT NULL,
    alive_until BIGINT NOT NULL,
    PRIMARY KEY (owner_id, number)
) WITHOUT ROWID;
