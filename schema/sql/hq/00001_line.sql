-- +goose Up
-- Headquarters' side of the line: who may send, what was sent, what came of it,
-- and what each branch must know of it. Numbers of branches and records (num, n)
-- are HQ's own and never leave it.

-- Small things of the site by name (the group key of national ids, …).
CREATE TABLE site (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;

-- The last rev taken, the last record number given, the highest reading of the
-- machine's clock ever stored (unix ms), and the record number up to which the
-- sweep behind the line (groups, search) has looked at new records.
CREATE TABLE counter (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  rev    INTEGER NOT NULL,
  record INTEGER NOT NULL,
  clock  INTEGER NOT NULL,
  swept  INTEGER NOT NULL
);
INSERT INTO counter (one, rev, record, clock, swept) VALUES (1, 0, 0, 0, 0);

-- One row a run of the program, in order. birth is the rev it began at.
CREATE TABLE epoch (
  n      INTEGER PRIMARY KEY,
  id     INTEGER NOT NULL UNIQUE,
  parent INTEGER NOT NULL,
  birth  INTEGER NOT NULL,
  began  INTEGER NOT NULL
);

-- num 1 is headquarters itself; 0 stands for all branches and has no row.
-- state: invited, enrolled, revoked, retired.
CREATE TABLE branch (
  num       INTEGER PRIMARY KEY,
  code      TEXT NOT NULL UNIQUE,
  name      TEXT NOT NULL,
  entity    TEXT NOT NULL,
  record    BLOB NOT NULL,
  state     TEXT NOT NULL,
  pub       TEXT NOT NULL DEFAULT '',
  reenrol   INTEGER NOT NULL DEFAULT 0,
  hello     INTEGER NOT NULL DEFAULT 0,
  gate      INTEGER NOT NULL DEFAULT 0,
  boot      BLOB,
  heard     INTEGER NOT NULL DEFAULT 0,
  confirmed INTEGER NOT NULL DEFAULT 0,
  pending   INTEGER NOT NULL DEFAULT 0,
  skew      INTEGER NOT NULL DEFAULT 0,
  disk      INTEGER NOT NULL DEFAULT 0,
  version   TEXT NOT NULL DEFAULT ''
);

CREATE TABLE entity (
  code   TEXT PRIMARY KEY,
  name   TEXT NOT NULL,
  record BLOB NOT NULL
) WITHOUT ROWID;

-- Every public key a branch ever had. state: current, replaced, revoked.
CREATE TABLE branch_key (
  pub    TEXT PRIMARY KEY,
  branch INTEGER NOT NULL REFERENCES branch (num),
  state  TEXT NOT NULL,
  since  INTEGER NOT NULL
) WITHOUT ROWID;

-- Enrolment tokens: the secret's SHA-256 only. reply is the answer given to the
-- key that used it, given again when that key asks again.
CREATE TABLE token (
  id      TEXT PRIMARY KEY,
  branch  INTEGER NOT NULL REFERENCES branch (num),
  hash    BLOB NOT NULL,
  expires INTEGER NOT NULL,
  used_by TEXT NOT NULL DEFAULT '',
  used_at INTEGER NOT NULL DEFAULT 0,
  reply   BLOB
) WITHOUT ROWID;

-- One life of a branch's database. state: 1 current, 2 frozen. last_at is HQ's
-- effective time for the change at the watermark.
CREATE TABLE incarnation (
  inc         INTEGER PRIMARY KEY,
  branch      INTEGER NOT NULL REFERENCES branch (num),
  state       INTEGER NOT NULL,
  watermark   INTEGER NOT NULL,
  chain       BLOB NOT NULL,
  last_at     INTEGER NOT NULL,
  nonce       BLOB,
  certificate BLOB,
  issued      INTEGER NOT NULL,
  frozen      INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX incarnation_branch ON incarnation (branch);

-- Packs as they came. first is the first seq of it that was new; the pack may
-- begin below.
CREATE TABLE pack (
  n     INTEGER PRIMARY KEY,
  inc   INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last  INTEGER NOT NULL,
  after BLOB NOT NULL,
  raw   BLOB NOT NULL
);
CREATE UNIQUE INDEX pack_first ON pack (inc, first);

-- Packs that do not continue HQ's chain of their incarnation, or came under a
-- key no longer good: kept raw. applied: their changes were applied by origin.
CREATE TABLE side (
  n       INTEGER PRIMARY KEY,
  branch  INTEGER NOT NULL,
  inc     INTEGER NOT NULL,
  first   INTEGER NOT NULL,
  last    INTEGER NOT NULL,
  before  BLOB NOT NULL,
  after   BLOB NOT NULL,
  raw     BLOB NOT NULL,
  why     TEXT NOT NULL,
  at      INTEGER NOT NULL,
  applied INTEGER NOT NULL DEFAULT 0,
  UNIQUE (inc, first, after)
);

-- Effective times HQ ruled: seq first has first_at, each further one a tick more.
CREATE TABLE ruling (
  inc      INTEGER NOT NULL,
  first    INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  PRIMARY KEY (inc, first)
) WITHOUT ROWID;

-- Changes whose outcome is not plainly APPLIED. sealed is kept while the change
-- waits for a person, a program or another change.
CREATE TABLE outcome (
  n         INTEGER PRIMARY KEY,
  inc       INTEGER NOT NULL,
  seq       INTEGER NOT NULL,
  branch    INTEGER NOT NULL,
  kind      INTEGER NOT NULL,
  reason    TEXT NOT NULL,
  waits_for INTEGER NOT NULL DEFAULT 0,
  fields    BLOB,
  rkind     INTEGER NOT NULL DEFAULT 0,
  record    BLOB,
  sealed    BLOB,
  at        INTEGER NOT NULL,
  UNIQUE (inc, seq)
);
CREATE INDEX outcome_open ON outcome (branch, kind) WHERE sealed IS NOT NULL;

-- Which change stands for an origin: a re-issued change, or one of a side branch.
CREATE TABLE origin (
  chain BLOB PRIMARY KEY,
  inc   INTEGER NOT NULL,
  seq   INTEGER NOT NULL
) WITHOUT ROWID;

-- Merged records. state is sync/merge's encoding; the columns are read off it.
-- home is a branch's num; grp the n of the oldest member of its group.
CREATE TABLE record (
  n        INTEGER PRIMARY KEY,
  id       BLOB NOT NULL UNIQUE,
  kind     INTEGER NOT NULL,
  home     INTEGER NOT NULL,
  rev      INTEGER NOT NULL,
  state    BLOB NOT NULL,
  customer BLOB,
  vehicle  BLOB,
  ord      BLOB,
  day      TEXT,
  number   TEXT,
  st       INTEGER,
  retired  INTEGER NOT NULL DEFAULT 0,
  created  INTEGER NOT NULL,
  updated  INTEGER NOT NULL,
  grp      INTEGER
);
-- A branch's own records in feed order: its own edits have no feed row.
CREATE INDEX record_home ON record (home, rev);
CREATE INDEX record_customer ON record (customer) WHERE customer IS NOT NULL;
CREATE INDEX record_vehicle ON record (vehicle) WHERE vehicle IS NOT NULL;
CREATE INDEX record_ord ON record (ord) WHERE ord IS NOT NULL;
CREATE INDEX record_grp ON record (grp) WHERE grp IS NOT NULL;

-- Branches that were a record's home, other than its first one.
CREATE TABLE home (
  record BLOB NOT NULL,
  branch INTEGER NOT NULL,
  inc    INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  moved  INTEGER NOT NULL,
  PRIMARY KEY (record, inc, seq)
) WITHOUT ROWID;

-- Who holds which customer or vehicle by its own doing. why: 1 wrote it, 2 a record naming it.
CREATE TABLE hold (
  subject BLOB NOT NULL,
  branch  INTEGER NOT NULL,
  why     INTEGER NOT NULL,
  PRIMARY KEY (subject, branch)
) WITHOUT ROWID;

-- Orders that records name and HQ does not have yet.
CREATE TABLE missing (
  ord BLOB PRIMARY KEY
) WITHOUT ROWID;

-- What a branch (0: every branch) must know, last revision only. what: 1 a
-- record (gone: purge it), 3 a group (ref: its oldest member), 4 an outcome.
CREATE TABLE feed (
  branch INTEGER NOT NULL,
  what   INTEGER NOT NULL,
  ref    INTEGER NOT NULL,
  rev    INTEGER NOT NULL,
  gone   INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (branch, what, ref)
) WITHOUT ROWID;
CREATE INDEX feed_rev ON feed (branch, rev);

-- Records older than counter.swept that changed since the sweep behind the line looked at them.
CREATE TABLE dirty (
  n INTEGER PRIMARY KEY
);

-- Evidence: what makes two records of a kind one, as keys. kind: 1 national id,
-- 2 phone and name, 3 source id, 4 VIN; and 5 plate, which finds but never joins.
CREATE TABLE evidence (
  kind INTEGER NOT NULL,
  key  BLOB NOT NULL,
  n    INTEGER NOT NULL,
  PRIMARY KEY (kind, key, n)
) WITHOUT ROWID;
CREATE INDEX evidence_n ON evidence (n);

-- What a person should know of. until is set when it is over.
CREATE TABLE alarm (
  n      INTEGER PRIMARY KEY,
  branch INTEGER NOT NULL,
  what   TEXT NOT NULL,
  text   TEXT NOT NULL,
  at     INTEGER NOT NULL,
  until  INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX alarm_open ON alarm (branch, what) WHERE until = 0;

-- Epochs HQ was found to have lost something of: every branch is asked for its ledger before anything is fed out.
CREATE TABLE restored (
  epoch INTEGER PRIMARY KEY,
  found INTEGER NOT NULL,
  by_branch INTEGER NOT NULL,
  over  INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE compared (
  epoch  INTEGER NOT NULL,
  branch INTEGER NOT NULL,
  PRIMARY KEY (epoch, branch)
) WITHOUT ROWID;

-- Backups HQ would still restore, and the watermarks in them.
CREATE TABLE backup (
  n    INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  at   INTEGER NOT NULL,
  gone INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE backup_mark (
  backup    INTEGER NOT NULL REFERENCES backup (n),
  inc       INTEGER NOT NULL,
  watermark INTEGER NOT NULL,
  PRIMARY KEY (backup, inc)
) WITHOUT ROWID;

-- Look-ups beyond a branch's scope.
CREATE TABLE looked (
  n      INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  branch INTEGER NOT NULL,
  actor  TEXT NOT NULL,
  vin    TEXT NOT NULL,
  plate  TEXT NOT NULL,
  reason TEXT NOT NULL,
  found  INTEGER NOT NULL
);
