-- +goose Up
-- By what records are listed and found, derived from them behind the line: it may be dropped and made again.

-- retired is 0 or 1; the other columns are the record's.
CREATE TABLE listing (
  n       INTEGER PRIMARY KEY,
  kind    INTEGER NOT NULL,
  home    INTEGER NOT NULL,
  retired INTEGER NOT NULL,
  id      BLOB NOT NULL,
  updated INTEGER NOT NULL,
  day     TEXT,
  number  TEXT,
  st      INTEGER
);
CREATE INDEX listing_updated ON listing (kind, retired, updated, n);
CREATE INDEX listing_id ON listing (kind, retired, id, n);
CREATE INDEX listing_day ON listing (kind, retired, day, n) WHERE day IS NOT NULL;
CREATE INDEX listing_number ON listing (kind, retired, number, n) WHERE number IS NOT NULL;

-- What is known by its whole or its end (schema/index).
CREATE TABLE term (
  k TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (k, n)
) WITHOUT ROWID;
CREATE INDEX term_n ON term (n);

-- Names by character, pinyin and initials; other text by word and character.
CREATE VIRTUAL TABLE word USING fts5 (name, text, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2");

-- Whose words are in the index, and the sum of them.
CREATE TABLE worded (
  n   INTEGER PRIMARY KEY,
  sum INTEGER NOT NULL
);

-- Creates at headquarters by their request id, for a day.
CREATE TABLE request (
  id     TEXT PRIMARY KEY,
  kind   INTEGER NOT NULL,
  record BLOB NOT NULL,
  at     INTEGER NOT NULL
) WITHOUT ROWID;
