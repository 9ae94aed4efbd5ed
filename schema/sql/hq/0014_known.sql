-- +goose Up
-- What a customer or a car is known by, as marks (schema/known): a byte for the sort and four for the mark, each, in order.
CREATE TABLE known_mark (
  n     INTEGER PRIMARY KEY,
  marks BLOB NOT NULL
);

-- The filter as branches fetch it.
CREATE TABLE known_piece (
  piece INTEGER PRIMARY KEY,
  data  BLOB NOT NULL
);

-- Which filter that is: its SHA-256, its length, the marks in it, when it was made (unix ms), and how many records' marks
-- have changed since.
CREATE TABLE known_made (
  one     INTEGER PRIMARY KEY,
  version BLOB NOT NULL,
  size    INTEGER NOT NULL,
  pieces  INTEGER NOT NULL,
  records INTEGER NOT NULL,
  made_at INTEGER NOT NULL,
  changed INTEGER NOT NULL
);
