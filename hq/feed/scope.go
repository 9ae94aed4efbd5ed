package feed

import (
	stdsql "database/sql"
	"fmt"
	"slices"

	"branchline/hq/store"
	"branchline/schema"
)

// Why a branch holds a subject (a customer or a vehicle).
const (
	WroteIt = 1 // it wrote the subject
	NamedIt = 2 // it wrote a tie, order, note or reading that names the subject
	// Customers and vehicles kept in memory, and orders: their lines come right behind them.
	cacheSize  = 60000
	orderCache = 4096
)

// Scope decides who must know of a record (DESIGN §8) and writes the feed's
// rows for it. It is used inside writing transactions only, whose lock guards it.
//
// A branch holds a customer or vehicle by what it wrote, and what is grouped
// with it. A record goes to its home, to whoever holds it, its customer or its
// vehicle (of a line: its order's), and to everybody when its kind goes
// everywhere; to another legal entity only when its kind is shareable at all. What
// headquarters writes about a customer goes where the customer goes, a pin where the
// registration goes whose value it is.
type Scope struct {
	st       *store.Store
	subjects map[schema.RecordID]*subject
	orders   int                         // of them orders
	members  map[int64][]schema.RecordID // of a group, by its grp
	missing  map[schema.RecordID]bool    // orders that records name and HQ does not have
	loaded   bool
}

// subject is a customer, a vehicle or an order as the scope needs it.
type subject struct {
	known             bool
	n                 int64
	kind              schema.Kind
	home              int32
	grp               int64
	customer, vehicle schema.RecordID // of an order
	holders           []int32         // by what they wrote; the home is not among them
}

// NewScope makes the scope of a store.
func NewScope(st *store.Store) *Scope {
	s := &Scope{st: st}
	s.Reset()
	st.OnReset(s.Reset)
	return s
}

// Reset forgets everything kept in memory, after a roll-back to a savepoint.
func (s *Scope) Reset() {
	s.subjects, s.orders = map[schema.RecordID]*subject{}, 0
	s.members = map[int64][]schema.RecordID{}
	s.missing, s.loaded = map[schema.RecordID]bool{}, false
}

// Regrouped forgets what was kept of groups.
func (s *Scope) Regrouped(ids ...schema.RecordID) {
	clear(s.members)
	for _, id := range ids {
		delete(s.subjects, id)
	}
}

// Change is one record written in a transaction.
type Change struct {
	Rec *store.Rec
	Old *store.Rec // as it was before; nil when new
	// Authors wrote it in this transaction. Tell are those of them who must be
	// told nevertheless: a field lost, a time was ruled.
	Authors, Tell []int32
	// Revive: the row goes to those entitled even if nothing of the record changed.
	Revive bool
}

// hold is a branch that holds a subject from now on.
type hold struct {
	subject schema.RecordID
	branch  int32
}

// Write gives every changed record's feed rows their revs: the record's own rev
// is the one its rows bear. Holds and grants that follow from the changes are
// written with them. Record rows themselves are the caller's.
func (s *Scope) Write(w *store.W, changes []*Change) error {
	if err := s.ready(w, changes); err != nil {
		return err
	}
	fresh, err := s.holds(w, changes)
	if err != nil {
		return err
	}
	var rows []any
	for _, c := range changes {
		rows, err = s.rows(w, rows, c)
		if err != nil {
			return err
		}
	}
	if err := s.upsert(w, rows); err != nil {
		return err
	}
	for _, c := range changes {
		if err := s.follow(w, c); err != nil {
			return err
		}
	}
	for _, h := range fresh {
		if err := s.grant(w, h); err != nil {
			return err
		}
	}
	return nil
}

