-- What runs wait for, whose jobs all wait.

CREATE TABLE workflows_waiting (
    run BIGINT PRIMARY KEY REFERENCES workflows_workflowrun(id) ON DELETE CASCADE,
    body TEXT NOT NULL CHECK (json_valid(body))
) WITHOUT ROWID;
