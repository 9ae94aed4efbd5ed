-- +goose Up
-- A telephone or another value that would be somebody's own proves nothing once too many names have it. How many names
-- stand in the row of such a key is kept in match_crowd; it is 0 for keys of other values. Keys say of themselves whether
-- they are such: keys and pairs are made anew, then the groups.
ALTER TABLE match_crowd ADD COLUMN names INTEGER NOT NULL DEFAULT 0;
DELETE FROM match_node;
DELETE FROM match_key;
DELETE FROM match_crowd;
DELETE FROM match_row;
DELETE FROM match_edge;
UPDATE match_state SET phase = 1, at = 0 WHERE model <> '';
