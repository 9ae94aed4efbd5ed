-- +goose Up
-- Forgotten changes that are still shown or waited for: refused ones that are all there is of a record, those HQ may yet
-- apply. They hold up no forgetting, and a headquarters that was put back to before them is given them again.
CREATE TABLE aside (
  id      INTEGER PRIMARY KEY, -- as in change was
  record  BLOB NOT NULL,
  salt    BLOB,
  payload BLOB,
  hash    BLOB,
  chain   BLOB NOT NULL,
  at      INTEGER NOT NULL
);
