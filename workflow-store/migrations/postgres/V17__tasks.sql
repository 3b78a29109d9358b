-- Attempts of jobs that name a task queue of their own: the workers of that queue make them.

-- `signals`: how many signals the attempt has received. `task`: the attempt, as JSON.
-- `opened_at`: microseconds since 1970. `deaths`: how many workers have died during the attempt.
-- `persisted`: values that the attempt persisted, as JSON. `outcome`: its outcome, as JSON.
-- `has_news`: whether there is an outcome, or output that the engine of the run has not read.
CREATE TABLE workflows_task (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run BIGINT NOT NULL REFERENCES workflows_workflowrun(id) ON DELETE CASCADE,
    job TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    signals BIGINT NOT NULL,
    task_queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    opened_at BIGINT NOT NULL,
    task TEXT NOT NULL,
    owner_id UUID,
    token BIGINT NOT NULL DEFAULT 0,
    deaths BIGINT NOT NULL DEFAULT 0,
    is_stopped BOOLEAN NOT NULL DEFAULT FALSE,
    persisted TEXT,
    outcome TEXT,
    has_news BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE UNIQUE INDEX workflows_task_key_idx ON workflows_task (run, job, attempt, signals);
CREATE INDEX workflows_task_order_idx ON workflows_task (task_queue, priority DESC, number)
    WHERE owner_id IS NULL AND outcome IS NULL;
CREATE INDEX workflows_task_all_idx ON workflows_task (priority DESC, number)
    WHERE owner_id IS NULL AND outcome IS NULL;
CREATE INDEX workflows_task_owner_idx ON workflows_task (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX workflows_task_news_idx ON workflows_task (number) WHERE has_news;

-- Output of attempts that the engine of the run has not read.
CREATE TABLE workflows_task_output (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task BIGINT NOT NULL REFERENCES workflows_task(number) ON DELETE CASCADE,
    stream TEXT NOT NULL,
    content TEXT NOT NULL
);
CREATE INDEX workflows_task_output_task_idx ON workflows_task_output (task, number);

-- Wakes workers that wait for tasks, and engines that wait for their outcomes.
CREATE FUNCTION workflows_announce_task() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('workflows_queue', '');
    RETURN NULL;
END $$;

CREATE TRIGGER workflows_task_added AFTER INSERT ON workflows_task
    FOR EACH ROW EXECUTE FUNCTION workflows_announce_task();
CREATE TRIGGER workflows_task_changed AFTER UPDATE ON workflows_task FOR EACH ROW
    WHEN (NEW.owner_id IS NULL OR NEW.is_stopped OR NEW.has_news)
    EXECUTE FUNCTION workflows_announce_task();
CREATE TRIGGER workflows_task_removed AFTER DELETE ON workflows_task FOR EACH ROW
    WHEN (OLD.owner_id IS NOT NULL) EXECUTE FUNCTION workflows_announce_task();