// ready loads what is not in memory of every subject the changes touch.
func (s *Scope) ready(w *store.W, changes []*Change) error {
	if len(s.subjects)-s.orders > cacheSize {
		clear(s.subjects)
		clear(s.members)
		s.orders = 0
	}
	if s.orders > orderCache {
		for id, x := range s.subjects {
			if x.known && x.kind == schema.ServiceOrder {
				delete(s.subjects, id)
			}
		}
		s.orders = 0
	}
	if !s.loaded {
		if err := w.Each("SELECT ord FROM missing", nil, func(rows *stdsql.Rows) error {
			var b []byte
			if err := rows.Scan(&b); err != nil {
				return fmt.Errorf("hq/feed: read missing orders: %w", err)
			}
			s.missing[schema.RecordID(b)] = true
			return nil
		}); err != nil {
			return err
		}
		s.loaded = true
	}
	var own, named []schema.RecordID
	for _, c := range changes {
		if isSubject(c.Rec.Kind) {
			if s.subjects[c.Rec.ID] == nil {
				own = append(own, c.Rec.ID)
			}
			s.put(c.Rec)
		}
	}
	// The records of own are known from the change; only who holds them is not.
	if err := s.loadHolders(w, slices.DeleteFunc(own, func(id schema.RecordID) bool { return s.subjects[id].kind == schema.ServiceOrder })); err != nil {
		return err
	}
	for _, c := range changes {
		for _, r := range []*store.Rec{c.Rec, c.Old} {
			if r == nil {
				continue
			}
			for _, id := range []schema.RecordID{r.Customer, r.Vehicle, r.Order} {
				if !id.IsZero() && s.subjects[id] == nil {
					named = append(named, id)
				}
			}
		}
	}
	if err := s.load(w, named); err != nil {
		return err
	}
	// An order's own customer and vehicle decide about its lines.
	named = named[:0]
	for _, c := range changes {
		if o := s.subjects[c.Rec.Order]; o != nil {
			for _, id := range []schema.RecordID{o.customer, o.vehicle} {
				if !id.IsZero() && s.subjects[id] == nil {
					named = append(named, id)
				}
			}
		}
	}
	return s.load(w, named)
}

func isSubject(k schema.Kind) bool {
	return k == schema.Customer || k == schema.Vehicle || k == schema.ServiceOrder
}

func (s *Scope) put(r *store.Rec) {
	x := s.subjects[r.ID]
	if x == nil {
		x = &subject{}
		s.subjects[r.ID] = x
		if r.Kind == schema.ServiceOrder {
			s.orders++
		}
	}
	x.known, x.n, x.kind, x.home, x.grp, x.customer, x.vehicle = true, r.N, r.Kind, r.Home, r.Grp, r.Customer, r.Vehicle
}

