package feed

import (
	stdsql "database/sql"
	"fmt"
	"slices"

	"branchline/hq/store"
	"branchline/schema"
	"branchline/sync/merge"
)

// What follows from a change for other records than the one changed.

// follow looks after what hangs on an order: its lines go where it goes.
func (s *Scope) follow(w *store.W, c *Change) error {
	if !c.Rec.Order.IsZero() && !s.subjects[c.Rec.Order].known && !s.missing[c.Rec.Order] {
		s.missing[c.Rec.Order] = true
		if _, err := w.Exec("INSERT INTO missing (ord) VALUES ($1) ON CONFLICT DO NOTHING", c.Rec.Order[:]); err != nil {
			return err
		}
	}
	if c.Rec.Kind == schema.Customer || c.Rec.Kind == schema.Vehicle {
		if c.Old == nil && len(s.subjects[c.Rec.ID].holders) > 0 || c.Old != nil && c.Old.Home != c.Rec.Home {
			return s.settled(w, c)
		}
		return nil
	}
	if c.Rec.Kind != schema.ServiceOrder {
		return nil
	}
	late := s.missing[c.Rec.ID]
	if late {
		delete(s.missing, c.Rec.ID)
		if _, err := w.Exec("DELETE FROM missing WHERE ord = $1", c.Rec.ID[:]); err != nil {
			return err
		}
	}
	if !late && (c.Old == nil || sameSubjects(c.Old, c.Rec)) {
		return nil
	}
	var candidates []int32
	for _, r := range []*store.Rec{c.Rec, c.Old} {
		if r == nil {
			continue
		}
		t, err := s.Targets(w, r)
		if err != nil {
			return err
		}
		candidates = append(candidates, t...)
	}
	var lines []*store.Rec
	if err := eachRec(w, "ord = $1", []any{c.Rec.ID[:]}, func(r *store.Rec) { lines = append(lines, r) }); err != nil {
		return err
	}
	return s.Rescope(w, lines, candidates)
}

// authors are all that ever wrote in a record, whenever their changes came.
func (s *Scope) authors(w *store.W, c *Change) ([]int32, error) {
	out := slices.Clone(c.Authors)
	st, err := merge.Decode(c.Rec.State)
	if err != nil {
		return nil, fmt.Errorf("hq/feed: record %s: %w", c.Rec.ID, err)
	}
	for _, num := range st.Numbers() {
		for _, e := range st.Entries(num) {
			if b := s.st.Branch(e.Stamp.Branch); b != nil && !slices.Contains(out, b.Num) {
				out = append(out, b.Num)
			}
		}
	}
	// Who only handed it on left nothing in it.
	err = w.Each("SELECT DISTINCT branch FROM home WHERE record = $1 AND inc <> 0 ORDER BY branch", []any{c.Rec.ID[:]}, func(rows *stdsql.Rows) error {
		var b int32
		if err := rows.Scan(&b); err != nil {
			return fmt.Errorf("hq/feed: read homes: %w", err)
		}
		if !slices.Contains(out, b) {
			out = append(out, b)
		}
		return nil
	})
	return out, err
}

// settled looks after what hangs on a customer or vehicle that others named before
// it came, or whose home is another now: whose legal entity's it is, is known only
// now. With its home its group's other members are held by others too.
func (s *Scope) settled(w *store.W, c *Change) error {
	x, err := s.subject(w, c.Rec.ID)
	if err != nil {
		return err
	}
	candidates := append([]int32{c.Rec.Home}, x.holders...)
	ids := []schema.RecordID{c.Rec.ID}
	if c.Old != nil {
		candidates = append(candidates, c.Old.Home)
		if was := s.st.EntityOf(c.Old.Home); was != s.st.EntityOf(c.Rec.Home) {
			// Who held it through others of its group is of the legal entity that it leaves.
			for _, b := range s.st.Branches() {
				if b.Entity == was {
					candidates = append(candidates, b.Num)
				}
			}
		}
		if x.grp != 0 {
			if ids, err = s.group(w, x.grp); err != nil {
				return err
			}
		}
	}
	group, err := s.Holders(w, c.Rec.ID)
	if err != nil {
		return err
	}
	candidates = append(candidates, group...)
	if c.Old != nil && x.grp != 0 {
		if err := s.Tell(w, x.grp, candidates); err != nil {
			return err
		}
	}
	for _, id := range ids {
		recs, err := s.Dependents(w, id)
		if err != nil {
			return err
		}
		if err := s.Rescope(w, recs, candidates); err != nil {
			return err
		}
	}
	return nil
}

func eachRec(w *store.W, where string, args []any, f func(*store.Rec)) error {
	return w.Each("SELECT "+store.RecColumns+" FROM record WHERE "+where, args, func(rows *stdsql.Rows) error {
		r, err := store.ScanRec(rows)
		if err == nil {
			f(r)
		}
		return err
	})
}

// grant gives a branch what hangs on a subject it holds from now on, and its group.
func (s *Scope) grant(w *store.W, h hold) error {
	x, err := s.subject(w, h.subject)
	if err != nil {
		return err
	}
	ids := []schema.RecordID{h.subject}
	if x.known && x.grp != 0 {
		if ids, err = s.group(w, x.grp); err != nil {
			return err
		}
		if err := s.Tell(w, x.grp, []int32{h.branch}); err != nil {
			return err
		}
	}
	for _, id := range ids {
		recs, err := s.Dependents(w, id)
		if err != nil {
			return err
		}
		if err := s.Rescope(w, recs, []int32{h.branch}); err != nil {
			return err
		}
	}
	return nil
}

// Dependents are a customer or vehicle and every record that goes where it goes.
func (s *Scope) Dependents(w *store.W, id schema.RecordID) ([]*store.Rec, error) {
	var out []*store.Rec
	take := func(r *store.Rec) { out = append(out, r) }
	for _, where := range []string{"id = $1", "customer = $1", "vehicle = $1"} {
		if err := eachRec(w, where, []any{id[:]}, take); err != nil {
			return nil, err
		}
	}
	for _, r := range out {
		if r.Kind == schema.ServiceOrder {
			if err := eachRec(w, "ord = $1", []any{r.ID[:]}, take); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
