package store

import (
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
)

// Faceted are the records of a kind, whoever keeps them, whose field is a facet and has the value ("": any), not retired,
// of the day from or later, the last first, n at most.
func (v *View) Faceted(k schema.Kind, field, value, from string, n int) ([]*branchlinev1.Record, error) {
	least := index.FacetTerm(schema.KindOf(k).Field(field), value)
	most := least
	if value == "" {
		most += "\U0010FFFF"
	}
	return v.list("n IN (SELECT n FROM term WHERE k >= $1 AND k <= $2) AND +kind = $3 AND +retired = 0 AND coalesce(day, '') >= $4",
		"day DESC, id DESC LIMIT $5", least, most, int64(k), from, n)
}

// facetFrom are the first and the last term of a facet's values from one on, as text; of "" they are all.
func facetFrom(k schema.Kind, field, from string) (least, most string) {
	f := schema.KindOf(k).Field(field)
	return index.FacetTerm(f, from), index.FacetTerm(f, "") + "\U0010FFFF"
}
