-- +goose Up
-- What the group reports count, derived from the records and nothing else: it may be dropped and made again.

-- How far each task behind the line has followed the records: all at or below
-- rev of this line of epochs. form is the version of what it derives; another one
-- means all is derived anew.
CREATE TABLE behind (
  name  TEXT PRIMARY KEY,
  form  INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  rev   INTEGER NOT NULL
) WITHOUT ROWID;

-- Settled orders in force. n is the order's record number, day its settlement
-- day ('' for none), model and currency its own ('' for none).
CREATE TABLE order_fact (
  n        INTEGER PRIMARY KEY,
  id       BLOB NOT NULL UNIQUE,
  day      TEXT NOT NULL,
  branch   TEXT NOT NULL,
  model    TEXT NOT NULL,
  currency TEXT NOT NULL,
  customer BLOB,
  vehicle  BLOB
);
CREATE INDEX order_fact_day ON order_fact (day);

-- Approved lines in force that are worth something, whatever their order's state.
CREATE TABLE line_fact (
  n        INTEGER PRIMARY KEY,
  ord      BLOB NOT NULL,
  payer    INTEGER NOT NULL,
  currency TEXT NOT NULL,
  amount   INTEGER NOT NULL
);
CREATE INDEX line_fact_ord ON line_fact (ord);
-- Amounts nobody can mean (over ten thousand million in units of the currency): in no sum, but told.
CREATE INDEX line_fact_odd ON line_fact (n) WHERE amount > 1000000000000 OR amount < -1000000000000;

-- The sum of an order's lines; n is the order's.
CREATE TABLE revenue_fact (
  n        INTEGER NOT NULL,
  currency TEXT NOT NULL,
  payer    INTEGER NOT NULL,
  amount   INTEGER NOT NULL,
  PRIMARY KEY (n, currency, payer)
) WITHOUT ROWID;

-- Cars that have a model or are retired.
CREATE TABLE car_fact (
  id      BLOB PRIMARY KEY,
  model   TEXT NOT NULL,
  retired INTEGER NOT NULL
) WITHOUT ROWID;
