-- +goose Up
-- What changed of a kind is found without looking at what changed of the others.
DROP INDEX record_home;
CREATE INDEX record_home ON record (home, rev, kind);
