-- +goose Up
-- language: the number of a branchline.v1.Language, in which the account reads its pages; 0 = as the browser asks.
ALTER TABLE account ADD COLUMN language INTEGER NOT NULL DEFAULT 0;
