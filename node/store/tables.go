package store

import "branchline/schema/sql"

// DB is the open database, for tables that are not the branch's records: the
// site's accounts. Records and changes are written through Store alone.
func (s *Store) DB() *sql.DB { return s.db }
