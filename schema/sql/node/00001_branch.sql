-- +goose Up

-- Who the branch is and what its line remembers: one value a key.
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;

-- The incarnations the branch keeps. The current one has the highest number.
CREATE TABLE life (
  no          INTEGER PRIMARY KEY,
  inc         INTEGER NOT NULL UNIQUE,
  certificate BLOB,
  former      INTEGER NOT NULL DEFAULT 0,
  prune_cut   INTEGER NOT NULL DEFAULT 0, -- changes at or below are forgotten
  prune_chain BLOB,                       -- chain hash at the cut
  prune_at    INTEGER NOT NULL DEFAULT 0, -- effective time of the change at the cut
  watermark   INTEGER NOT NULL DEFAULT 0, -- of the last receipt
  epoch       INTEGER NOT NULL DEFAULT 0, -- HQ's epoch of that receipt
  receipt     BLOB,                       -- as signed
  forget      INTEGER NOT NULL DEFAULT 0, -- below this seq HQ allows to forget
  folded      INTEGER NOT NULL DEFAULT 0  -- up to here pending is worked off by full pages
);

-- The branch's changes, in the order of their making: id = life.no << 40 | seq,
-- so that the current life is written at the table's end.
CREATE TABLE change (
  id      INTEGER PRIMARY KEY,
  record  BLOB NOT NULL,
  salt    BLOB,             -- NULL with payload when erased
  payload BLOB,
  hash    BLOB,             -- payload hash, only when erased
  chain   BLOB NOT NULL,
  at      INTEGER NOT NULL  -- effective time, HQ's ruling where there is one
);

-- Effective times HQ ruled.
CREATE TABLE ruling (
  inc      INTEGER NOT NULL,
  first    INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  PRIMARY KEY (inc, first)
) WITHOUT ROWID;

-- What became of a change, when it is not plainly applied.
CREATE TABLE outcome (
  inc  INTEGER NOT NULL,
  seq  INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  raw  BLOB NOT NULL,       -- wire.v1.Outcome
  rev  INTEGER NOT NULL,
  PRIMARY KEY (inc, seq)
) WITHOUT ROWID;

-- HQ's rev by which everything up to this change was stored: id as in change.
CREATE TABLE mark (
  id    INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL,
  rev   INTEGER NOT NULL,
  at    INTEGER NOT NULL    -- unix ms, this machine's clock
);

-- Records held here. shown = fold(base, pending); base is NULL while nothing is
-- pending (shown is the base then) and empty while HQ has never sent the record.
CREATE TABLE record (
  n        INTEGER PRIMARY KEY,
  id       BLOB NOT NULL UNIQUE,
  kind     INTEGER NOT NULL,
  home     TEXT NOT NULL,
  shared   INTEGER NOT NULL,
  epoch    INTEGER NOT NULL,
  rev      INTEGER NOT NULL,
  pass     INTEGER NOT NULL,  -- the full pass that showed it last
  base     BLOB,
  shown    BLOB NOT NULL,
  own      INTEGER NOT NULL,  -- the last own change (id as in change), 0 if none
  updated  INTEGER NOT NULL,  -- unix ms of the latest stamp
  retired  INTEGER NOT NULL,
  customer BLOB,
  vehicle  BLOB,
  ord      BLOB,
  day      TEXT,
  number   TEXT,
  state    INTEGER,
  terms    TEXT,              -- its rows in term, one a line
  words    INTEGER NOT NULL   -- hash of its words in the index, 0 = none
);
CREATE INDEX record_updated ON record (kind, updated);
CREATE INDEX record_customer ON record (customer, kind) WHERE customer IS NOT NULL;
CREATE INDEX record_vehicle ON record (vehicle, kind) WHERE vehicle IS NOT NULL;
CREATE INDEX record_order ON record (ord, kind) WHERE ord IS NOT NULL;
CREATE INDEX record_day ON record (kind, day) WHERE day IS NOT NULL;
CREATE INDEX record_number ON record (kind, number) WHERE number IS NOT NULL;

-- Own changes not yet part of their record's base. held: an outcome says that HQ
-- has it but has not applied it.
CREATE TABLE pending (
  id   INTEGER PRIMARY KEY,
  n    INTEGER NOT NULL,
  held INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX pending_record ON pending (n);

-- Own changes to records that have left the branch's scope: they go up, and come
-- back to the page only if the record does.
CREATE TABLE sealed (
  id     INTEGER PRIMARY KEY,
  record BLOB NOT NULL
);
CREATE INDEX sealed_record ON sealed (record);

-- Golden customers, and cars known under several records.
CREATE TABLE member (
  record BLOB PRIMARY KEY,
  grp    BLOB NOT NULL,
  pass   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX member_group ON member (grp);

-- Exact and tail search: a letter for what it is, then the folded value, written
-- backwards where people know the end of it.
CREATE TABLE term (
  k TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (k, n)
) WITHOUT ROWID;

-- Names by character, pinyin and initials; other text by word and character.
CREATE VIRTUAL TABLE word USING fts5 (name, text, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2");

-- The last feed cursors, newest last.
CREATE TABLE cursor (
  no    INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL,
  rev   INTEGER NOT NULL
);

-- How far other branches have confirmed the feed.
CREATE TABLE delivery (
  branch TEXT PRIMARY KEY,
  rev    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE ledger (
  id  BLOB PRIMARY KEY,
  raw BLOB NOT NULL         -- wire.v1.LedgerEntry
) WITHOUT ROWID;

-- Creates by their request id, for a day.
CREATE TABLE request (
  id     TEXT PRIMARY KEY,
  kind   INTEGER NOT NULL,
  record BLOB NOT NULL,
  change INTEGER NOT NULL,
  at     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX request_at ON request (at);

-- What HQ answered to look-ups beyond the branch's scope, for a stated time.
CREATE TABLE look (
  id      BLOB PRIMARY KEY,
  kind    INTEGER NOT NULL,
  home    TEXT NOT NULL,
  shared  INTEGER NOT NULL,
  state   BLOB NOT NULL,
  vehicle BLOB,
  ord     BLOB,
  terms   TEXT,
  expires INTEGER NOT NULL  -- unix ms
) WITHOUT ROWID;
CREATE INDEX look_vehicle ON look (vehicle) WHERE vehicle IS NOT NULL;
CREATE INDEX look_order ON look (ord) WHERE ord IS NOT NULL;
