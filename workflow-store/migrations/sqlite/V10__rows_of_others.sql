-- Other applications insert rows.

-- SQLite before 3.45 says 0 of `json_valid(NULL)`, and refuses a row that leaves a column open.
-- Nothing that is stored changes, so that the text of the schema may.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(replace(replace(replace(sql,
    'CHECK (json_valid(molecules_used))', 'CHECK (molecules_used IS NULL OR json_valid(molecules_used))'),
    'CHECK (json_valid(atoms_in_molecules))', 'CHECK (atoms_in_molecules IS NULL OR json_valid(atoms_in_molecules))'),
    'CHECK (json_valid(dag_spec))', 'CHECK (dag_spec IS NULL OR json_valid(dag_spec))'),
    'CHECK (json_valid(definition))', 'CHECK (definition IS NULL OR json_valid(definition))')
    WHERE type = 'table' AND name = 'workflows_workflow';
UPDATE sqlite_schema SET sql = replace(replace(replace(sql,
    'CHECK (json_valid(result_data))', 'CHECK (result_data IS NULL OR json_valid(result_data))'),
    'CHECK (json_valid(input))', 'CHECK (input IS NULL OR json_valid(input))'),
    'CHECK (json_valid(source))', 'CHECK (source IS NULL OR json_valid(source))')
    WHERE type = 'table'
    AND name IN ('workflows_workflowrun', 'workflows_definition', 'workflows_schedule');
PRAGMA writable_schema = RESET;

-- Runs are listed by `started_at`, a text: it has one form, to the microsecond and in UTC.
DROP TRIGGER workflows_workflowrun_owner;
CREATE TRIGGER workflows_workflowrun_inserted
AFTER INSERT ON workflows_workflowrun
WHEN NEW.definition_id IS NULL
BEGIN
    SELECT RAISE(ABORT, 'started_at is no time; write it as 2026-01-02 03:04:05')
        WHERE strftime('%s', NEW.started_at) IS NULL;
    UPDATE workflows_workflowrun SET
        started_at = CASE
            WHEN started_at GLOB '????-??-?? ??:??:??.??????' THEN started_at
            WHEN started_at GLOB '????-??-??T??:??:??.??????' THEN replace(started_at, 'T', ' ')
            ELSE strftime('%Y-%m-%d %H:%M:%f', started_at) || '000' END,
        workflow_user_id =
            (SELECT user_id FROM workflows_workflow w WHERE w.id = NEW.workflow_id)
        WHERE id = NEW.id;
END;
UPDATE workflows_workflowrun SET started_at = strftime('%Y-%m-%d %H:%M:%f', started_at) || '000'
    WHERE started_at NOT GLOB '????-??-?? ??:??:??.??????'
    AND strftime('%s', started_at) IS NOT NULL;
