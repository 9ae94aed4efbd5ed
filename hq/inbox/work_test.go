package inbox_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

func TestWork_ApplySkipGap(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	for range 600 {
		b.write(g.id(), customer("王芳"), create)
	}
	packs := b.packs()
	r := g.work(b, packs[1])[b.inc]
	if !r.GetGap() || r.GetGen() != 7 || r.GetWatermark() != 0 {
		t.Fatalf("a pack beyond a gap: %v", r)
	}
	r = g.work(b, packs[0])[b.inc]
	if r.GetGap() || r.GetWatermark() != 512 {
		t.Fatalf("the pack held back was not taken after the gap was filled: %v", r)
	}
	r = g.work(b, packs...)[b.inc]
	if r.GetWatermark() != 600 || string(r.GetChain()) != string(b.chain[:]) {
		t.Fatalf("after all packs: %v", r)
	}
	h := g.hash()
	if r = g.work(b, packs...)[b.inc]; r.GetWatermark() != 600 || r.GetHello() || g.hash() != h {
		t.Fatalf("packs sent twice: %v", r)
	}
	if n := len(b.sees()); n != 600+2 {
		t.Errorf("a full pass shows %d records, not its 600 and the two of everybody", n)
	}
}

func TestWork_AnotherChainIsSideBranch(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	a := *b
	b.write(g.id(), customer("one"), create)
	a.write(g.id(), customer("two"), create)
	b.send()
	h := g.hash()
	r := g.work(&a, a.packs()...)[b.inc]
	if !r.GetHello() || g.hash() != h {
		t.Fatalf("another chain at the same seq: %v", r)
	}
	b.write(g.id(), customer("three"), create)
	if r := b.send(); !r.GetHello() || r.GetWatermark() != 1 {
		t.Fatalf("a branch that must say hello was heard: %v", r)
	}
}

func TestWork_ForgedCountsForNothing(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b1, b2 := g.branch("b1", "e1"), g.branch("b2", "e1")
	b1.write(g.id(), customer("honest"), create)
	forged := *b1
	forged.key = b2.key
	bad := forged.pack(1)
	good := b1.pack(1)
	h := g.hash()
	if rs := g.work(b1, bad); len(rs) != 0 || g.hash() != h {
		t.Fatalf("a pack another branch signed counted: %v", rs)
	}
	if rs := g.work(b2, good); len(rs) != 0 || g.hash() != h {
		t.Fatalf("a pack on another branch's road counted: %v", rs)
	}
	if rs := g.work(b2, []byte("garbage")); len(rs) != 0 {
		t.Fatalf("garbage was answered: %v", rs)
	}
	if g.in.Bad() != 3 {
		t.Errorf("%d bad packs counted, not 3", g.in.Bad())
	}
	b2.write(g.id(), customer("other"), create)
	if r := g.work(b2, bad, b2.pack(1)); r[b2.inc].GetWatermark() != 1 {
		t.Errorf("a bad pack stood in another's way: %v", r)
	}
	if r := g.work(b1, good)[b1.inc]; r.GetWatermark() != 1 {
		t.Errorf("the honest pack: %v", r)
	}
}

func TestWork_PoisonStopsNobodyElse(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	id, other := g.id(), g.id()
	first := b.write(id, customer("first"), create)
	unread := b.raw([]byte("\xff\xff no message"))
	hqOnly := b.write(g.id(), &branchlinev1.LegalEntity{Name: proto.String("mine")}, create)
	long := b.write(id, customer(string(make([]byte, 201))))
	b.write(other, customer("fine"), create)
	after := b.write(id, customer("after"), naming(2, first))
	if r := b.send(); r.GetWatermark() != 6 {
		t.Fatalf("receipt %v", r)
	}
	q := must(g.in.Quarantine(t.Context(), "b1", 0, 10))(t)
	want := map[schema.ChangeID]wirev1.OutcomeKind{
		unread: wirev1.OutcomeKind_QUARANTINED, hqOnly: wirev1.OutcomeKind_REFUSED_CHANGE, long: wirev1.OutcomeKind_REFUSED_CHANGE,
	}
	if len(q) != len(want) {
		t.Fatalf("in quarantine: %+v", q)
	}
	for _, x := range q {
		if want[x.Change] != x.Outcome || x.Reason == "" {
			t.Errorf("%s: %v %q", x.Change, x.Outcome, x.Reason)
		}
	}
	rows, _ := b.pull(0, true)
	names, outcomes := map[string]bool{}, 0
	for _, r := range rows {
		switch r.GetRow() {
		case wirev1.RowKind_RECORD:
			if schema.Kind(r.GetKind()) == schema.Customer {
				names[nameOf(t, r)] = true
			}
		case wirev1.RowKind_OUTCOME:
			outcomes++
		}
	}
	// A refused change blocks nothing: what follows it is applied.
	if !names["after"] || !names["fine"] || outcomes != 3 {
		t.Errorf("names %v, %d outcomes; %s was to be applied", names, outcomes, after)
	}
}

func TestWork_YearAheadIsRuled(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b1, b2 := g.branch("b1", "e1"), g.branch("b2", "e1")
	b1.skew = 365 * 24 * time.Hour
	id := g.id()
	b1.write(id, customer("from the future"), create)
	b1.write(g.id(), customer("x"), create)
	r := b1.send()
	if len(r.GetRulings()) != 1 || r.GetRulings()[0].GetFirstSeq() != 1 || r.GetRulings()[0].GetLastSeq() != 2 {
		t.Fatalf("rulings %v", r.GetRulings())
	}
	limit := uint64(schema.TickAt(g.now.Add(time.Minute)))
	if at := r.GetRulings()[0].GetFirstAt(); at == 0 || at > limit {
		t.Errorf("ruled to %d", at)
	}
	rows, _ := b1.pull(0, false)
	told := 0
	for _, x := range rows {
		if schema.Kind(x.GetKind()) == schema.Customer {
			told++
		}
	}
	if told != 2 {
		t.Errorf("the author was told of %d ruled records, not 2", told)
	}
	// A later edit elsewhere wins though its clock is a year behind.
	g.now = g.now.Add(time.Minute)
	b2.write(id, customer("later"))
	b2.send()
	rows, _ = b2.pull(0, true)
	for _, x := range rows {
		if string(x.GetRecord()) == string(id[:]) && nameOf(t, x) != "later" {
			t.Errorf("shown is %q", nameOf(t, x))
		}
	}
}
