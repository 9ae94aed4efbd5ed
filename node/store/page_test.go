package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/sql"
	"branchline/sync/merge"
)

func TestApplyPage_OwnEditsStayUntilAFullPage(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	id := b.put(Edit{Message: customer("甲")}).ID
	other := b.mint()
	h.edit(other, schema.Customer, b.values(customer("乙")), b.now)
	// Not yet at HQ: a full page says nothing of it.
	cur := h.pass(0, 10, false)
	if b.line().Pending != 1 || b.get(id).GetCustomer().GetName() != "甲" {
		t.Fatalf("%+v", b.line())
	}
	// At HQ, applied as written: a receipt alone folds nothing, the next full page does.
	h.take(10, func() bool { return false })
	chain, _, _ := b.ChainAt(t.Context(), 11, 1)
	if err := b.Receive(t.Context(), &wirev1.Receipt{Branch: "pd", Incarnation: 11, Watermark: 1, Chain: chain[:], Epoch: 7, Rev: h.rev}, []byte("signed")); err != nil {
		t.Fatal(err)
	}
	if l := b.line(); l.Pending != 1 || l.Watermark != 1 {
		t.Fatalf("%+v", l)
	}
	part := h.page(cur, 10, false)
	part.Full = false
	b.page(part)
	if b.line().Pending != 1 {
		t.Fatal("a page that was not full folded something in")
	}
	h.pass(cur, 10, false)
	if b.line().Pending != 0 {
		t.Fatal("a full page folded nothing in")
	}
	if w := b.get(id).GetWhere(); w.GetState() != branchlinev1.WhereState_COMMITTED || w.GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_APPLIED {
		t.Fatalf("where %v", w)
	}
	if !bytes.Equal(b.shown(id).Encode(), h.recs[id].state.Encode()) {
		t.Fatal("branch and HQ differ")
	}
}

