package report

// ChangedSQL is the query whose plan a test looks at.
const ChangedSQL = changedSQL
