package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	pages "branchline/schema/page"
	"branchline/schema/sql"
	"branchline/sync/link"
	"branchline/sync/oplog"
)

func TestWhere_FollowsTheChange(t *testing.T) {
	b := open(t, "pd", 11)
	res := b.put(Edit{Message: customer("甲")})
	name := schema.ResourceName(schema.Customer, res.ID)
	state := func() branchlinev1.WhereState {
		w, err := b.Where(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		byChange, err := b.Where(t.Context(), res.Change.String())
		if err != nil || !proto.Equal(w, byChange) {
			t.Fatalf("by record %v, by change %v %v", w, byChange, err)
		}
		return w.GetState()
	}
	if s := state(); s != branchlinev1.WhereState_SAVED {
		t.Fatal(s)
	}
	// Somebody waits for it to be delivered, all the way.
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	var wg sync.WaitGroup
	var waited *branchlinev1.Where
	var werr error
	wg.Go(func() { waited, werr = b.WaitWhere(ctx, name, branchlinev1.WhereState_DELIVERED) })
	b.AtDoor(11, 1)
	if s := state(); s != branchlinev1.WhereState_AT_DOOR {
		t.Fatal(s)
	}
	chain, _, _ := b.ChainAt(t.Context(), 11, 1)
	if err := b.Receive(t.Context(), &wirev1.Receipt{Branch: "pd", Incarnation: 11, Watermark: 1, Chain: chain[:], Epoch: 7, Rev: 5}, []byte("s")); err != nil {
		t.Fatal(err)
	}
	if s := state(); s != branchlinev1.WhereState_COMMITTED {
		t.Fatal(s)
	}
	b.page(&wirev1.Page{HqRev: 6, LastRev: 6, Full: true, Marks: b.marks(1), Deliveries: []*wirev1.Delivery{{Branch: "xh", Rev: 4}, {Branch: "pd", Rev: 9}}})
	if s := state(); s != branchlinev1.WhereState_COMMITTED {
		t.Fatal("delivered to a branch that has confirmed less:", s)
	}
	b.page(&wirev1.Page{HqRev: 6, LastRev: 6, Full: true, Marks: b.marks(1), Deliveries: []*wirev1.Delivery{{Branch: "xh", Rev: 5}}})
	wg.Wait()
	if werr != nil || waited.GetState() != branchlinev1.WhereState_DELIVERED || len(waited.GetDelivered()) != 1 || waited.GetDelivered()[0] != "xh" {
		t.Fatalf("%v %v", waited, werr)
	}
	if steps, err := b.Trace(t.Context(), name); err != nil || len(steps) < 5 {
		t.Fatalf("trace %v %v", steps, err)
	}
	// Time runs out: as it stands.
	short, stop2 := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop2()
	res2 := b.put(Edit{Message: customer("乙")})
	if w, err := b.WaitWhere(short, res2.Change.String(), branchlinev1.WhereState_COMMITTED); err != nil || w.GetState() != branchlinev1.WhereState_SAVED {
		t.Fatalf("%v %v", w, err)
	}
	if _, err := b.Where(t.Context(), "pd/b/99"); !errors.Is(err, schema.ErrNotFound) {
		t.Fatal(err)
	}
}

func TestReceive_WatermarkWithinAndAcrossEpochs(t *testing.T) {
	b := open(t, "pd", 11)
	for range 3 {
		b.put(Edit{Message: customer("甲")})
	}
	receive := func(epoch, mark int64) error {
		return b.Receive(t.Context(), &wirev1.Receipt{Branch: "pd", Incarnation: 11, Watermark: mark, Epoch: epoch}, []byte{byte(epoch), byte(mark)})
	}
	for _, c := range []struct{ epoch, mark, want int64 }{{7, 2, 2}, {7, 1, 2}, {8, 1, 1}, {8, 3, 3}} {
		if err := receive(c.epoch, c.mark); err != nil {
			t.Fatal(err)
		}
		if l := b.line(); int64(l.Watermark) != c.want {
			t.Errorf("after (%d, %d) the watermark is %d, want %d", c.epoch, c.mark, l.Watermark, c.want)
		}
	}
	if err := receive(8, 4); !errors.Is(err, schema.ErrConflict) {
		t.Errorf("a receipt for a change never made: %v", err)
	}
	if rs, err := b.Receipts(t.Context()); err != nil || len(rs) != 1 || !bytes.Equal(rs[0], []byte{8, 3}) {
		t.Errorf("receipts %v %v", rs, err)
	}
}

func TestEnrol(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, dir, "", 1)
	n1, err := b.Nonce(t.Context())
	if err != nil || len(n1) != 16 {
		t.Fatal(n1, err)
	}
	if n2, _ := b.Nonce(t.Context()); !bytes.Equal(n1, n2) {
		t.Fatal("the nonce changed before it was used")
	}
	if lives, err := b.Lives(t.Context()); err != nil || len(lives) != 0 {
		t.Fatal(lives, err)
	}
	if err := b.SaveSeed(t.Context(), []byte("SUseed")); err != nil {
		t.Fatal(err)
	}
	e := Enrolment{Identity: Identity{Branch: "pd", Entity: "e1", HQKey: "k", IDKey: []byte("i")}, Incarnation: 11, Certificate: []byte("c"), Epoch: 7, EpochLine: []byte("line")}
	if err := b.Enrol(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if n3, _ := b.Nonce(t.Context()); bytes.Equal(n1, n3) {
		t.Fatal("the nonce of one incarnation serves another")
	}
	id, err := b.Identity(t.Context())
	if err != nil || id.Branch != "pd" || string(id.Seed) != "SUseed" {
		t.Fatal(id, err)
	}
	if s := id.String(); bytes.Contains([]byte(s), []byte("SUseed")) {
		t.Fatal("a printed identity tells the seed")
	}
	b.put(Edit{Message: customer("甲")})
	// The same branch again: its log stays.
	e.Incarnation = 12
	if err := b.Enrol(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if l := b.line(); l.Incarnation != 11 || l.LastSeq != 1 {
		t.Fatalf("%+v", l)
	}
	e.Branch = "xh"
	if err := b.Enrol(t.Context(), e); !errors.Is(err, schema.ErrConflict) {
		t.Fatal(err)
	}
	if err := b.Store.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), Config{Dir: dir, Branch: "xh", Now: b.clock, Rand: rand.New(rand.NewSource(1))}); !errors.Is(err, schema.ErrInvalid) {
		t.Fatal(s, err)
	}
	s, err := Open(t.Context(), Config{Dir: dir, Branch: "pd", Now: b.clock, Rand: rand.New(rand.NewSource(1))})
	if err != nil {
		t.Fatal(err)
	}
	b.Store = s
	if line, err := b.EpochLine(t.Context()); err != nil || string(line) != "line" {
		t.Fatal(line, err)
	}
}

