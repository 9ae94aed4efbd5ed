package api

import (
	"cmp"
	stdsql "database/sql"
	"fmt"
	"slices"
	"time"

	"branchline/hq/find"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/edit"
	"branchline/sync/merge"
)

// maxActors bounds for how many changes of one record the author is looked up in their packs.
const maxActors = 24

// shower renders records within one snapshot for one caller.
type shower struct {
	*API
	r     *store.R
	roles []branchlinev1.Role
	who   map[schema.ChangeID]wrote
}

func (a *API) shower(r *store.R, c access.Caller) *shower {
	return &shower{API: a, r: r, roles: c.Roles, who: map[schema.ChangeID]wrote{}}
}

// record renders a record. whole adds who wrote each value, the group, and where
// its last change is. ErrNotFound for one the caller may not know of.
func (s *shower) record(rec *store.Rec, whole bool) (*branchlinev1.Record, error) {
	k := schema.KindOf(rec.Kind)
	st, err := merge.Decode(rec.State)
	if err != nil {
		return nil, fmt.Errorf("hq/api: record %s: %w", rec.ID, err)
	}
	out, err := edit.Show(k, st)
	if err != nil {
		return nil, fmt.Errorf("hq/api: record %s: %w", rec.ID, err)
	}
	if !access.Sees(out, s.roles) {
		return nil, fmt.Errorf("%s: %w", schema.ResourceName(rec.Kind, rec.ID), schema.ErrNotFound)
	}
	if err := s.dress(out, rec, st, whole); err != nil {
		return nil, err
	}
	return out, nil
}

// dress adds what does not stand in the state, and takes out what the caller may not see.
func (s *shower) dress(out *branchlinev1.Record, rec *store.Rec, st *merge.State, whole bool) error {
	out.Name = schema.ResourceName(rec.Kind, rec.ID)
	out.CreateTime = rec.ID.Time().UnixMilli()
	if h := s.c.Store.BranchNum(rec.Home); h != nil {
		out.Home = string(h.Code)
	}
	access.Strip(out, s.roles)
	if !whole {
		return nil
	}
	if err := s.actors(out); err != nil {
		return err
	}
	if rec.Grp != 0 && len(out.GetGroup()) == 0 {
		ids, err := find.GroupOf(s.r, rec.ID)
		if err != nil {
			return err
		}
		for _, id := range ids {
			out.Group = append(out.Group, schema.ResourceName(rec.Kind, id))
		}
	}
	last := st.Latest()
	if last.IsZero() {
		return nil
	}
	var err error
	out.Where, err = s.where(last.Change(), rec)
	return err
}

// golden is the view of a record's whole group, with the values stewards chose: the
// states of its members joined, each field read by its rule, each value naming its
// member (edit.Whole). That of a group has no etag: edits go to a member. whole is as
// for record.
func (s *shower) golden(rec *store.Rec, whole bool) (*branchlinev1.Record, error) {
	folds, err := foldsOf(s.r, []*store.Rec{rec})
	if err != nil {
		return nil, err
	}
	return s.view(rec, folds[rec.N], whole)
}

func (s *shower) view(rec *store.Rec, f *fold, whole bool) (*branchlinev1.Record, error) {
	if len(f.members) < 2 && len(f.pins) == 0 {
		return s.record(rec, whole)
	}
	members := make([]edit.Member, 0, len(f.members))
	for _, m := range f.members {
		st, err := merge.Decode(m.State)
		if err != nil {
			return nil, fmt.Errorf("hq/api: record %s: %w", m.ID, err)
		}
		members = append(members, edit.Member{Name: schema.ResourceName(m.Kind, m.ID), State: st})
	}
	all, err := edit.Gather(schema.KindOf(rec.Kind), members, f.pins)
	if err != nil {
		return nil, err
	}
	out, err := all.Show()
	if err != nil {
		return nil, fmt.Errorf("hq/api: group of %s: %w", rec.ID, err)
	}
	out.Etag = ""
	if len(members) < 2 {
		out.Etag = edit.Etag(schema.KindOf(rec.Kind), all.State())
	}
	return out, s.dress(out, rec, all.State(), whole)
}

// fold is what the view of a group is made of: its members by id, and the values chosen for any of them, as far as they
// are in force.
type fold struct {
	members []*store.Rec
	pins    []edit.Member
}

