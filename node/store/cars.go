package store

import (
	"cmp"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
)

// Cars are the cars known here by a plate, now or formerly, or by a VIN; "" is not asked by. Of records that are one car
// one stands for all: this branch's own before another's. Retired ones are left out.
func (v *View) Cars(plateText, vinText string) ([]*branchlinev1.Record, error) {
	var found []*branchlinev1.Record
	for _, term := range []string{index.PlateTerm(plateText), index.VINTerm(vinText)} {
		if term == "" {
			continue
		}
		some, err := v.list("kind = $1 AND retired = 0 AND n IN (SELECT n FROM term WHERE k = $2)", "id", int64(schema.Vehicle), term)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	far := func(r *branchlinev1.Record) int {
		switch {
		case r.GetShared():
			return 2
		case r.GetHome() != string(v.r.branch):
			return 1
		}
		return 0
	}
	slices.SortStableFunc(found, func(x, y *branchlinev1.Record) int { return cmp.Compare(far(x), far(y)) })
	var out []*branchlinev1.Record
	seen := map[schema.RecordID]bool{}
	for _, r := range found {
		_, id, err := schema.ParseName(r.GetName())
		if err != nil {
			return nil, err
		}
		if seen[id] {
			continue
		}
		one, err := v.Group(id)
		if err != nil {
			return nil, err
		}
		for _, m := range one {
			seen[m] = true
		}
		out = append(out, r)
	}
	return out, nil
}
