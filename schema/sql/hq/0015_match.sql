-- +goose Up
-- Who is one customer. All but match_model and match_event is derived from the records by one model:
-- it may be dropped and made again. Pairs stand both ways where a and b are record numbers.

-- Live customers as they were last looked at: keys of 8 bytes each, ascending, the word they stand in a key's row by,
-- and the sum of all that is read of them.
CREATE TABLE match_node (
  n    INTEGER PRIMARY KEY,
  id   BLOB NOT NULL,
  sum  INTEGER NOT NULL,
  word BLOB NOT NULL,
  keys BLOB NOT NULL
);
-- Who has a key, as long as all of them are compared with one another.
CREATE TABLE match_key (
  key INTEGER NOT NULL,
  n   INTEGER NOT NULL,
  PRIMARY KEY (key, n)
) WITHOUT ROWID;
-- Keys that more customers have, and how many; and their holders in a row, by word and id: neighbours are compared.
CREATE TABLE match_crowd (
  key     INTEGER PRIMARY KEY,
  holders INTEGER NOT NULL
);
CREATE TABLE match_row (
  key  INTEGER NOT NULL,
  word BLOB NOT NULL,
  id   BLOB NOT NULL,
  n    INTEGER NOT NULL,
  PRIMARY KEY (key, word, id)
) WITHOUT ROWID;
-- Pairs that are one, or near it. Scores are centi-bits; flags: 1 something binds them, 2 veto.
CREATE TABLE match_edge (
  a         INTEGER NOT NULL,
  b         INTEGER NOT NULL,
  strangers INTEGER NOT NULL,
  sharers   INTEGER NOT NULL,
  flags     INTEGER NOT NULL,
  PRIMARY KEY (a, b)
) WITHOUT ROWID;

-- Decisions in force, a row a pair: a and b are record ids, a the smaller; n is the decision's number. The greatest at counts.
CREATE TABLE match_said (
  a    BLOB NOT NULL,
  b    BLOB NOT NULL,
  n    INTEGER NOT NULL,
  same INTEGER NOT NULL,
  at   BLOB NOT NULL,
  PRIMARY KEY (a, b, n)
) WITHOUT ROWID;
CREATE INDEX match_said_b ON match_said (b);
CREATE INDEX match_said_n ON match_said (n);

-- What people are asked, by rank: what looks too large first, then by gain. a and b are record numbers, aid and bid ids.
CREATE TABLE match_question (
  rank          INTEGER NOT NULL,
  aid           BLOB NOT NULL,
  bid           BLOB NOT NULL,
  a             INTEGER NOT NULL,
  b             INTEGER NOT NULL,
  score         INTEGER NOT NULL,
  gain          INTEGER NOT NULL,
  joined        INTEGER NOT NULL,
  contradiction INTEGER NOT NULL,
  alarm         INTEGER NOT NULL,
  PRIMARY KEY (rank, aid, bid)
) WITHOUT ROWID;
CREATE INDEX match_question_a ON match_question (a);
CREATE INDEX match_question_b ON match_question (b);

-- Golden customers that became one, or several: body is hq/golden's. Old ones are dropped.
CREATE TABLE match_event (
  n     INTEGER PRIMARY KEY,
  at    INTEGER NOT NULL,
  model TEXT NOT NULL,
  body  BLOB NOT NULL
);
CREATE TABLE match_event_of (
  record BLOB NOT NULL,
  event  INTEGER NOT NULL,
  PRIMARY KEY (record, event)
) WITHOUT ROWID;

-- state: used, proposed, former. body is NULL for the program's own.
CREATE TABLE match_model (
  version TEXT PRIMARY KEY,
  state   TEXT NOT NULL,
  made    INTEGER NOT NULL,
  taken   INTEGER NOT NULL,
  records INTEGER NOT NULL,
  summary TEXT NOT NULL,
  body    BLOB
) WITHOUT ROWID;

-- The model in use ('': none yet), and how far all customers have been looked at under it: phase 1 their
-- keys and pairs, phase 2 their groups, 0 done; at is the last record number.
CREATE TABLE match_state (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  model TEXT NOT NULL,
  phase INTEGER NOT NULL,
  at    INTEGER NOT NULL
);
INSERT INTO match_state (one, model, phase, at) VALUES (1, '', 1, 0);

-- Customers are not joined by these keys any more; and whom a tie names is remembered as a key of it.
DELETE FROM evidence WHERE kind IN (1, 2);
INSERT INTO evidence (kind, key, n) SELECT 7, customer, n FROM record WHERE kind = 6 AND customer IS NOT NULL;