func (b *bench) values(m proto.Message) []byte {
	b.t.Helper()
	v, err := proto.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func TestApplyPage_QuarantinedStaysShownRefusedGoes(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	id := b.put(Edit{Message: customer("甲")}).ID
	h.take(1, func() bool { return false })
	cur := h.pass(0, 10, false)
	b.setName(id, "乙")
	h.edit(id, schema.Customer, b.values(&branchlinev1.Customer{Remark: proto.String("r")}), b.now)
	h.take(1, func() bool { return true }) // its outcome has a later rev than the record
	// The first page shows the record in a snapshot that has the change, its outcome is on the next.
	p := h.page(cur, 1, false)
	if len(p.Rows) != 1 || p.Full {
		t.Fatalf("page %v", p)
	}
	b.page(p)
	if c := b.get(id).GetCustomer(); c.GetName() != "乙" || c.GetRemark() != "r" {
		t.Fatalf("the own edit vanished between two pages: %v", c)
	}
	cur = h.pass(p.LastRev, 1, false)
	if r := b.get(id); r.GetCustomer().GetName() != "乙" || r.GetWhere().GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_QUARANTINED {
		t.Fatalf("quarantined: %v", r)
	}
	if b.line().LookAt != 1 {
		t.Fatalf("%+v", b.line())
	}
	h.release(true)
	h.pass(cur, 10, false)
	if r := b.get(id); r.GetCustomer().GetName() != "甲" || b.line().Pending != 0 {
		t.Fatalf("discarded: %v", r)
	}
}

func TestApplyPage_FullPassSweeps(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	kept, gone, unsent := b.mint(), b.mint(), b.mint()
	for _, id := range []schema.RecordID{kept, gone, unsent} {
		h.edit(id, schema.Customer, b.values(customer("甲")), b.now)
	}
	h.pass(0, 2, false)
	own := b.put(Edit{Message: customer("乙")}).ID
	b.setName(unsent, "丙")
	delete(h.recs, gone)
	delete(h.recs, unsent)
	if err := b.BeginFullPass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if full, err := b.FullPass(t.Context()); err != nil || !full {
		t.Fatal(full, err)
	}
	h.pass(0, 1, true)
	if full, _ := b.FullPass(t.Context()); full {
		t.Fatal("the pass has not ended")
	}
	for id, want := range map[schema.RecordID]bool{kept: true, gone: false, unsent: true, own: true} {
		if _, err := b.Get(t.Context(), id); (err == nil) != want {
			t.Errorf("record %s: %v, kept %v", id, err, want)
		}
	}
	hits, _, err := b.Search(t.Context(), Asked{Query: "甲", Limit: 10})
	if err != nil || len(hits) != 1 {
		t.Errorf("search finds %d, %v", len(hits), err)
	}
}

func TestApplyPage_PurgeKeepsUnsent(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	id := b.mint()
	h.edit(id, schema.Customer, b.values(customer("甲", "13812345678")), b.now)
	h.pass(0, 10, false)
	b.setName(id, "乙")
	b.page(&wirev1.Page{HqRev: 90, LastRev: 90, Full: true, Marks: b.marks(0), Rows: []*wirev1.Row{{Row: wirev1.RowKind_PURGE, Rev: 90, Kind: 4, Record: id[:]}}})
	if _, err := b.Get(t.Context(), id); err == nil {
		t.Fatal("purged, but shown")
	}
	if hits, _, err := b.Search(t.Context(), Asked{Query: "13812345678", Limit: 10}); err != nil || len(hits) != 0 {
		t.Fatalf("purged, but found: %v %v", hits, err)
	}
	if _, out, err := b.Outgoing(t.Context(), 11, 0, 10, 1<<20); err != nil || len(out) != 1 {
		t.Fatalf("the unsent change is gone: %d %v", len(out), err)
	}
	// The record comes back: so does the edit.
	b.page(&wirev1.Page{HqRev: 91, LastRev: 91, Full: true, Marks: b.marks(0), Rows: []*wirev1.Row{recordRow(91, id, schema.Customer, "xh", h.recs[id].state.Encode())}})
	if r := b.get(id); r.GetCustomer().GetName() != "乙" {
		t.Fatalf("came back as %v", r.GetCustomer())
	}
}

func TestApplyPage_HQRestored(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	id := b.put(Edit{Message: customer("甲")}).ID
	h.take(1, func() bool { return false })
	old := h.recs[id].state.Encode()
	b.setName(id, "乙")
	h.take(1, func() bool { return false })
	h.pass(0, 10, false)
	if b.line().Pending != 0 {
		t.Fatal("not folded")
	}
	// HQ comes back from a copy that lacks the second change, as another epoch.
	b.page(&wirev1.Page{Epoch: 8, HqRev: 1, LastRev: 1, Full: true, Marks: b.marks(1), Rows: []*wirev1.Row{recordRow(1, id, schema.Customer, "pd", old)}})
	if r := b.get(id); r.GetCustomer().GetName() != "乙" || b.line().Pending != 1 {
		t.Fatalf("the own edit vanished with HQ's copy: %v %+v", r.GetCustomer(), b.line())
	}
	b.page(&wirev1.Page{Epoch: 8, HqRev: 2, LastRev: 2, Full: true, Marks: b.marks(2)})
	if r := b.get(id); r.GetCustomer().GetName() != "乙" || b.line().Pending != 0 {
		t.Fatalf("%v %+v", r.GetCustomer(), b.line())
	}
}

func TestApplyPage_Epochs(t *testing.T) {
	b := open(t, "pd", 11)
	id := b.mint()
	row := func(rev int64, name string) *wirev1.Row {
		return recordRow(rev, id, schema.Customer, "xh", foreignState(t, "xh", 5, rev, b.now, customer(name)))
	}
	b.page(&wirev1.Page{Epoch: 7, HqRev: 50, LastRev: 50, Rows: []*wirev1.Row{row(50, "a")}})
	b.page(&wirev1.Page{Epoch: 7, HqRev: 50, LastRev: 50, Rows: []*wirev1.Row{row(40, "b")}})
	if got := b.get(id).GetCustomer().GetName(); got != "a" {
		t.Fatalf("a lower rev of the epoch replaced: %s", got)
	}
	b.page(&wirev1.Page{Epoch: 8, HqRev: 30, LastRev: 30, Rows: []*wirev1.Row{row(30, "c")}})
	if got := b.get(id).GetCustomer().GetName(); got != "c" {
		t.Fatalf("another epoch's row did not replace: %s", got)
	}
}

// made tells whether any entry of the state was first written by the change.
func made(s *merge.State, id schema.ChangeID) bool {
	for _, num := range s.Numbers() {
		for _, e := range s.Entries(num) {
			if e.Stamp.Change() == id {
				return true
			}
		}
	}
	return false
}

// However pages, receipts and edits interleave, what this branch wrote is in what
// it shows; and at the end it shows what HQ has, byte for byte.
func TestApplyPage_NeverLosesAnOwnEdit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := open(t, "pd", 11)
		h := newMiniHQ(b)
		type written struct {
			id schema.RecordID
			c  schema.ChangeID
		}
		var mine []written
		var ids []schema.RecordID
		dropped := map[schema.ChangeID]bool{}
		cursor := int64(0)
		full := false
		check := func(when string) {
			for _, m := range mine {
				if dropped[m.c] {
					continue
				}
				_, st, err := b.State(context.Background(), m.id)
				if err != nil || !made(st, m.c) {
					rt.Fatalf("after %s: change %s to %s is not shown (%v)", when, m.c, m.id, err)
				}
			}
		}
		steps := rapid.IntRange(5, 40).Draw(rt, "steps")
		for i := range steps {
			what := rapid.SampledFrom([]string{"create", "edit", "edit", "foreign", "take", "page", "page", "receipt", "release", "full", "restart"}).Draw(rt, "what")
			switch what {
			case "create":
				r := b.put(Edit{Message: customer(fmt.Sprintf("n%d", i))})
				ids = append(ids, r.ID)
				mine = append(mine, written{r.ID, r.Change})
			case "edit":
				if len(ids) == 0 {
					continue
				}
				id := rapid.SampledFrom(ids).Draw(rt, "id")
				if _, err := b.Get(context.Background(), id); err != nil {
					continue
				}
				r := b.setName(id, fmt.Sprintf("e%d", i))
				mine = append(mine, written{id, r.Change})
			case "foreign":
				id := b.mint()
				if len(ids) > 0 && rapid.Bool().Draw(rt, "known") {
					id = rapid.SampledFrom(ids).Draw(rt, "id")
				}
				h.edit(id, schema.Customer, b.values(customer(fmt.Sprintf("f%d", i))), b.now.Add(time.Duration(rapid.IntRange(-5000, 5000).Draw(rt, "skew"))*time.Millisecond))
			case "take":
				h.take(rapid.IntRange(1, 4).Draw(rt, "n"), func() bool { return rapid.IntRange(0, 4).Draw(rt, "hold") == 0 })
			case "release":
				discard := rapid.Bool().Draw(rt, "discard")
				if discard {
					for seq := range h.waiting {
						dropped[schema.ChangeID{Branch: "pd", Inc: 11, Seq: seq}] = true
					}
				}
				h.release(discard)
			case "page":
				p := h.page(cursor, rapid.IntRange(1, 3).Draw(rt, "rows"), full)
				b.page(p)
				cursor = p.LastRev
				if p.Full {
					full = false
				}
			case "receipt":
				chain, _, _ := b.ChainAt(context.Background(), 11, h.taken)
				if err := b.Receive(context.Background(), &wirev1.Receipt{Branch: "pd", Incarnation: 11, Watermark: int64(h.taken), Chain: chain[:], Epoch: 7, Rev: h.rev, ForgetBelow: int64(h.taken) / 2}, []byte("s")); err != nil {
					rt.Fatal(err)
				}
			case "full":
				full, cursor = true, 0
				if err := b.BeginFullPass(context.Background()); err != nil {
					rt.Fatal(err)
				}
			case "restart":
				if err := b.Store.Close(); err != nil {
					rt.Fatal(err)
				}
				s, err := Open(context.Background(), b.cfg)
				if err != nil {
					rt.Fatal(err)
				}
				b.Store = s
			}
			check(what)
		}
		h.take(1000, func() bool { return false })
		h.release(false)
		if err := b.BeginFullPass(context.Background()); err != nil {
			rt.Fatal(err)
		}
		h.pass(0, 3, true)
		check("the end")
		// What was discarded when HQ had nothing else of the record stays with its author.
		if l := b.line(); l.Pending != 0 {
			rt.Fatalf("at the end: %+v", l)
		}
		seen := 0
		if err := b.Each(context.Background(), 0, func(x Held) error {
			r := h.recs[x.ID]
			switch {
			case r == nil && !slices.Contains(ids, x.ID):
				rt.Fatalf("record %s is nobody's", x.ID)
			case r == nil && len(x.Base) != 0:
				rt.Fatalf("record %s has a base that HQ does not have", x.ID)
			case r != nil && !bytes.Equal(x.Base, r.state.Encode()):
				rt.Fatalf("record %s differs from HQ's", x.ID)
			}
			seen++
			return nil
		}); err != nil {
			rt.Fatal(err)
		}
		for id := range h.recs {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		if seen != len(ids) {
			rt.Fatalf("%d records are held, %d were made", seen, len(ids))
		}
	})
}

