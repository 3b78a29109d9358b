-- The workflows of a project are listed by name.
CREATE INDEX workflows_workflow_project_name_idx ON workflows_workflow (project, name, id);
DROP INDEX workflows_workflow_project_idx;
