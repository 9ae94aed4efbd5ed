-- +goose Up
-- Files of attachments and their thumbnails that lie in the folder blobs, by their SHA-256. at_hq is the epoch of
-- headquarters that said it has stored it, 0: none has yet. fetched: it came from headquarters, and may be cleared away
-- when nobody has looked at it for long.
CREATE TABLE file (
  hash    BLOB PRIMARY KEY,
  size    INTEGER NOT NULL,
  thumb   INTEGER NOT NULL,
  at_hq   INTEGER NOT NULL,
  fetched INTEGER NOT NULL,
  at      INTEGER NOT NULL -- unix ms
) WITHOUT ROWID;
CREATE INDEX file_at_hq ON file (at_hq, thumb, at);