func (s *Scope) load(w *store.W, ids []schema.RecordID) error {
	if len(ids) == 0 {
		return nil
	}
	slices.SortFunc(ids, func(a, b schema.RecordID) int { return slices.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	keys := make([]any, len(ids))
	for i := range ids {
		keys[i] = ids[i][:]
		s.subjects[ids[i]] = &subject{}
	}
	err := w.In("SELECT id, n, kind, home, grp, customer, vehicle FROM record WHERE id", "", keys, func(rows *stdsql.Rows) error {
		var id, c, v []byte
		var grp stdsql.NullInt64
		x := &subject{known: true}
		if err := rows.Scan(&id, &x.n, &x.kind, &x.home, &grp, &c, &v); err != nil {
			return fmt.Errorf("hq/feed: read subject: %w", err)
		}
		x.grp = grp.Int64
		copy(x.customer[:], c)
		copy(x.vehicle[:], v)
		s.subjects[schema.RecordID(id)] = x
		return nil
	})
	if err != nil {
		return err
	}
	return s.loadHolders(w, ids)
}

func (s *Scope) loadHolders(w *store.W, ids []schema.RecordID) error {
	keys := make([]any, len(ids))
	for i := range ids {
		keys[i] = ids[i][:]
	}
	return w.In("SELECT subject, branch FROM hold WHERE subject", "", keys, func(rows *stdsql.Rows) error {
		var id []byte
		var b int32
		if err := rows.Scan(&id, &b); err != nil {
			return fmt.Errorf("hq/feed: read holds: %w", err)
		}
		x := s.subjects[schema.RecordID(id)]
		x.holders = append(x.holders, b)
		return nil
	})
}

func (s *Scope) subject(w *store.W, id schema.RecordID) (*subject, error) {
	if x := s.subjects[id]; x != nil {
		return x, nil
	}
	if err := s.load(w, []schema.RecordID{id}); err != nil {
		return nil, err
	}
	return s.subjects[id], nil
}

// holds notes who holds what by these changes and writes down what is new.
func (s *Scope) holds(w *store.W, changes []*Change) ([]hold, error) {
	var fresh []hold
	var rows []any
	add := func(id schema.RecordID, b int32, why int) {
		if id.IsZero() || b == store.HQNum {
			return
		}
		x := s.subjects[id]
		// The home holds it by that.
		if x.known && x.home == b || slices.Contains(x.holders, b) {
			return
		}
		x.holders = append(x.holders, b)
		fresh = append(fresh, hold{id, b})
		rows = append(rows, id[:], int64(b), int64(why))
	}
	for _, c := range changes {
		k := c.Rec.Kind
		authors := c.Authors
		if c.Old != nil && (c.Old.Customer != c.Rec.Customer || c.Old.Vehicle != c.Rec.Vehicle) {
			// Whom it names was not known when others wrote in it.
			var err error
			if authors, err = s.authors(w, c); err != nil {
				return nil, err
			}
		}
		for _, b := range authors {
			if k == schema.Customer || k == schema.Vehicle {
				add(c.Rec.ID, b, WroteIt)
			}
			add(c.Rec.Customer, b, NamedIt)
			add(c.Rec.Vehicle, b, NamedIt)
		}
		if c.Old != nil && c.Old.Home != c.Rec.Home && (k == schema.Customer || k == schema.Vehicle) {
			// It held the subject as its home, which needs no row.
			add(c.Rec.ID, c.Old.Home, WroteIt)
		}
	}
	_, err := w.Insert("INSERT INTO hold (subject, branch, why)", "ON CONFLICT DO NOTHING", 3, rows)
	return fresh, err
}

// holders adds the branches that hold a subject, its group included. For a
// customer they are of the subject's own legal entity.
func (s *Scope) holders(w *store.W, id schema.RecordID, of schema.EntityID, out []int32) ([]int32, error) {
	if id.IsZero() {
		return out, nil
	}
	x, err := s.subject(w, id)
	if err != nil {
		return nil, err
	}
	if !x.known || x.grp == 0 {
		return s.direct(x, of, out), nil
	}
	ids, err := s.group(w, x.grp)
	if err != nil {
		return nil, err
	}
	if err := s.load(w, slices.DeleteFunc(slices.Clone(ids), func(id schema.RecordID) bool { return s.subjects[id] != nil })); err != nil {
		return nil, err
	}
	for _, m := range ids {
		y := s.subjects[m]
		if x.kind == schema.Customer && s.st.EntityOf(y.home) != s.st.EntityOf(x.home) {
			continue
		}
		out = s.direct(y, of, out)
	}
	return out, nil
}

func (s *Scope) direct(x *subject, of schema.EntityID, out []int32) []int32 {
	take := func(b int32) {
		if b == store.HQNum || slices.Contains(out, b) {
			return
		}
		switch {
		case !x.known:
			// Nobody knows yet whose customer it is: only those who may see all of the record.
			if s.st.EntityOf(b) != of {
				return
			}
		case x.kind == schema.Customer && s.st.EntityOf(b) != s.st.EntityOf(x.home):
			return
		}
		out = append(out, b)
	}
	if x.known {
		take(x.home)
	}
	for _, b := range x.holders {
		take(b)
	}
	return out
}

func (s *Scope) group(w *store.W, grp int64) ([]schema.RecordID, error) {
	if ids, ok := s.members[grp]; ok {
		return ids, nil
	}
	ids := []schema.RecordID{}
	err := w.Each("SELECT id FROM record WHERE grp = $1 ORDER BY id", []any{grp}, func(rows *stdsql.Rows) error {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return fmt.Errorf("hq/feed: read group: %w", err)
		}
		ids = append(ids, schema.RecordID(b))
		return nil
	})
	s.members[grp] = ids
	return ids, err
}

// Targets are the branches that must know of a record: {store.All} for a kind
// that goes everywhere.
func (s *Scope) Targets(w *store.W, r *store.Rec) ([]int32, error) {
	k := schema.KindOf(r.Kind)
	if k == nil {
		return nil, nil
	}
	if k.Everywhere {
		return []int32{store.All}, nil
	}
	of := s.st.EntityOf(r.Home)
	if r.Kind == schema.Pin || r.Home == store.HQNum && !r.Customer.IsZero() && r.Kind != schema.Customer {
		// It is about one registration, and made at headquarters: it goes where that one goes and no further.
		m, err := s.subject(w, r.Customer)
		if err != nil {
			return nil, err
		}
		if !m.known {
			return nil, nil
		}
		of = s.st.EntityOf(m.home)
	}
	out := make([]int32, 0, 4)
	if r.Home != store.HQNum {
		out = append(out, r.Home)
	}
	var err error
	ids := [...]schema.RecordID{r.Customer, r.Vehicle, {}, {}, {}}
	if r.Kind == schema.Customer || r.Kind == schema.Vehicle {
		ids[2] = r.ID
	}
	if !r.Order.IsZero() {
		o, err := s.subject(w, r.Order)
		if err != nil {
			return nil, err
		}
		if o.known {
			if o.home != store.HQNum && !slices.Contains(out, o.home) {
				out = append(out, o.home)
			}
			ids[3], ids[4] = o.customer, o.vehicle
		}
	}
	for _, id := range ids {
		if out, err = s.holders(w, id, of, out); err != nil {
			return nil, err
		}
	}
	if !store.Shareable(k) {
		out = slices.DeleteFunc(out, func(b int32) bool { return s.st.EntityOf(b) != of })
	}
	return out, nil
}

// rows appends the feed rows of one changed record.
func (s *Scope) rows(w *store.W, rows []any, c *Change) ([]any, error) {
	targets, err := s.Targets(w, c.Rec)
	if err != nil {
		return nil, err
	}
	for _, b := range targets {
		// A move of the home is told to who made it as well: a row of before may have come to it since.
		if s.onlyBy(c, b) && (c.Old == nil || c.Old.Home == c.Rec.Home) {
			// Its own edit a branch has already; of what others wrote before, only what
			// it was its home at, or was given.
			if b == c.Rec.Home {
				continue
			}
			if c.Old != nil {
				has, err := s.has(w, b, c.Rec.N)
				if err != nil {
					return nil, err
				}
				if has {
					continue
				}
			}
		}
		rows = append(rows, int64(b), int64(store.FeedRecord), c.Rec.N, int64(c.Rec.Rev), int64(0))
		w.Touch(b)
	}
	// Who wrote it has it, whether it was ever fed to it or not.
	before := c.Authors
	if c.Old != nil && !sameSubjects(c.Old, c.Rec) {
		had, err := s.Targets(w, c.Old)
		if err != nil {
			return nil, err
		}
		before = slices.Concat(before, had)
	}
	for i, b := range before {
		if b != store.HQNum && !slices.Contains(targets, b) && !slices.Contains(targets, store.All) && !slices.Contains(before[:i], b) {
			rows = append(rows, int64(b), int64(store.FeedRecord), c.Rec.N, int64(c.Rec.Rev), int64(1))
			w.Touch(b)
		}
	}
	return rows, nil
}

func sameSubjects(a, b *store.Rec) bool {
	return a.Customer == b.Customer && a.Vehicle == b.Vehicle && a.Order == b.Order && a.Home == b.Home
}

func (s *Scope) onlyBy(c *Change, b int32) bool {
	return !c.Revive && len(c.Authors) == 1 && c.Authors[0] == b && !slices.Contains(c.Tell, b)
}

func (s *Scope) has(w *store.W, b int32, n int64) (bool, error) {
	var gone int
	found, err := w.Scan("SELECT gone FROM feed WHERE branch = $1 AND what = $2 AND ref = $3", []any{b, store.FeedRecord, n}, &gone)
	return found && gone == 0, err
}

func (s *Scope) upsert(w *store.W, rows []any) error {
	_, err := w.Insert("INSERT INTO feed (branch, what, ref, rev, gone)",
		"ON CONFLICT (branch, what, ref) DO UPDATE SET rev = excluded.rev, gone = excluded.gone", 5, rows)
	return err
}

// Rescope makes the feeds of the candidates agree with their scope, for the
// given records: what is missing is granted, what is too much is purged.
func (s *Scope) Rescope(w *store.W, recs []*store.Rec, candidates []int32) error {
	candidates = slices.Clone(candidates)
	slices.Sort(candidates)
	candidates = slices.Compact(candidates)
	seen := map[int64]bool{}
	for _, r := range recs {
		if seen[r.N] {
			continue
		}
		seen[r.N] = true
		targets, err := s.Targets(w, r)
		if err != nil {
			return err
		}
		for _, b := range candidates {
			if b == store.All || b == store.HQNum {
				continue
			}
			entitled := slices.Contains(targets, b)
			if entitled && b == r.Home {
				continue
			}
			has, err := s.has(w, b, r.N)
			if err != nil {
				return err
			}
			if entitled == has {
				continue
			}
			gone := int64(1)
			if entitled {
				gone = 0
			}
			if err := s.upsert(w, []any{int64(b), int64(store.FeedRecord), r.N, int64(w.NextRev()), gone}); err != nil {
				return err
			}
			w.Touch(b)
		}
	}
	return nil
}

// Outcome puts an outcome into its author's feed.
func (s *Scope) Outcome(w *store.W, branch int32, n int64) error {
	if branch == store.HQNum {
		return nil
	}
	w.Touch(branch)
	return s.upsert(w, []any{int64(branch), int64(store.FeedOutcome), n, int64(w.NextRev()), int64(0)})
}

// Again puts a record into a branch's feed though it may have it.
func (s *Scope) Again(w *store.W, branch int32, n int64) error {
	if branch == store.HQNum {
		return nil
	}
	w.Touch(branch)
	return s.upsert(w, []any{int64(branch), int64(store.FeedRecord), n, int64(w.NextRev()), int64(0)})
}