func TestReceive_RulingMovesTimeAndClock(t *testing.T) {
	b := open(t, "pd", 11)
	b.now = b.now.Add(10 * 365 * 24 * time.Hour) // years ahead
	id := b.put(Edit{Message: customer("甲")}).ID
	ruled := schema.TickAt(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	chain, _, _ := b.ChainAt(t.Context(), 11, 1)
	err := b.Receive(t.Context(), &wirev1.Receipt{
		Branch: "pd", Incarnation: 11, Watermark: 1, Chain: chain[:], Epoch: 7,
		Rulings: []*wirev1.RulingRun{{Incarnation: 11, FirstSeq: 1, LastSeq: 1, FirstAt: uint64(ruled)}},
	}, []byte("s"))
	if err != nil {
		t.Fatal(err)
	}
	if at := b.shown(id).Latest().At; at != ruled {
		t.Fatalf("shown at %v, ruled %v", at.Time(), ruled.Time())
	}
	b.now = time.Date(2026, 11, 21, 12, 0, 1, 0, time.UTC)
	b.setName(id, "乙")
	if at := b.shown(id).Latest().At.Time(); at.Year() != 2026 {
		t.Fatalf("the clock counts on from %v", at)
	}
}

func TestReceive_Forgets(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	for range 10 {
		b.put(Edit{Message: customer("甲")})
	}
	h.take(6, func() bool { return false })
	chain, _, _ := b.ChainAt(t.Context(), 11, 6)
	r := &wirev1.Receipt{Branch: "pd", Incarnation: 11, Watermark: 6, Chain: chain[:], Epoch: 7, ForgetBelow: 5}
	if err := b.Receive(t.Context(), r, []byte("s")); err != nil {
		t.Fatal(err)
	}
	if l, _ := b.Lives(t.Context()); l[0].PruneCut != 0 {
		t.Fatalf("forgotten before a full page folded it in: %v", l[0])
	}
	h.pass(0, 10, false)
	lives, err := b.Lives(t.Context())
	if err != nil || lives[0].PruneCut != 4 || lives[0].LastSeq != 10 {
		t.Fatalf("%v %v", lives, err)
	}
	if _, ok, _ := b.ChainAt(t.Context(), 11, 3); ok {
		t.Fatal("a forgotten change has a chain hash")
	}
	before, out, err := b.Outgoing(t.Context(), 11, 4, 100, 1<<20)
	if err != nil || len(out) != 6 || out[0].ID.Seq != 5 || schema.NextChain(before, schema.HashPayload(out[0].Salt, out[0].Payload)) != out[0].Chain {
		t.Fatalf("%d %v", len(out), err)
	}
}

// What a folded row still holds of its old base must not come back with later edits.
func TestApplyPage_EditsAfterFolding(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	id := b.put(Edit{Message: customer("甲", "1111")}).ID
	h.take(1, func() bool { return false })
	cur := h.pass(0, 10, false)
	b.setName(id, "乙")
	b.put(Edit{ID: id, Message: &branchlinev1.Customer{Remark: proto.String("r")}, Mask: []string{"remark"}, Etag: b.get(id).GetEtag()})
	h.take(1, func() bool { return false }) // one of the two
	cur = h.pass(cur, 10, false)
	if c := b.get(id).GetCustomer(); c.GetName() != "乙" || c.GetRemark() != "r" || len(c.GetPhones()) != 1 || b.line().Pending != 1 {
		t.Fatalf("%v, %d pending", c, b.line().Pending)
	}
	h.take(1, func() bool { return false })
	h.pass(cur, 10, false)
	if !bytes.Equal(b.shown(id).Encode(), h.recs[id].state.Encode()) || b.line().Pending != 0 {
		t.Fatal("branch and HQ differ")
	}
}

// A branch that holds nothing fetches its records without looking any of them up first; one that changed meanwhile and
// comes a second time is found all the same, as where each is looked up.
func TestApplyPage_LooksNothingUpInAnEmptyBranch(t *testing.T) {
	pages := feedOf(t, 300, 900, true)
	again := proto.CloneOf(pages[0]) // each row of it changed since
	for i, r := range again.Rows {
		r.Rev = 2_000_000 + int64(i)
	}
	again.LastRev, again.HqRev, again.Full = 3_000_000, 3_000_000, true
	begun := func() *bench {
		b := open(t, "pd", 11)
		if err := b.BeginFullPass(t.Context()); err != nil {
			t.Fatal(err)
		}
		return b
	}
	b, asks := begun(), begun()
	asks.mem.held = nil
	if err := b.st.findMany.Close(); err != nil { // whoever asks fails
		t.Fatal(err)
	}
	for _, p := range pages {
		p.Full, p.HqRev = false, 3_000_000
		b.page(p)
		asks.page(p)
	}
	if len(b.mem.held) != 1200 {
		t.Fatalf("%d records are known to be held, want 1200", len(b.mem.held))
	}
	find, err := b.db.W.PrepareContext(t.Context(), findMany())
	if err != nil {
		t.Fatal(err)
	}
	b.st.findMany, b.st.all = find, append(b.st.all, find)
	again.Epoch = 7
	var few, all sql.Tally
	if err := errors.Join(b.ApplyPage(sql.Counted(t.Context(), &few), again), asks.ApplyPage(sql.Counted(t.Context(), &all), again)); err != nil {
		t.Fatal(err)
	}
	if few.Statements.Load() >= all.Statements.Load() {
		t.Errorf("%d statements end the pass, %d where there may be something to sweep", few.Statements.Load(), all.Statements.Load())
	}
	if b.mem.held != nil {
		t.Error("what is held is remembered after the pass")
	}
	got, err1 := b.StateHash(t.Context())
	want, err2 := asks.StateHash(t.Context())
	if err := errors.Join(err1, err2); err != nil || got != want {
		t.Errorf("it came to hold something else than a branch that looks each record up: %v", err)
	}
	if l := b.line(); l.Records != 1200 {
		t.Errorf("%d records are held, want 1200", l.Records)
	}
	c := begun()
	c.page(pages[0])
	if err := c.BeginFullPass(t.Context()); err != nil || c.mem.held != nil {
		t.Errorf("a pass that begins with records counts on there being none: %v", err)
	}
	c = begun()
	if own := c.put(Edit{Message: customer("王一")}).ID; !c.mayHold(own) {
		t.Error("a record made here meanwhile is not known to be held")
	}
}

func (b *bench) mayHold(id schema.RecordID) bool {
	return (&page{writer: &writer{m: &b.mem}}).mayHold(id[:])
}
