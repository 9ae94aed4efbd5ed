-- +goose Up
-- Own edits that lost a field to a concurrent value, as the records' states have it at this moment: with the stamp they
-- have there (inc, seq with its run, at), which no other copy of the edit changes. n is the record's.
CREATE TABLE lost (
  n   INTEGER NOT NULL,
  inc INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  at  INTEGER NOT NULL,
  PRIMARY KEY (n, inc, seq)
) WITHOUT ROWID;

-- 1: the author has dealt with it, it need not be looked at any more.
ALTER TABLE outcome ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
