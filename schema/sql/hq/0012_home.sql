-- +goose Up
-- A move of a home bears the name of its edit, so that another copy of it moves nothing. A row with inc 0 says
-- where the record began: moved is who made it.
ALTER TABLE home ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE home ADD COLUMN edit_inc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE home ADD COLUMN edit_seq INTEGER NOT NULL DEFAULT 0;

-- Copies of an edit are one by its name (schema.StampOf): nothing stands for anything any more.
DROP TABLE origin;
