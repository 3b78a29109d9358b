-- A run changes some times while it goes on. Where its page has room for the new row, no index is
-- written but for what changed in it.
ALTER TABLE workflows_workflowrun SET (fillfactor = 50);
