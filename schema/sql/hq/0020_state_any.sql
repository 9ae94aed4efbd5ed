-- +goose Up
-- Lists by state of all branches, in the order of days and of the last change: without them a rare state has all orders read.
CREATE INDEX listing_state_day ON listing (kind, st, retired, day) WHERE st IS NOT NULL;
CREATE INDEX listing_state_updated ON listing (kind, st, retired, updated) WHERE st IS NOT NULL;
