-- +goose Up
-- Homes this branch gave away by changes that are forgotten: nothing else here tells of them, and a headquarters
-- that was put back may have to be told again. edit_inc and edit_seq name the edit, at is when it was made.
CREATE TABLE given (
  record   BLOB NOT NULL,
  kind     INTEGER NOT NULL,
  home     TEXT NOT NULL,
  edit_inc INTEGER NOT NULL,
  edit_seq INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (edit_inc, edit_seq)
) WITHOUT ROWID;
