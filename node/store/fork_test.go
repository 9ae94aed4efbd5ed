package store

import (
	"bytes"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
	"branchline/sync/merge"
	"branchline/sync/oplog"
)

func TestFork_ReissuesWithOrigin(t *testing.T) {
	b := open(t, "pd", 11)
	a := b.put(Edit{Message: customer("甲")}).ID // both have it
	_, first, _ := b.Outgoing(t.Context(), 11, 0, 10, 1<<20)
	// What HQ got from the life before the copy: change 2.
	lost := b.mint()
	body := &wirev1.ChangeBody{At: uint64(schema.TickAt(b.now)) + 9, Kind: 4, Record: lost[:], Values: b.values(customer("丢")), Actor: "li", Role: 1, Create: true}
	payload, _ := proto.Marshal(body)
	back := schema.Seal(schema.ChangeID{Branch: "pd", Inc: 11, Seq: 2}, first[0].Chain, [16]byte{1}, payload)
	// What the copy wrote by itself.
	own := b.put(Edit{Message: customer("乙"), RequestID: "q"})
	b.setName(a, "甲二")
	was := b.shown(a).Encode()
	if err := b.Fork(t.Context(), link.Fork{Old: 11, From: 1, New: 12, Certificate: []byte("c2"), Back: []schema.Sealed{back}}); err != nil {
		t.Fatal(err)
	}
	lives, err := b.Lives(t.Context())
	if err != nil || len(lives) != 2 || lives[0].Incarnation != 12 || lives[0].LastSeq != 2 || !lives[1].Former || lives[1].LastSeq != 2 || !bytes.Equal(lives[1].LastChain, back.Chain[:]) {
		t.Fatalf("lives %v %v", lives, err)
	}
	before, out, err := b.Outgoing(t.Context(), 12, 0, 10, 1<<20)
	if err != nil || len(out) != 2 || !before.IsZero() {
		t.Fatalf("%d %v", len(out), err)
	}
	for i, s := range out {
		bd, _ := s.Body()
		if o := bd.GetOrigin(); o.GetIncarnation() != 11 || o.GetSeq() != int64(i+2) || len(o.GetChain()) != 32 {
			t.Fatalf("origin %v", o)
		}
	}
	if b.get(lost).GetCustomer().GetName() != "丢" {
		t.Fatal("HQ's change did not come back")
	}
	// It is the same edit: whoever named it goes on naming it.
	if got := b.shown(a).Encode(); b.get(a).GetCustomer().GetName() != "甲二" || !bytes.Equal(got, was) {
		t.Fatalf("the re-issued edit shows as\n%x, was\n%x", got, was)
	}
	if w := b.get(own.ID).GetWhere(); w.GetChange() != (schema.ChangeID{Branch: "pd", Inc: 12, Seq: 1}).String() {
		t.Fatalf("where %v", w)
	}
	if again := b.put(Edit{Message: customer("乙"), RequestID: "q"}); again.ID != own.ID {
		t.Fatal("the request id is forgotten")
	}
	res := b.setName(lost, "又")
	if res.Change.Inc != 12 || res.Change.Seq != 3 || b.shown(lost).Latest().At <= schema.Tick(body.At) {
		t.Fatalf("next change %v", res.Change)
	}
	// The whole line is taken: nothing stays pending.
	b.page(&wirev1.Page{HqRev: 5, LastRev: 5, Full: true, Marks: []*wirev1.Mark{{Branch: "pd", Incarnation: 11, Watermark: 2}, {Branch: "pd", Incarnation: 12, Watermark: 3}}})
	if l := b.line(); l.Pending != 0 || l.Incarnation != 12 {
		t.Fatalf("%+v", l)
	}
}

