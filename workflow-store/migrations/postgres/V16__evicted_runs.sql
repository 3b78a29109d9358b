-- Evicted runs: they wait without an owner, and outside of the task queues.
-- `root`: the run with which it is resumed: itself, or for a child run the outermost run. `due`: when
-- a root goes back into its task queue, in microseconds; NULL if only messages wake it.
CREATE TABLE workflows_evicted (
    run BIGINT PRIMARY KEY REFERENCES workflows_workflowrun(id) ON DELETE CASCADE,
    root BIGINT NOT NULL,
    due BIGINT
);
CREATE INDEX workflows_evicted_due_idx ON workflows_evicted (due) WHERE due IS NOT NULL;
