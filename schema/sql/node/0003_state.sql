-- +goose Up
-- Lists by state, in the order of days: the open orders of this site, some tens among a hundred thousand.
CREATE INDEX record_state ON record (kind, home, state, retired, day) WHERE state IS NOT NULL;
