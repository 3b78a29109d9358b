-- Flow control: limits of runs by key, and turns among keys.

-- JSON with the values of the run's input in its keys; NULL for none.
ALTER TABLE workflows_workflowrun ADD COLUMN flow_control TEXT;

-- `waits_for`: the key of the limit that keeps a run from being claimed. `flow`: its fairness key.
ALTER TABLE workflows_queue ADD COLUMN waits_for TEXT;
ALTER TABLE workflows_queue ADD COLUMN flow TEXT;
DROP INDEX workflows_queue_order_idx;
DROP INDEX workflows_queue_all_idx;
CREATE INDEX workflows_queue_order_idx ON workflows_queue (task_queue, priority DESC, rank, run)
    WHERE waits_for IS NULL;
CREATE INDEX workflows_queue_all_idx ON workflows_queue (priority DESC, rank, run)
    WHERE waits_for IS NULL;
CREATE INDEX workflows_queue_waiting_idx ON workflows_queue (waits_for, priority DESC, rank, run)
    WHERE waits_for IS NOT NULL;
CREATE INDEX workflows_queue_flow_idx ON workflows_queue (task_queue, priority, flow, rank)
    WHERE flow IS NOT NULL;

-- The rank of the last run with a fairness key that was claimed.
CREATE TABLE workflows_served (
    task_queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    rank BIGINT NOT NULL,
    PRIMARY KEY (task_queue, priority)
) WITHOUT ROWID;

-- Unfinished runs with limits, with the keys of these, which begin with the workflow.
-- `admitted`: whether it may be in progress; then it has a slot of `concurrency`.
-- `due`: when a debounced run begins, and `requested`: when it was requested first, in microseconds.
CREATE TABLE workflows_limited (
    run BIGINT PRIMARY KEY REFERENCES workflows_workflowrun(id) ON DELETE CASCADE,
    admitted BOOLEAN NOT NULL,
    concurrency TEXT,
    rate TEXT,
    debounce TEXT,
    requested BIGINT NOT NULL,
    due BIGINT
) WITHOUT ROWID;
CREATE INDEX workflows_limited_open_idx ON workflows_limited (concurrency, run)
    WHERE concurrency IS NOT NULL;
CREATE INDEX workflows_limited_holder_idx ON workflows_limited (concurrency, run) WHERE admitted;
CREATE INDEX workflows_limited_debounce_idx ON workflows_limited (debounce, run)
    WHERE debounce IS NOT NULL;
CREATE INDEX workflows_limited_due_idx ON workflows_limited (due) WHERE due IS NOT NULL;

-- Rate limits. `next_at`: when the next run of the key is expected, in nanoseconds. `wakes_at`: when
-- runs that wait for it are put back into their queues, in microseconds; NULL if none waits.
CREATE TABLE workflows_rate (
    key TEXT PRIMARY KEY,
    next_at BIGINT NOT NULL,
    wakes_at BIGINT
) WITHOUT ROWID;
CREATE INDEX workflows_rate_wakes_idx ON workflows_rate (wakes_at) WHERE wakes_at IS NOT NULL;
CREATE INDEX workflows_rate_next_idx ON workflows_rate (next_at);
