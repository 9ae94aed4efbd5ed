-- +goose Up
-- Which attachment names which file, by its SHA-256: the original or the thumbnail, with its size. The files lie in the
-- folder blobs.
CREATE TABLE file_name (
  hash BLOB NOT NULL,
  n    INTEGER NOT NULL,
  size INTEGER NOT NULL,
  PRIMARY KEY (hash, n)
) WITHOUT ROWID;
CREATE INDEX file_name_n ON file_name (n);
