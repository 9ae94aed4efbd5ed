package sim

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// A party that the auditor looks at: it holds and says what the test wants.
type shown struct {
	Branch
	held    []Held
	log     []Logged
	outcome []*wirev1.Outcome
	line    Line
	epoch   schema.EpochID
	rev     schema.Rev
}

func (s *shown) Held() ([]Held, error)                       { return s.held, nil }
func (s *shown) Log() ([]Logged, error)                      { return s.log, nil }
func (s *shown) Outcomes() ([]*wirev1.Outcome, error)        { return s.outcome, nil }
func (s *shown) Line() Line                                  { return s.line }
func (s *shown) Cursor() (schema.EpochID, schema.Rev, error) { return s.epoch, s.rev, nil }

func (s *shown) HeldOne(id schema.RecordID) (Held, bool, error) {
	for _, h := range s.held {
		if h.ID == id {
			return h, true, nil
		}
	}
	return Held{}, false, nil
}

func (s *shown) Get(id schema.RecordID) (*branchlinev1.Record, error) {
	h, ok, err := s.HeldOne(id)
	if err != nil || !ok {
		return nil, schema.ErrNotFound
	}
	st, err := merge.Decode(h.State)
	if err != nil {
		return nil, err
	}
	m, err := st.Message(schema.KindOf(h.Kind))
	if err != nil {
		return nil, err
	}
	r := new(branchlinev1.Record)
	return r, schema.SetBody(r, m)
}

// group is a world of two legal entities at rest: aa and bb are of one, cc is of
// the other; aa made a customer and a car.
type group struct {
	w              *World
	books          *Books
	list           []stored
	customer, car  schema.RecordID
	cState, vState []byte
}

func newGroup(t *testing.T) *group {
	t.Helper()
	g := &group{w: world(7), customer: schema.RecordID{1}, car: schema.RecordID{2}}
	c := &chain{t: t, branch: "aa", inc: 5}
	body := func(at uint64, k schema.Kind, id schema.RecordID, m proto.Message) *wirev1.ChangeBody {
		raw, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return &wirev1.ChangeBody{At: at, Kind: uint32(k), Record: id[:], Values: raw, Create: true}
	}
	bc := body(1, schema.Customer, g.customer, &branchlinev1.Customer{Name: proto.String("Wang")})
	bv := body(2, schema.Vehicle, g.car, &branchlinev1.Vehicle{Vin: proto.String("LSV1"), Remark: proto.String("seen at home only")})
	s1, s2 := c.add(bc), c.add(bv)
	g.list = []stored{s1, s2}
	state := func(s stored, b *wirev1.ChangeBody) []byte {
		st, err := merge.FromChange(schema.Stamp{At: schema.Tick(b.GetAt()), Branch: s.ID.Branch, Inc: s.ID.Inc, Seq: s.ID.Seq}, b)
		if err != nil {
			t.Fatal(err)
		}
		return st.Encode()
	}
	g.cState, g.vState = state(s1, bc), state(s2, bv)
	g.books = &Books{
		Lives:    []BookLife{{Branch: "aa", Inc: 5, Watermark: 2, Chain: s2.Chain}},
		Records:  []BookRecord{{g.customer, schema.Customer, "aa", g.cState, 0}, {g.car, schema.Vehicle, "aa", g.vState, 0}},
		Entities: map[schema.BranchID]schema.EntityID{"aa": "east", "bb": "east", "cc": "west"},
	}
	for i, s := range g.list {
		id := []schema.RecordID{g.customer, g.car}[i]
		g.w.audit.order = append(g.w.audit.order, &edit{branch: "aa", machine: "aa", id: s.ID, chain: s.Chain, record: id, kind: []schema.Kind{schema.Customer, schema.Vehicle}[i]})
	}
	for _, b := range []schema.BranchID{"aa", "bb", "cc"} {
		g.w.machines = append(g.w.machines, &machine{w: g.w, name: string(b), code: b, proc: &shown{}})
	}
	g.party("aa").held = []Held{{ID: g.customer, Kind: schema.Customer, Home: "aa", State: g.cState}, {ID: g.car, Kind: schema.Vehicle, Home: "aa", State: g.vState}}
	return g
}

func (g *group) party(b schema.BranchID) *shown { return g.w.original(b).proc.(*shown) }

func (g *group) audit() string {
	g.w.gapless(g.books, g.list)
	g.w.once(g.list)
	g.w.converged(g.books, g.books.counting(g.list))
	g.w.scopes(g.books, g.books.counting(g.list))
	g.w.signedBySelf(g.books)
	if g.w.failed == nil {
		return ""
	}
	return g.w.failed.Invariant
}

