package say

import (
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Owned says of a term in a car's line of owners whether it goes on, and since and until when; where a day was not
// written down it says so.
func (s Sayer) Owned(o *branchlinev1.Owner) string {
	out := s.t("owner.before")
	if o.GetPresent() {
		out = s.t("owner.now")
	}
	switch {
	case o.GetFrom() != "" && o.GetTo() != "" && !o.GetDerived():
		return out + " " + s.Term(o.GetFrom(), o.GetTo())
	case o.GetFrom() != "":
		out += " " + s.Term(o.GetFrom(), "")
	default:
		out += s.t("say.paren", s.t("owner.since_unknown", o.GetKnownFrom()))
	}
	switch {
	case o.GetTo() == "":
		return out
	case o.GetAtLatest():
		return s.t("owner.then", out, s.t("owner.to_latest", o.GetTo()))
	case o.GetDerived():
		return s.t("owner.then", out, s.t("owner.to_next", o.GetTo()))
	}
	return s.t("owner.then", out, s.Term("", o.GetTo()))
}

// OwnerName is what a page calls an owner: somebody else's customer has no name here.
func (s Sayer) OwnerName(o *branchlinev1.Owner) string {
	switch {
	case o.GetElsewhere():
		return s.t("owner.elsewhere")
	case o.GetName() == "":
		return s.t("owner.unnamed")
	}
	return o.GetName()
}

// OwnerTies are the ids of the ties that stand in the line of a car's owners: a page need not tell them twice.
func OwnerTies(owners []*branchlinev1.Owner) map[string]*branchlinev1.Owner {
	out := map[string]*branchlinev1.Owner{}
	for _, o := range owners {
		for _, name := range o.GetTies() {
			if k, _, err := schema.ParseName(name); err == nil && k == schema.Tie {
				out[name] = o
			}
		}
	}
	return out
}