// foldsOf reads the groups of records, by the record's number. Those of many ask the database as often as that of one.
func foldsOf(r store.ListReader, recs []*store.Rec) (map[int64]*fold, error) {
	out := make(map[int64]*fold, len(recs))
	groups := map[int64]*fold{}
	var keys []any
	for _, rec := range recs {
		switch {
		case rec.Grp == 0:
			out[rec.N] = &fold{members: []*store.Rec{rec}}
		case groups[rec.Grp] == nil:
			groups[rec.Grp] = &fold{}
			keys = append(keys, rec.Grp)
		}
	}
	err := r.In("SELECT "+store.RecColumns+" FROM record WHERE grp", "ORDER BY id", keys, func(rows *stdsql.Rows) error {
		m, err := store.ScanRec(rows)
		if err == nil {
			groups[m.Grp].members = append(groups[m.Grp].members, m)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	of := map[schema.RecordID]*fold{} // a customer's
	var customers []schema.RecordID
	for _, rec := range recs {
		f := cmp.Or(groups[rec.Grp], out[rec.N])
		out[rec.N] = f
		for _, m := range f.members {
			if m.Kind == schema.Customer && of[m.ID] == nil {
				of[m.ID] = f
				customers = append(customers, m.ID)
			}
		}
	}
	return out, pinsOf(r, customers, of)
}

// pinsOf adds the values chosen for customers to their folds.
func pinsOf(r store.ListReader, customers []schema.RecordID, of map[schema.RecordID]*fold) error {
	return r.In(fmt.Sprintf("SELECT customer, id, state FROM record WHERE kind = %d AND retired = 0 AND customer", schema.Pin), "", store.IDs(customers), func(rows *stdsql.Rows) error {
		var customer, id, state []byte
		if err := rows.Scan(&customer, &id, &state); err != nil {
			return err
		}
		st, err := merge.Decode(state)
		if err != nil {
			return fmt.Errorf("hq/api: pin %x: %w", id, err)
		}
		f := of[schema.RecordID(customer)]
		f.pins = append(f.pins, edit.Member{Name: schema.ResourceName(schema.Pin, schema.RecordID(id)), State: st})
		return nil
	})
}

// actors adds the staff codes of who wrote the values shown.
func (s *shower) actors(out *branchlinev1.Record) error {
	for _, src := range out.GetSources() {
		id, err := schema.ParseChangeID(src.GetChange())
		if err != nil {
			return err
		}
		if _, known := s.who[id]; !known && len(s.who) >= maxActors {
			continue
		}
		x, err := s.wrote(id)
		if err != nil {
			return err
		}
		// Another change may stand under the id: the value came with another copy of its edit.
		if at := src.GetAt(); at == x.at || at == x.ruled {
			src.Actor = x.actor
		}
	}
	return nil
}

// wrote is who made a change, and when by the change itself or by HQ's ruling, unix ms.
type wrote struct {
	actor     string
	at, ruled int64
}

// actor is the staff code in a change; "" when HQ does not have it (any more).
func (s *shower) actor(id schema.ChangeID) (string, error) {
	x, err := s.wrote(id)
	return x.actor, err
}

func (s *shower) wrote(id schema.ChangeID) (wrote, error) {
	if x, ok := s.who[id]; ok {
		return x, nil
	}
	b, err := s.body(id)
	if err != nil {
		return wrote{}, err
	}
	ruled, _, err := store.RuledAt(s.r, id.Inc, id.Seq)
	if err != nil {
		return wrote{}, err
	}
	x := wrote{b.GetActor(), schema.Tick(b.GetAt()).UnixMilli(), ruled.UnixMilli()}
	s.who[id] = x
	return x, nil
}

// body reads a change out of the pack it came in; nil when HQ does not have it, or not readable.
func (s *shower) body(id schema.ChangeID) (*wirev1.ChangeBody, error) {
	l, err := store.LifeOf(s.r, id.Inc)
	if err != nil || l == nil || id.Seq > l.Watermark {
		return nil, err
	}
	changes, err := s.c.Store.Changes(s.r, id.Inc, id.Seq-1, 1)
	if err != nil || len(changes) == 0 || changes[0].ID.Seq != id.Seq || changes[0].Erased() {
		return nil, err
	}
	b, err := changes[0].Body()
	if err != nil {
		return nil, nil // what cannot be read is in quarantine, with its reason
	}
	return b, nil
}

// where tells how far a change has got; rec is its record, nil when it is not known.
func (s *shower) where(id schema.ChangeID, rec *store.Rec) (*branchlinev1.Where, error) {
	out := &branchlinev1.Where{State: branchlinev1.WhereState_COMMITTED, Outcome: branchlinev1.ChangeOutcome_CHANGE_APPLIED, Change: id.String()}
	var kind int32
	found, err := s.r.Scan("SELECT kind, reason FROM outcome WHERE inc = $1 AND seq = $2", []any{int64(id.Inc), int64(id.Seq)}, &kind, &out.Reason)
	if err != nil {
		return nil, err
	}
	if found {
		out.Outcome = branchlinev1.ChangeOutcome(kind)
	}
	if rec == nil {
		return out, nil
	}
	if out.Outcome != branchlinev1.ChangeOutcome_CHANGE_APPLIED && out.Outcome != branchlinev1.ChangeOutcome_CHANGE_OVERRIDDEN {
		return out, nil
	}
	// What is shown may have changed since the outcome was written down.
	if err := s.overridden(out, id, rec); err != nil {
		return nil, err
	}
	all, err := s.fed(rec)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if f.has && f.branch != id.Branch {
			out.Delivered = append(out.Delivered, string(f.branch))
		}
	}
	slices.Sort(out.Delivered)
	if len(out.Delivered) > 0 {
		out.State = branchlinev1.WhereState_DELIVERED
	}
	return out, nil
}

// overridden tells whether fields of an applied change are not shown at this moment, having lost to a later value.
func (s *shower) overridden(out *branchlinev1.Where, id schema.ChangeID, rec *store.Rec) error {
	k := schema.KindOf(rec.Kind)
	st, err := merge.Decode(rec.State)
	if err != nil {
		return fmt.Errorf("hq/api: record %s: %w", rec.ID, err)
	}
	edit := id
	if b, err := s.body(id); err != nil {
		return err
	} else if b != nil {
		edit = schema.StampOf(id, 0, b).Edit()
	}
	lost := st.Overridden(k, edit)
	if len(lost) == 0 {
		out.Outcome, out.Reason = branchlinev1.ChangeOutcome_CHANGE_APPLIED, ""
		return nil
	}
	out.Outcome, out.Reason = branchlinev1.ChangeOutcome_CHANGE_OVERRIDDEN, "a later value is shown"
	hide := access.HideFor(s.roles)
	for _, n := range lost {
		if f := k.FieldNumber(n); f != nil && !hide(f) {
			out.OverriddenFields = append(out.OverriddenFields, f.Name)
		}
	}
	return nil
}

// fed is one branch's row of the feed for a record.
type fed struct {
	branch schema.BranchID
	rev    schema.Rev
	has    bool // the branch has confirmed it
}

// fedQuery goes through the branches, which are some, and never through the feed, in which each has all its records:
// SQLite keeps the order of a CROSS JOIN.
const fedQuery = "SELECT branch, rev FROM feed WHERE branch = 0 AND what = $1 AND ref = $2 AND gone = 0 UNION ALL " +
	"SELECT b.num, f.rev FROM branch b CROSS JOIN feed f WHERE f.branch = b.num AND f.what = $1 AND f.ref = $2 AND f.gone = 0"

func (s *shower) fed(rec *store.Rec) ([]fed, error) {
	var out []fed
	err := s.r.Each(fedQuery,
		[]any{store.FeedRecord, rec.N}, func(rows *stdsql.Rows) error {
			var num int32
			var rev schema.Rev
			if err := rows.Scan(&num, &rev); err != nil {
				return err
			}
			if num == store.All {
				for _, b := range s.c.Store.Branches() {
					out = append(out, fed{b.Code, rev, b.Confirmed >= rev})
				}
				return nil
			}
			if b := s.c.Store.BranchNum(num); b != nil {
				out = append(out, fed{b.Code, rev, b.Confirmed >= rev})
			}
			return nil
		})
	return out, err
}

// millis is the millisecond of an effective time.
func millis(t uint64) int64 { return schema.Tick(t).UnixMilli() }

// pollEvery is how often a call that waits for a state looks again.
const pollEvery = 50 * time.Millisecond
