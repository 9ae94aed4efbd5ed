-- +goose Up
-- Answers of reports that are asked ahead and take long, so that the first page need not wait after a start either: it may be
-- emptied. asked is the question, form the version of the program's figures, day the today and rev HQ's when it was asked,
-- made (unix ms) and took (microseconds) when and how long it was made.
CREATE TABLE report_kept (
  asked  BLOB PRIMARY KEY,
  form   INTEGER NOT NULL,
  day    TEXT NOT NULL,
  rev    INTEGER NOT NULL,
  made   INTEGER NOT NULL,
  took   INTEGER NOT NULL,
  answer BLOB NOT NULL
);