// What is wrong with the world, and the invariant that says so.
func TestAudit_SeesWhatIsWrong(t *testing.T) {
	for _, row := range []struct {
		name string
		want string
		harm func(*group)
	}{
		{"nothing", "", func(*group) {}},
		{"an edit is not there", "I1", func(g *group) {
			g.w.audit.order = append(g.w.audit.order, &edit{machine: "bb", chain: schema.Hash{1}, kind: schema.Customer})
		}},
		{"an edit that no disk has", "", func(g *group) {
			g.w.audit.order = append(g.w.audit.order, &edit{machine: "bb", chain: schema.Hash{1}, kind: schema.Customer, excused: true})
		}},
		{"a gap", "I2", func(g *group) { g.list = g.list[1:] }},
		{"a watermark beyond the packs", "I2", func(g *group) { g.books.Lives[0].Watermark++ }},
		{"two outcomes", "I2", func(g *group) {
			o := BookOutcome{Branch: "aa", Inc: 5, Seq: 1, Kind: wirev1.OutcomeKind_OVERRIDDEN}
			g.books.Outcomes = []BookOutcome{o, o}
		}},
		{"a good edit quarantined", "I2", func(g *group) {
			g.books.Outcomes = []BookOutcome{{Branch: "aa", Inc: 5, Seq: 1, Kind: wirev1.OutcomeKind_QUARANTINED}}
		}},
		{"HQ lost a value", "I3", func(g *group) { g.books.Records[0].State = nil }},
		{"HQ lost a record", "I3", func(g *group) { g.books.Records = g.books.Records[:1] }},
		{"a branch lacks a record", "I4", func(g *group) { p := g.party("aa"); p.held = p.held[:1] }},
		{"a branch holds another state", "I4", func(g *group) { g.party("aa").held[1].State = g.cState }},
		{"a car out of scope", "I4", func(g *group) { g.party("bb").held = g.party("aa").held[1:] }},
		{"a person out of scope", "I7", func(g *group) { g.party("bb").held = g.party("aa").held[:1] }},
		{"a person at another legal entity", "I7", func(g *group) { g.party("cc").held = g.party("aa").held[:1] }},
		{"a pack nobody sent", "I6", func(g *group) { g.books.Packs = []BookPack{{Branch: "aa", Inc: 5, Raw: []byte("x")}} }},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGroup(t)
			row.harm(g)
			if got := g.audit(); got != row.want {
				t.Errorf("breaks %q, want %q: %v", got, row.want, g.w.failed)
			}
		})
	}
}

func TestAudit_SharedIsStripped(t *testing.T) {
	g := newGroup(t)
	// cc made the same car: it holds aa's, less what only aa's legal entity may see.
	g.books.Records = append(g.books.Records, BookRecord{schema.RecordID{3}, schema.Vehicle, "cc", g.vState, 0})
	st, err := merge.Decode(g.vState)
	if err != nil {
		t.Fatal(err)
	}
	less := st.Share(schema.KindOf(schema.Vehicle)).Encode()
	g.party("cc").held = []Held{
		{ID: g.car, Kind: schema.Vehicle, Home: "aa", Shared: true, State: less},
		{ID: schema.RecordID{3}, Kind: schema.Vehicle, Home: "cc", State: g.vState},
	}
	g.party("aa").held = append(g.party("aa").held, Held{ID: schema.RecordID{3}, Kind: schema.Vehicle, Home: "cc", Shared: true, State: less})
	g.w.scopes(g.books, g.list)
	if g.w.failed != nil {
		t.Fatal(g.w.failed)
	}
	g.party("cc").held[0].State = g.vState
	g.w.scopes(g.books, g.list)
	if g.w.failed == nil || g.w.failed.Invariant != "I4" {
		t.Fatalf("the whole car at another legal entity: %v", g.w.failed)
	}
}

func TestAudit_PageShowsOwnEdits(t *testing.T) {
	g := newGroup(t)
	m, p := g.w.original("aa"), g.party("aa")
	p.log = []Logged{{Sealed: g.list[0].Sealed, At: 1, Record: g.customer}}
	g.w.audit.page(g.w, m, g.customer)
	if g.w.failed != nil {
		t.Fatal(g.w.failed)
	}
	p.held[0].State = nil
	g.w.audit.page(g.w, m, g.customer)
	if g.w.failed == nil || g.w.failed.Invariant != "I11" {
		t.Fatalf("an edit vanished: %v", g.w.failed)
	}
	g.w.failed = nil
	p.held = nil
	g.w.audit.page(g.w, m, g.customer)
	if g.w.failed == nil || g.w.failed.Invariant != "I11" {
		t.Fatalf("a record vanished: %v", g.w.failed)
	}
	g.w.failed = nil
	p.outcome = []*wirev1.Outcome{{Incarnation: 5, Seq: 1, Kind: wirev1.OutcomeKind_REFUSED_CHANGE}}
	g.w.audit.page(g.w, m, g.customer)
	if g.w.failed != nil {
		t.Fatalf("a refused edit may go: %v", g.w.failed)
	}
}

func TestAudit_CursorsGoForward(t *testing.T) {
	g := newGroup(t)
	m, p := g.w.original("aa"), g.party("aa")
	step := func(inc schema.Incarnation, epoch schema.EpochID, rev schema.Rev) string {
		p.line.Incarnation, p.epoch, p.rev = inc, epoch, rev
		g.w.failed = nil
		g.w.audit.cursor(m)
		if g.w.failed == nil {
			return ""
		}
		return g.w.failed.Invariant
	}
	for i, row := range []struct {
		inc   schema.Incarnation
		epoch schema.EpochID
		rev   schema.Rev
		want  string
	}{{5, 1, 10, ""}, {5, 1, 12, ""}, {5, 2, 3, ""}, {5, 2, 2, "I8"}, {6, 2, 0, ""}} {
		if got := step(row.inc, row.epoch, row.rev); got != row.want {
			t.Errorf("step %d breaks %q, want %q", i, got, row.want)
		}
	}
}
