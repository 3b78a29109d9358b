-- Where a run has its folder, when its workflow does not say that.

ALTER TABLE workflows_workflowrun ADD COLUMN runs_dir TEXT;
