-- +goose Up
-- Lists by state, in the order of days: the open orders of a branch, some tens among a million.
CREATE INDEX listing_state ON listing (kind, home, st, retired, day) WHERE st IS NOT NULL;