func TestFork_RebuildOffersWhatHQLost(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	id := b.put(Edit{Message: customer("甲", "1111", "2222")}).ID
	b.put(Edit{ID: id, Message: customer("", "2222", "3333"), Mask: []string{"phones"}, Etag: b.get(id).GetEtag()})
	b.setName(id, "乙")
	h.take(2, func() bool { return false })
	chain, _, _ := b.ChainAt(t.Context(), 11, 2)
	if err := b.Receive(t.Context(), &wirev1.Receipt{Branch: "pd", Incarnation: 11, Watermark: 2, Chain: chain[:], Epoch: 7, ForgetBelow: 3}, []byte("s")); err != nil {
		t.Fatal(err)
	}
	h.pass(0, 10, false)
	want := b.shown(id)
	if l, _ := b.Lives(t.Context()); l[0].PruneCut != 2 {
		t.Fatalf("%v", l)
	}
	// HQ lost everything.
	if err := b.Fork(t.Context(), link.Fork{Old: 11, From: 0, New: 12, Rebuild: true}); err != nil {
		t.Fatal(err)
	}
	k := schema.KindOf(schema.Customer)
	if !bytes.Equal(b.shown(id).Fold(k), want.Fold(k)) {
		t.Fatal("the page shows something else")
	}
	// What was not forgotten is re-issued, under a name of its own.
	want = b.shown(id)
	_, out, err := b.Outgoing(t.Context(), 12, 0, 10, 1<<20)
	if err != nil || len(out) != 3 {
		t.Fatalf("%d offers, %v", len(out), err)
	}
	got := new(merge.State)
	for _, s := range out {
		body, _ := s.Body()
		c, err := merge.FromChange(oplog.StampOf(oplog.Row{Sealed: s, At: schema.Tick(body.At)}, body), body)
		if err != nil {
			t.Fatal(err)
		}
		got = merge.Join(got, c)
	}
	if !bytes.Equal(got.Encode(), want.Encode()) {
		t.Fatalf("HQ rebuilds\n%x\nthe branch has\n%x", got.Encode(), want.Encode())
	}
}

// A change that only gives a home away leaves nothing in the record; it is told again all the same.
func TestFork_RebuildTellsHomesGivenAway(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	id := b.put(Edit{Message: customer("甲")}).ID
	given := b.put(Edit{ID: id, Message: customer("甲"), Etag: b.get(id).GetEtag(), NewHome: "xh"}).Change
	b.put(Edit{Message: customer("乙")})
	h.take(2, func() bool { return false })
	chain, _, _ := b.ChainAt(t.Context(), 11, 2)
	if err := b.Receive(t.Context(), &wirev1.Receipt{Branch: "pd", Incarnation: 11, Watermark: 2, Chain: chain[:], Epoch: 7, ForgetBelow: 3}, []byte("s")); err != nil {
		t.Fatal(err)
	}
	h.pass(0, 10, false)
	if l, _ := b.Lives(t.Context()); l[0].PruneCut != 2 {
		t.Fatalf("%v", l)
	}
	if err := b.Fork(t.Context(), link.Fork{Old: 11, From: 0, New: 12, Rebuild: true}); err != nil {
		t.Fatal(err)
	}
	_, out, err := b.Outgoing(t.Context(), 12, 0, 10, 1<<20)
	if err != nil || len(out) != 3 {
		t.Fatalf("%d offers, %v", len(out), err)
	}
	var homes []string
	for _, s := range out {
		body, err := s.Body()
		if err != nil {
			t.Fatal(err)
		}
		homes = append(homes, body.GetNewHome())
		if body.GetNewHome() != "" && schema.StampOf(s.ID, 0, body).Change() != given {
			t.Errorf("the move comes as another edit: %v", body)
		}
	}
	if !slices.Equal(homes, []string{"", "xh", ""}) {
		t.Errorf("homes %q", homes)
	}
}

// What a lost headquarters ruled about a time is forgotten with it.
func TestReceive_RulingsOfALostHQ(t *testing.T) {
	b := open(t, "pd", 11)
	id := b.put(Edit{Message: customer("甲")}).ID
	made := b.shown(id).Latest().At
	chain, _, _ := b.ChainAt(t.Context(), 11, 1)
	ruled := &wirev1.Receipt{
		Branch: "pd", Incarnation: 11, Watermark: 1, Chain: chain[:], Epoch: 7,
		Rulings: []*wirev1.RulingRun{{Incarnation: 11, FirstSeq: 1, LastSeq: 1, FirstAt: uint64(made) - 1<<20}},
	}
	if err := b.Receive(t.Context(), ruled, []byte("s")); err != nil {
		t.Fatal(err)
	}
	if at := b.shown(id).Latest().At; at != made-1<<20 {
		t.Fatalf("the ruling is not shown: %d", at)
	}
	if err := b.Receive(t.Context(), &wirev1.Receipt{Branch: "pd", Incarnation: 11, Chain: make([]byte, 32), Epoch: 9}, []byte("t")); err != nil {
		t.Fatal(err)
	}
	if at := b.shown(id).Latest().At; at != made {
		t.Errorf("shown at %d, made at %d", at, made)
	}
}
