package store

import (
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
)

// Faceted are the records of a kind, whoever keeps them, whose field is a facet and has the value ("": any), not retired,
// of the day from or later, the last first, n at most.
func (v *View) Faceted(k schema.Kind, field, value, from string, n int) ([]*branchlinev1.Record, error) {
	least, most := facetRange(k, field, value)
	if value != "" {
		least = most
	}
	return v.list("n IN (SELECT n FROM term WHERE k >= $1 AND k <= $2) AND +kind = $3 AND +retired = 0 AND coalesce(day, '') >= $4",
		"day DESC, id DESC LIMIT $5", least, most, int64(k), from, n)
}

// facetRange are the first and the last term of a facet's values up to one, as text; of "" they are all.
func facetRange(k schema.Kind, field, upTo string) (least, most string) {
	f := schema.KindOf(k).Field(field)
	if least = index.FacetTerm(f, ""); upTo == "" {
		return least, least + "\U0010FFFF"
	}
	return least, index.FacetTerm(f, upTo)
}
