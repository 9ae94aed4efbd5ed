-- +goose Up
-- What lost and may stay so, as somebody of this branch has said: field (its number) of the own edit with that stamp.
CREATE TABLE lost_kept (
  n     INTEGER NOT NULL,
  inc   INTEGER NOT NULL,
  seq   INTEGER NOT NULL,
  at    INTEGER NOT NULL,
  field INTEGER NOT NULL,
  PRIMARY KEY (n, inc, seq, at, field)
) WITHOUT ROWID;

-- 1: all that the edit lost in the record may stay so.
ALTER TABLE lost ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
