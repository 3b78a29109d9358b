-- How long the lease of an owner is, in microseconds, and how often it was renewed: a lease that a
-- clock which was wrong has put far ahead is judged by whether it is renewed.
-- What was written before has the length of the default lease.
ALTER TABLE workflows_owner ADD COLUMN lifetime BIGINT NOT NULL DEFAULT 9000000;
ALTER TABLE workflows_owner ADD COLUMN heartbeats BIGINT NOT NULL DEFAULT 0;
