package store

import (
	"bytes"
	"context"
	"errors"
	"math/rand"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/edit"
	"branchline/sync/merge"
)

// bench is a branch's store with a clock of its own.
type bench struct {
	*Store
	t   testing.TB
	dir string
	now time.Time
}

func (b *bench) clock() time.Time { b.now = b.now.Add(time.Millisecond); return b.now }

func openAt(t testing.TB, dir, branch string, inc int64) *bench {
	t.Helper()
	b := &bench{t: t, dir: dir, now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	s, err := Open(t.Context(), Config{Dir: dir, Now: b.clock, Rand: rand.New(rand.NewSource(inc))})
	if err != nil {
		t.Fatal(err)
	}
	b.Store = s
	t.Cleanup(func() {
		if err := b.Store.Close(); err != nil {
			t.Error(err)
		}
	})
	if branch != "" {
		err := s.Enrol(t.Context(), Enrolment{
			Identity:    Identity{Branch: schema.BranchID(branch), Entity: "e1", Seed: []byte("SEED"), Link: "127.0.0.1:7480", HQKey: "KEY", IDKey: []byte("id-key")},
			Incarnation: schema.Incarnation(inc), Certificate: []byte("cert"), Epoch: 7,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func open(t testing.TB, branch string, inc int64) *bench { return openAt(t, t.TempDir(), branch, inc) }

func (b *bench) put(e Edit) Result {
	b.t.Helper()
	if e.Kind == 0 {
		e.Kind = schema.KindOfMessage(e.Message).Kind
	}
	if e.Actor == "" {
		e.Actor, e.Role = "li", branchlinev1.Role_ROLE_CLERK
	}
	r, err := b.Store.Put(context.Background(), e)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) get(id schema.RecordID) *branchlinev1.Record {
	b.t.Helper()
	r, err := b.Get(context.Background(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func customer(name string, phones ...string) *branchlinev1.Customer {
	c := &branchlinev1.Customer{Name: &name}
	for _, p := range phones {
		c.Phones = append(c.Phones, &branchlinev1.Phone{Number: proto.String(p)})
	}
	return c
}

// state is a record as another site's change makes it.
func foreignState(t testing.TB, branch string, inc, seq int64, at time.Time, m proto.Message) []byte {
	t.Helper()
	v, err := edit.Create(schema.KindOfMessage(m), m)
	if err != nil {
		t.Fatal(err)
	}
	enc, ok := merge.EncodeFresh(schema.Stamp{At: schema.TickAt(at), Branch: schema.BranchID(branch), Inc: schema.Incarnation(inc), Seq: schema.Seq(seq)}, &wirev1.ChangeBody{Values: v})
	if !ok {
		t.Fatal("not fresh")
	}
	return enc
}

func (b *bench) mint() schema.RecordID {
	b.t.Helper()
	id, err := b.MintID()
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func (b *bench) marks(watermark int64) []*wirev1.Mark {
	b.t.Helper()
	lives, err := b.Lives(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return []*wirev1.Mark{{Branch: "pd", Incarnation: lives[0].Incarnation, Watermark: watermark}}
}

func (b *bench) page(p *wirev1.Page) {
	b.t.Helper()
	if p.Epoch == 0 {
		p.Epoch = 7
	}
	if err := b.ApplyPage(context.Background(), p); err != nil {
		b.t.Fatal(err)
	}
}

func recordRow(rev int64, id schema.RecordID, k schema.Kind, home string, state []byte) *wirev1.Row {
	return &wirev1.Row{Row: wirev1.RowKind_RECORD, Rev: rev, Kind: uint32(k), Record: id[:], State: state, Home: home}
}

func TestPut_CreateGetReopen(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, dir, "pd", 11)
	res := b.put(Edit{Message: customer("王小明", "138 1234 5678")})
	r := b.get(res.ID)
	if made, err := res.Record(); err != nil || !proto.Equal(made, r) {
		t.Fatalf("made %v %v, got %v", made, err, r)
	}
	if r.GetCustomer().GetName() != "王小明" || r.GetHome() != "pd" || r.GetEtag() == "" {
		t.Fatalf("got %v", r)
	}
	if r.GetWhere().GetState() != branchlinev1.WhereState_SAVED || r.GetSources()[0].GetActor() != "li" {
		t.Fatalf("where %v, sources %v", r.GetWhere(), r.GetSources())
	}
	if err := b.Store.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Dir: dir, Now: b.clock, Rand: rand.New(rand.NewSource(5))})
	if err != nil {
		t.Fatal(err)
	}
	b.Store = s
	if again := b.get(res.ID); !proto.Equal(again, r) {
		t.Fatalf("after reopening: %v\nbefore: %v", again, r)
	}
	res2 := b.put(Edit{Message: customer("李四")})
	if res2.Change.Seq != 2 {
		t.Fatalf("seq %d after reopening", res2.Change.Seq)
	}
	before, out, err := b.Outgoing(t.Context(), 11, 0, 10, 1<<20)
	if err != nil || len(out) != 2 || !before.IsZero() {
		t.Fatalf("outgoing %d %v", len(out), err)
	}
	if schema.NextChain(schema.NextChain(schema.Hash{}, schema.HashPayload(out[0].Salt, out[0].Payload)), schema.HashPayload(out[1].Salt, out[1].Payload)) != out[1].Chain {
		t.Fatal("the chain does not verify")
	}
}

func TestPut_RefusedBeforeEnrolment(t *testing.T) {
	b := open(t, "", 1)
	_, err := b.Put(t.Context(), Edit{Kind: schema.Customer, Message: customer("王"), Actor: "li", Role: branchlinev1.Role_ROLE_CLERK})
	if !errors.Is(err, schema.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
}

func TestPut_TwoDesksConflict(t *testing.T) {
	b := open(t, "pd", 11)
	id := b.put(Edit{Message: customer("王小明", "13812345678")}).ID
	desk1, desk2 := b.get(id), b.get(id)
	b.put(Edit{ID: id, Message: customer("王晓明"), Mask: []string{"name"}, Etag: desk1.GetEtag(), Actor: "zhang", Role: branchlinev1.Role_ROLE_CLERK})
	// Another field of the old page is no conflict.
	b.put(Edit{ID: id, Message: &branchlinev1.Customer{Remark: proto.String("VIP")}, Mask: []string{"remark"}, Etag: desk2.GetEtag()})
	_, err := b.Put(t.Context(), Edit{Kind: schema.Customer, ID: id, Message: customer("王小民"), Mask: []string{"name", "remark"}, Etag: desk2.GetEtag(), Actor: "li", Role: branchlinev1.Role_ROLE_CLERK})
	var ce *edit.ConflictError
	if !errors.As(err, &ce) || !errors.Is(err, schema.ErrConflict) || len(ce.Fields) != 2 {
		t.Fatalf("got %v", err)
	}
	if f := ce.Fields[0]; f.Field != "name" || f.Yours != `"王小民"` || f.Theirs != `"王晓明"` {
		t.Fatalf("conflict %+v", f)
	}
	if who, err := b.Actor(t.Context(), ce.Fields[0].Stamp.Change()); err != nil || who != "zhang" {
		t.Fatalf("who %q %v", who, err)
	}
	if r := b.get(id); r.GetCustomer().GetName() != "王晓明" || r.GetCustomer().GetRemark() != "VIP" || len(r.GetCustomer().GetPhones()) != 1 {
		t.Fatalf("after the conflict: %v", r.GetCustomer())
	}
	// The same value again is no change.
	before, _ := b.Line(t.Context())
	res := b.put(Edit{ID: id, Message: customer("王晓明"), Mask: []string{"name"}, Etag: desk1.GetEtag()})
	after, _ := b.Line(t.Context())
	if !res.NoChange || before.LastSeq != after.LastSeq {
		t.Fatalf("an edit equal to what is shown wrote change %v", res.Change)
	}
}

func TestPut_Lists(t *testing.T) {
	b := open(t, "pd", 11)
	id := b.put(Edit{Message: customer("王小明", "1111", "2222")}).ID
	page1, page2 := b.get(id), b.get(id)
	nums := func() (out []string) {
		for _, p := range b.get(id).GetCustomer().GetPhones() {
			out = append(out, p.GetNumber())
		}
		return out
	}
	// Desk one corrects the first and keeps the second; desk two adds a third to its old page: no conflict.
	b.put(Edit{ID: id, Message: customer("", "1112", "2222"), Mask: []string{"phones"}, Etag: page1.GetEtag()})
	b.put(Edit{ID: id, Message: customer("", "1111", "2222", "3333"), Mask: []string{"phones"}, Etag: page2.GetEtag()})
	if got := nums(); len(got) != 3 || got[0] != "2222" || got[1] != "1112" || got[2] != "3333" {
		t.Fatalf("phones %v", got)
	}
	// Both correct the same entry: a conflict.
	page3 := b.get(id)
	b.put(Edit{ID: id, Message: customer("", "2222", "1112", "3334"), Mask: []string{"phones"}, Etag: page3.GetEtag()})
	_, err := b.Put(t.Context(), Edit{Kind: schema.Customer, ID: id, Message: customer("", "2222", "1112", "3335"), Mask: []string{"phones"}, Etag: page3.GetEtag(), Actor: "li", Role: branchlinev1.Role_ROLE_CLERK})
	if !errors.Is(err, schema.ErrConflict) {
		t.Fatalf("got %v", err)
	}
	// Emptying the list removes what the page showed.
	page4 := b.get(id)
	b.put(Edit{ID: id, Message: &branchlinev1.Customer{}, Mask: []string{"phones"}, Etag: page4.GetEtag()})
	if got := nums(); len(got) != 0 {
		t.Fatalf("phones %v", got)
	}
}

func TestPut_RequestIDAndRules(t *testing.T) {
	b := open(t, "pd", 11)
	r1 := b.put(Edit{Message: customer("王小明"), RequestID: "q1"})
	r2 := b.put(Edit{Message: customer("王小明"), RequestID: "q1"})
	if r1.ID != r2.ID || !r2.Again || r2.Change != r1.Change {
		t.Fatalf("%v %v", r1, r2)
	}
	b.now = b.now.Add(25 * time.Hour)
	if r3 := b.put(Edit{Message: customer("王小明"), RequestID: "q1"}); r3.ID == r1.ID {
		t.Fatal("a request id lives for ever")
	}
	try := func(e Edit) error {
		e.Kind = schema.KindOfMessage(e.Message).Kind
		if e.Actor == "" {
			e.Actor, e.Role = "li", branchlinev1.Role_ROLE_CLERK
		}
		_, err := b.Put(t.Context(), e)
		return err
	}
	if err := try(Edit{Message: &branchlinev1.LegalEntity{Code: proto.String("x1")}}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a branch made a legal entity: %v", err)
	}
	if err := try(Edit{Message: &branchlinev1.Staff{Code: proto.String("s1"), Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_AUDITOR}}}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a branch gave a role of headquarters: %v", err)
	}
	if err := try(Edit{Message: &branchlinev1.ServiceOrder{Customer: proto.String(b.mint().String())}}); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("an order of nobody: %v", err)
	}
	big := make([]*branchlinev1.Address, 0, 200)
	for range 200 {
		big = append(big, &branchlinev1.Address{Street: proto.String(string(bytes.Repeat([]byte("路"), 300))), City: proto.String(string(bytes.Repeat([]byte("海"), 60)))})
	}
	if err := try(Edit{Message: &branchlinev1.Customer{Name: proto.String("x"), Addresses: big}}); !errors.Is(err, schema.ErrTooLarge) {
		t.Errorf("200 KiB: %v", err)
	}
	// An order of another branch is kept by its home.
	id := b.mint()
	b.page(&wirev1.Page{HqRev: 1, LastRev: 1, Full: true, Rows: []*wirev1.Row{recordRow(1, id, schema.ServiceOrder, "xh",
		foreignState(t, "xh", 5, 1, b.now, &branchlinev1.ServiceOrder{Number: proto.String("XH-1")}))}})
	if err := try(Edit{ID: id, Message: &branchlinev1.ServiceOrder{Number: proto.String("XH-2")}, Mask: []string{"number"}, Etag: b.get(id).GetEtag()}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("another branch's order was changed: %v", err)
	}
	// A reading is never changed, only retired.
	v := b.put(Edit{Message: &branchlinev1.Vehicle{Model: proto.String("A4")}}).ID
	km := b.put(Edit{Message: &branchlinev1.OdometerReading{Vehicle: proto.String(v.String()), Day: proto.String("2026-01-02"), Km: proto.Int64(100)}}).ID
	etag := b.get(km).GetEtag()
	if err := try(Edit{ID: km, Message: &branchlinev1.OdometerReading{Km: proto.Int64(200)}, Mask: []string{"km"}, Etag: etag}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a reading was changed: %v", err)
	}
	if err := try(Edit{ID: km, Message: &branchlinev1.OdometerReading{RetiredAt: proto.Int64(1)}, Mask: []string{"retired_at"}, Etag: etag}); err != nil {
		t.Errorf("a reading could not be retired: %v", err)
	}
}

func TestPutAll_SavepointsAndDryRun(t *testing.T) {
	b := open(t, "pd", 11)
	boom := errors.New("boom")
	rows := func(bt *Batch, i int) error {
		if _, err := bt.Put(Edit{Kind: schema.Customer, Message: customer("客户"), Actor: "import", Role: branchlinev1.Role_ROLE_CLERK}); err != nil {
			return err
		}
		if i == 1 {
			return boom
		}
		return nil
	}
	if _, err := b.PutAll(t.Context(), 3, true, rows); err != nil {
		t.Fatal(err)
	}
	if l, _ := b.Line(t.Context()); l.LastSeq != 0 || l.Records != 0 {
		t.Fatalf("a dry run wrote %d changes", l.LastSeq)
	}
	errs, err := b.PutAll(t.Context(), 3, false, rows)
	if err != nil || errs[0] != nil || !errors.Is(errs[1], boom) || errs[2] != nil {
		t.Fatalf("%v %v", errs, err)
	}
	l, _ := b.Line(t.Context())
	if l.LastSeq != 2 || l.Records != 2 || l.Pending != 2 {
		t.Fatalf("%+v", l)
	}
	b.put(Edit{Message: customer("后来")})
	if _, out, err := b.Outgoing(t.Context(), 11, 0, 10, 1<<20); err != nil || len(out) != 3 {
		t.Fatalf("%d %v", len(out), err)
	} else if ok, _, _ := b.ChainAt(t.Context(), 11, 3); ok != out[2].Chain {
		t.Fatal("chain")
	}
}

// What sharing strips of another company's car may not be edited: it would leave the page.
func TestPut_FieldsThatAreNotShared(t *testing.T) {
	b := open(t, "pd", 11)
	id := b.mint()
	v := &branchlinev1.Vehicle{Model: proto.String("A4"), Colour: proto.String("red")}
	row := recordRow(1, id, schema.Vehicle, "xh", foreignState(t, "xh", 5, 1, b.now, v))
	row.Shared = true
	if err := b.ApplyPage(t.Context(), &wirev1.Page{Epoch: 7, HqRev: 1, LastRev: 1, Full: true, Rows: []*wirev1.Row{row}}); err != nil {
		t.Fatal(err)
	}
	edit := func(mask ...string) error {
		_, err := b.Put(t.Context(), Edit{
			Kind: schema.Vehicle, ID: id, Message: &branchlinev1.Vehicle{Colour: proto.String("blue"), Remark: proto.String("x")}, Mask: mask, Etag: b.get(id).GetEtag(),
			Actor: "li", Role: branchlinev1.Role_ROLE_CLERK,
		})
		return err
	}
	err := edit("colour", "remark")
	var fe *schema.FieldsError
	if !errors.As(err, &fe) || len(fe.Violations) != 1 || fe.Violations[0].Field != "remark" {
		t.Fatalf("%v", err)
	}
	if got := b.get(id).GetVehicle(); got.GetColour() != "red" || got.GetRemark() != "" {
		t.Fatalf("half of it was saved: %v", got)
	}
	if err := edit("colour"); err != nil || b.get(id).GetVehicle().GetColour() != "blue" {
		t.Fatalf("a shared field: %v", err)
	}
}

// What the sender finds of the last changes is not copied at each commit, and an older view keeps what it saw.
func TestRecent_GrowsInPlace(t *testing.T) {
	b := open(t, "pd", 11)
	moved := 0
	for i := range 3 * recentMost {
		was := b.known.Load()
		b.put(Edit{Message: customer("王一")})
		now := b.known.Load()
		if want := min(i+1, recentMost); len(now.recent) != want {
			t.Fatalf("after %d changes %d are recent, want %d", i+1, len(now.recent), want)
		}
		n := len(was.recent)
		if n == 0 {
			continue
		}
		before := &now.recent[len(now.recent)-2]
		if before.ID != was.recent[n-1].ID {
			t.Fatalf("%s stands before the last change, want %s", before.ID, was.recent[n-1].ID)
		}
		if before != &was.recent[n-1] {
			moved++
		}
	}
	if moved > 12 {
		t.Errorf("copied at %d of %d commits", moved, 3*recentMost)
	}
}
