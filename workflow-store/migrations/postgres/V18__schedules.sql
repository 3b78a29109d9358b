-- Schedules: the time for which a run stands, and the last time that was skipped.

-- Nanoseconds since 1970; NULL for a run that was not scheduled.
ALTER TABLE workflows_workflowrun ADD COLUMN scheduled_for BIGINT;

ALTER TABLE workflows_schedule ADD COLUMN skipped_at TIMESTAMP;
ALTER TABLE workflows_schedule ADD COLUMN skip_reason TEXT;

-- A cron expression with long lists has more than 255 characters.
ALTER TABLE workflows_schedule ALTER COLUMN cron TYPE TEXT;
ALTER TABLE workflows_schedule ALTER COLUMN timezone TYPE TEXT;
