-- +goose Up
-- 1: the password was made or set by somebody else; its owner sets their own before anything else.
ALTER TABLE account ADD COLUMN one_time INTEGER NOT NULL DEFAULT 0;
