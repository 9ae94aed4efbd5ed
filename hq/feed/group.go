package feed

import (
	"slices"

	"branchline/hq/store"
	"branchline/schema"
)

// Tell puts a group's list of members into the feeds of those branches that may
// see two of them. A branch is told of the part of a customer's group that is of
// its own legal entity; that part's smallest member stands for it.
func (s *Scope) Tell(w *store.W, grp int64, branches []int32) error {
	ids, err := s.group(w, grp)
	if err != nil {
		return err
	}
	parts := map[schema.EntityID][]int64{}
	for _, id := range ids {
		x, err := s.subject(w, id)
		if err != nil {
			return err
		}
		e := schema.EntityID("")
		if x.kind == schema.Customer {
			e = s.st.EntityOf(x.home)
		}
		parts[e] = append(parts[e], x.n)
	}
	holders, err := s.Holders(w, ids...)
	if err != nil {
		return err
	}
	for _, b := range branches {
		if b == store.HQNum || b == store.All || !slices.Contains(holders, b) {
			continue
		}
		for _, e := range []schema.EntityID{"", s.st.EntityOf(b)} {
			part := parts[e]
			if len(part) < 2 || e == "" && s.st.EntityOf(b) == "" && part == nil {
				continue
			}
			if err := s.tell(w, b, part[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Scope) tell(w *store.W, b int32, n int64) error {
	w.Touch(b)
	return s.upsert(w, []any{int64(b), int64(store.FeedGroup), n, int64(w.NextRev()), int64(0)})
}

// Untell has branches that were given a group under a member's id look again:
// the row shows no members when that one stands for no group any more.
func (s *Scope) Untell(w *store.W, n int64, branches []int32) error {
	for _, b := range branches {
		var one int
		found, err := w.Scan("SELECT 1 FROM feed WHERE branch = $1 AND what = $2 AND ref = $3", []any{b, store.FeedGroup, n}, &one)
		if err != nil {
			return err
		}
		if found {
			if err := s.tell(w, b, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// Holders are the branches that hold one of the subjects by themselves or by its group.
func (s *Scope) Holders(w *store.W, ids ...schema.RecordID) ([]int32, error) {
	var out []int32
	for _, id := range ids {
		x, err := s.subject(w, id)
		if err != nil {
			return nil, err
		}
		if out, err = s.holders(w, id, s.st.EntityOf(x.home), out); err != nil {
			return nil, err
		}
	}
	return out, nil
}
