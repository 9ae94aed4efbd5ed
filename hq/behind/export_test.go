package behind

// ChangedSQL is the query whose plan a test looks at.
func (f *Follower) ChangedSQL() string { return "SELECT COUNT(*) " + f.changed }
