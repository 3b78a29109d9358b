-- Why no engine takes a run up.

CREATE TABLE workflows_blocked (
    run BIGINT PRIMARY KEY REFERENCES workflows_workflowrun(id) ON DELETE CASCADE,
    body TEXT NOT NULL
);
