-- +goose Up
-- Which holders of a key are compared is another rule: match_crowd has the keys that too many hold for all to be compared.
-- Of those only the ones of whole values have their holders in match_row, where neighbours of one name are compared; the
-- others' stay in match_key and find nobody. Keys and pairs are made anew, then the groups.
-- Of a customer all values that are compared are kept with its keys.
DROP TABLE match_node;
CREATE TABLE match_node (
  n     INTEGER PRIMARY KEY,
  id    BLOB NOT NULL,
  sum   INTEGER NOT NULL,
  word  BLOB NOT NULL,
  keys  BLOB NOT NULL,
  facts BLOB NOT NULL -- each value behind its length
);
DELETE FROM match_key;
DELETE FROM match_crowd;
DELETE FROM match_row;
DELETE FROM match_edge;
UPDATE match_state SET phase = 1, at = 0 WHERE model <> '';