func TestLine_CursorsLedgerSite(t *testing.T) {
	b := open(t, "pd", 11)
	for i := range 20 {
		if err := b.SetCursor(t.Context(), &wirev1.Cursor{Epoch: 7, Rev: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	cs, err := b.Cursors(t.Context())
	if err != nil || len(cs) != 16 || cs[0].GetRev() != 19 || cs[15].GetRev() != 4 {
		t.Fatalf("%v %v", cs, err)
	}
	e := &wirev1.LedgerEntry{Id: []byte("a"), Kind: wirev1.LedgerKind_KEY_REVOKED, Branch: "pd"}
	for range 2 {
		if err := b.TakeLedger(t.Context(), []*wirev1.LedgerEntry{e, {Id: []byte("b")}}); err != nil {
			t.Fatal(err)
		}
	}
	if l, err := b.Ledger(t.Context()); err != nil || len(l) != 2 || !proto.Equal(l[0], e) {
		t.Fatalf("%v %v", l, err)
	}
	if err := b.MarkRestored(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l, _ := b.Lives(t.Context()); !l[0].Restored {
		t.Fatal("not restored")
	}
	if err := b.SaveSite(t.Context(), link.Site{Entity: "e2", Epoch: 8, HQRev: 40}); err != nil {
		t.Fatal(err)
	}
	if l := b.line(); l.Identity.Entity != "e2" || l.Identity.HQKey != "KEY" || l.Epoch != 8 || l.HQRev != 40 {
		t.Fatalf("%+v", l)
	}
	if err := b.Fork(t.Context(), link.Fork{Old: 11, New: 12}); err != nil {
		t.Fatal(err)
	}
	if l, _ := b.Lives(t.Context()); l[0].Restored || l[0].Incarnation != 12 {
		t.Fatal("still restored after a new incarnation")
	}
}

// Desks edit at once, pages come in, readers read: every saved edit has its
// change, in one gapless chain.
func TestPut_ManyDesks(t *testing.T) {
	b := open(t, "pd", 11)
	var mu sync.Mutex
	b.Store.cfg.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return b.clock() }
	const desks, edits = 4, 15
	var wg sync.WaitGroup
	for range desks {
		wg.Go(func() {
			for range edits {
				r, err := b.Put(context.Background(), Edit{Kind: schema.Customer, Message: customer("王小明"), Actor: "li", Role: branchlinev1.Role_ROLE_CLERK})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := b.Get(context.Background(), r.ID); err != nil {
					t.Error("saved, but not found:", err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range int64(10) {
			if err := b.ApplyPage(context.Background(), &wirev1.Page{Epoch: 7, HqRev: i, LastRev: i, Full: true}); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	before, out, err := b.Outgoing(t.Context(), 11, 0, 1000, 1<<20)
	if err != nil || len(out) != desks*edits {
		t.Fatalf("%d changes, %v", len(out), err)
	}
	for i, s := range out {
		if before = schema.NextChain(before, schema.HashPayload(s.Salt, s.Payload)); before != s.Chain || s.ID.Seq != schema.Seq(i+1) {
			t.Fatalf("change %d does not continue the chain", i+1)
		}
	}
}

func TestChanges_AddUp(t *testing.T) {
	b := open(t, "pd", 11)
	w := b.Changes()
	defer w.Close()
	line := b.ChangesOf(func(e Event) bool { return e.Line })
	defer line.Close()
	id := b.put(Edit{Message: customer("甲")}).ID
	if e := line.Take(); !e.empty() || len(line.Ready()) > 0 {
		t.Fatalf("who wants the line's news only is woken by %+v", e)
	}
	b.AtDoor(11, 1)
	if e, err := line.Next(t.Context()); err != nil || !e.Line || e.Own {
		t.Fatalf("%+v %v", e, err)
	}
	e, err := w.Next(t.Context())
	if err != nil || !e.Own || !e.Line || len(e.Records) != 1 || e.Records[0] != id {
		t.Fatalf("%+v %v", e, err)
	}
	for range maxEvent + 10 {
		b.put(Edit{Message: customer("乙")})
	}
	if e, err = w.Next(t.Context()); err != nil || !e.All || len(e.Records) != 0 {
		t.Fatalf("%+v %v", e, err)
	}
	done, stop := context.WithCancel(t.Context())
	stop()
	if _, err := w.Next(done); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// A change is committed a moment before readers are told of it. The sender must
// not get it before that: it would ask next for what follows a change unknown here.
func TestOutgoing_givesOnlyWhatIsTold(t *testing.T) {
	b := open(t, "pd", 9)
	made := func() { b.put(Edit{Create: true, Message: &branchlinev1.Customer{Name: proto.String("Li")}}) }
	made()
	stale := b.known.Load()
	made()
	told := b.known.Swap(stale)
	for after := schema.Seq(0); after <= 1; after++ {
		_, list, err := b.Outgoing(t.Context(), 9, after, 256, 1<<20)
		if want := int(1 - after); err != nil || len(list) != want {
			t.Errorf("after %d: %d changes, want %d: %v", after, len(list), want, err)
		}
	}
	b.known.Store(told)
	if _, list, err := b.Outgoing(t.Context(), 9, 1, 256, 1<<20); err != nil || len(list) != 1 {
		t.Errorf("once told: %d changes: %v", len(list), err)
	}
}

// What the sender is given out of memory is what it would read.
func TestOutgoing_memoryAndDatabaseAgree(t *testing.T) {
	b := open(t, "pd", 9)
	edit := Edit{Kind: schema.Customer, Create: true, Message: customer("甲"), Actor: "li", Role: branchlinev1.Role_ROLE_ADVISER}
	same := func() {
		t.Helper()
		v := b.known.Load()
		l := v.life(9)
		for after := range l.Seq + 1 {
			for _, n := range []int{1, 3, 256} {
				for _, size := range []int{1, 300, 1 << 20} {
					before, list, err := b.Outgoing(t.Context(), 9, after, n, size)
					want, rows, rerr := oplog.Read(t.Context(), b.db.R, l, "pd", after, n, size)
					if err != nil || rerr != nil || before != want || len(list) != len(rows) {
						t.Fatalf("after %d, %d changes of %d bytes: %d from %v (%v), want %d from %v (%v)", after, n, size, len(list), before, err, len(rows), want, rerr)
					}
					for i := range list {
						if x, y := list[i], rows[i]; x.ID != y.ID || x.Salt != y.Salt || x.Chain != y.Chain || !bytes.Equal(x.Payload, y.Payload) {
							t.Fatalf("after %d: change %s from memory, %s from the database", after, x.ID, y.ID)
						}
					}
				}
			}
		}
	}
	same()
	for range 3 {
		b.put(edit)
		same()
	}
	held := func() int { return len(b.known.Load().recent) }
	if held() != 3 {
		t.Errorf("%d changes in memory, want all 3", held())
	}
	// One row of a batch fails after its change was written, and is undone alone.
	boom := errors.New("boom")
	errs, err := b.PutAll(t.Context(), 3, false, func(x *Batch, i int) error {
		_, err := x.Put(edit)
		if i == 1 {
			err = errors.Join(err, boom)
		}
		return err
	})
	if err != nil || !errors.Is(errs[1], boom) || errs[0] != nil || errs[2] != nil {
		t.Fatal(errs, err)
	}
	same()
	if held() != 5 {
		t.Errorf("%d changes in memory, want all 5", held())
	}
	// A transaction is undone as a whole, then one goes through.
	if _, err := b.PutAll(t.Context(), 2, true, func(x *Batch, _ int) error { _, err := x.Put(edit); return err }); err != nil {
		t.Fatal(err)
	}
	same()
	for range 2 * recentMost {
		b.put(edit)
	}
	same()
	if held() != recentMost {
		t.Errorf("%d changes in memory, want %d", held(), recentMost)
	}
}

// Two million records are not counted for every page; a few are.
func TestLine_CountsVeryManyNowAndThen(t *testing.T) {
	b := open(t, "xh", 1)
	records := func() int64 {
		t.Helper()
		l, err := b.Line(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return l.Records
	}
	few := records()
	b.put(Edit{Message: &branchlinev1.Vehicle{Model: proto.String("A")}})
	if n := records(); n != few+1 {
		t.Errorf("of few there are %d after one more, %d before", n, few)
	}
	b.held.n, b.held.at = veryMany, b.now
	if n := records(); n != veryMany {
		t.Errorf("counted at once: %d", n)
	}
	b.now = b.now.Add(tallyAge + time.Second)
	if n := records(); n != few+1 {
		t.Errorf("not counted again after %s: %d", tallyAge, n)
	}
}

// A list asks what headquarters said of all its rows at once, and tells of each what Get tells.
func TestList_TellsWhereEachRowIs(t *testing.T) {
	b := open(t, "pd", 11)
	var ids []schema.RecordID
	for i := range 130 {
		ids = append(ids, b.put(Edit{Message: customer(fmt.Sprint("王", i))}).ID)
	}
	receive := func(mark, rev int64) {
		t.Helper()
		chain, _, err := b.ChainAt(t.Context(), 11, schema.Seq(mark))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Receive(t.Context(), &wirev1.Receipt{Branch: "pd", Incarnation: 11, Watermark: mark, Chain: chain[:], Epoch: 7, Rev: rev}, []byte("s")); err != nil {
			t.Fatal(err)
		}
	}
	receive(40, 5)
	receive(110, 9)
	b.AtDoor(11, 120)
	b.page(&wirev1.Page{
		HqRev: 12, LastRev: 12, Full: true, Marks: b.marks(110), Deliveries: []*wirev1.Delivery{{Branch: "xh", Rev: 5}, {Branch: "mh", Rev: 9}, {Branch: "pd", Rev: 9}},
		Rows: []*wirev1.Row{{Row: wirev1.RowKind_OUTCOME, Rev: 12, Record: ids[50][:], Outcome: &wirev1.Outcome{Incarnation: 11, Seq: 51, Kind: wirev1.OutcomeKind_QUARANTINED, Reason: "x"}}},
	})
	var asked sql.Tally
	list, _, err := b.List(sql.Counted(t.Context(), &asked), pages.Query{Kind: schema.KindOf(schema.Customer), Size: len(ids)})
	if err != nil || len(list) != len(ids) {
		t.Fatalf("%d records, %v", len(list), err)
	}
	if n := asked.Statements.Load(); n > 8 {
		t.Errorf("%d statements for a list", n)
	}
	states := map[string]int{}
	for _, r := range list {
		_, id, err := schema.ParseName(r.GetName())
		if err != nil {
			t.Fatal(err)
		}
		if want := b.get(id).GetWhere(); !proto.Equal(r.GetWhere(), want) {
			t.Errorf("%s is said to be %v, want %v", id, r.GetWhere(), want)
		}
		states[fmt.Sprint(r.GetWhere().GetState(), r.GetWhere().GetOutcome(), len(r.GetWhere().GetDelivered()))]++
	}
	if len(states) != 5 {
		t.Errorf("not every state was seen: %v", states)
	}
}
