-- +goose Up
-- Lists by state of all sites, in the order of days: without it a rare state has all orders read.
CREATE INDEX record_state_any ON record (kind, state, retired, day) WHERE state IS NOT NULL;
