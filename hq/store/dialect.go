package store

import "strings"

// What differs between SQLite and PostgreSQL is here, and in the migrations.

// placeholder appends the n-th placeholder of a generated statement. SQLite
// looks a $n up by name, in a list, for each value bound: with a thousand values
// that is three quarters of an insert. A bare ? has no name.
func placeholder(b *strings.Builder, _ int) { b.WriteByte('?') }
