package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// The simulator itself, without any party.

func world(seed uint64) *World {
	w := &World{rng: rand.New(rand.NewPCG(seed, 1)), now: epochStart, faults: map[Fault]int{}}
	w.hub.w, w.net.w, w.people.w, w.up.w = w, w, w, w
	w.audit.init()
	return w
}

func TestNetwork_KeepsOrderInGoodWeather(t *testing.T) {
	w := world(1)
	r := &road{}
	var got []int
	for i := range 200 {
		w.net.send(lanePack, r, true, func() { got = append(got, i) })
	}
	w.runUntil(w.now.Add(time.Minute))
	if len(got) != 200 || !slices.IsSorted(got) || w.net.flying != 0 {
		t.Fatalf("%d words, %d under way: %v", len(got), w.net.flying, got)
	}
	if len(w.faults) != 0 {
		t.Fatalf("faults in good weather: %v", w.faults)
	}
}

func TestNetwork_DoesEveryHarm(t *testing.T) {
	w := world(2)
	w.net.pDrop, w.net.pDelay, w.net.pDouble, w.net.pReorder = 0.1, 0.1, 0.1, 0.3
	r := &road{}
	var got []int
	for i := range 2000 {
		w.net.send(laneReply, r, true, func() { got = append(got, i) })
	}
	w.runUntil(w.now.Add(time.Minute))
	if slices.IsSorted(got) || w.net.flying != 0 {
		t.Fatal("all in order")
	}
	drops, doubles := w.faults["drop reply"], w.faults["double reply"]
	if drops == 0 || doubles == 0 || w.faults["delay reply"] == 0 || w.faults["reorder reply"] == 0 {
		t.Fatalf("%v", w.faults)
	}
	if len(got) != 2000-drops+doubles {
		t.Fatalf("%d arrived, %d dropped, %d doubled", len(got), drops, doubles)
	}
	w.end = true
	clear(w.faults)
	if !w.net.send(laneReply, r, false, func() {}) || len(w.faults) != 0 {
		t.Fatal("harm after the end of faults")
	}
}

func TestUp_IsAWorkQueueThatForgets(t *testing.T) {
	w := world(3)
	w.up.anew()
	all := func(*upPack) bool { return true }
	for i := range upPacks {
		if n, err := w.up.put("aa", []byte{byte(i)}); err != nil || n != uint64(i+1) {
			t.Fatal(n, err)
		}
	}
	if _, err := w.up.put("aa", nil); !errors.Is(err, errUpFull) {
		t.Fatalf("the 65th pack of a branch: %v", err)
	}
	if _, err := w.up.put("bb", nil); err != nil {
		t.Fatalf("another branch: %v", err)
	}
	first := w.up.hand(10, all)
	if len(first) != 10 || first[0].Seq != 1 || first[9].Seq != 10 {
		t.Fatalf("%v", first)
	}
	for _, p := range first[:4] {
		if err := p.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	w.up.settle()
	if next := w.up.hand(1, all); next[0].Seq != 11 || len(w.up.packs) != upPacks+1-4 {
		t.Fatalf("%v, %d packs", next, len(w.up.packs))
	}
	w.now = w.now.Add(ackWait)
	if again := w.up.hand(1, all); again[0].Seq != 5 {
		t.Fatalf("not acked in time, came %v", again)
	}
	w.up.unhand()
	if again := w.up.hand(1, all); again[0].Seq != 5 {
		t.Fatalf("another consumer got %v", again)
	}
	id := w.up.id
	w.up.anew()
	if w.up.waiting() || w.up.id == id || w.up.seq != 0 {
		t.Fatal("a stream made anew remembers")
	}
	// An ack of the old stream's pack says nothing of the new one's.
	if _, err := w.up.put("aa", nil); err != nil {
		t.Fatal(err)
	}
	if err := first[9].Ack(); err != nil {
		t.Fatal(err)
	}
	w.up.settle()
	if len(w.up.packs) != 1 {
		t.Fatal("an old ack took a new pack")
	}
}

func TestWorld_TimeAndOrder(t *testing.T) {
	w := world(4)
	var got []string
	say := func(s string) func() {
		return func() { got = append(got, fmt.Sprint(s, w.now.Sub(epochStart).Milliseconds())) }
	}
	w.after(5*time.Millisecond, say("b"))
	w.after(time.Millisecond, func() { say("a")(); w.after(4*time.Millisecond, say("c")) })
	w.after(time.Hour, say("never"))
	w.runUntil(epochStart.Add(time.Second))
	if s := strings.Join(got, " "); s != "a1 b5 c5" || w.now != epochStart.Add(time.Second) || w.count != 3 {
		t.Fatal(s, w.now, w.count)
	}
}

func TestFail_KeepsTheFirstWithItsTrace(t *testing.T) {
	w := world(5)
	a, b := schema.RecordID{1}, schema.RecordID{2}
	w.note(a, "of a")
	w.note(b, "of b")
	w.note(zeroID, "of all")
	w.fail("I1", a, "first")
	w.fail("I2", b, "second")
	if f := w.failed; f.Invariant != "I1" || len(f.Trace) != 2 || !strings.HasSuffix(f.Trace[0], "of a") || !strings.HasSuffix(f.Trace[1], "of all") {
		t.Fatalf("%+v", f)
	}
}

func TestCopyDir_LeavesWhatIsToStay(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for name, at := range map[string]string{"x.db": from, "x.db-wal": from, "x.db-shm": from, "ledger": from, "old": to} {
		if err := os.WriteFile(filepath.Join(at, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(to, "ledger"), []byte("newer"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copyDir(from, to, []string{"ledger"}); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(to)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	kept, err := os.ReadFile(filepath.Join(to, "ledger"))
	if s := strings.Join(names, " "); s != "ledger x.db x.db-wal" || string(kept) != "newer" || err != nil {
		t.Fatal(s, string(kept), err)
	}
}

// chain is a log written by hand.
type chain struct {
	t      *testing.T
	branch schema.BranchID
	inc    schema.Incarnation
	seq    schema.Seq
	last   schema.Hash
}

func (c *chain) add(b *wirev1.ChangeBody) stored {
	c.t.Helper()
	raw, err := proto.Marshal(b)
	if err != nil {
		c.t.Fatal(err)
	}
	c.seq++
	s := schema.Seal(schema.ChangeID{Branch: c.branch, Inc: c.inc, Seq: c.seq}, c.last, [16]byte{byte(c.inc)}, raw)
	c.last = s.Chain
	return stored{Sealed: s, from: c.inc}
}

func prefs(t *testing.T, at uint64, id schema.RecordID, values ...string) *wirev1.ChangeBody {
	t.Helper()
	b, err := proto.Marshal(&branchlinev1.Customer{Preferences: values})
	if err != nil {
		t.Fatal(err)
	}
	return &wirev1.ChangeBody{At: at, Kind: uint32(schema.Customer), Record: id[:], Values: b}
}

func naming(b *wirev1.ChangeBody, id schema.ChangeID) *wirev1.ChangeBody {
	b.Names = append(b.Names, &wirev1.Names{Field: 21, Entries: []*wirev1.EntryName{{Branch: string(id.Branch), Incarnation: int64(id.Inc), Seq: int64(id.Seq)}}})
	return b
}

// The auditor's own join: copies are one edit, what two machines wrote under one
// number are two, and names mean what their author knew.
func TestJoin_CountsEachEditOnce(t *testing.T) {
	w := world(6)
	id := schema.RecordID{9}
	in := func(run uint32, b *wirev1.ChangeBody) *wirev1.ChangeBody { b.Run = run; return b }
	old := &chain{t: t, branch: "aa", inc: 11}
	first := old.add(in(1, prefs(t, 1, id, "tea")))
	common := old.last
	coffee := func() *wirev1.ChangeBody { return in(2, prefs(t, 2, id, "coffee")) }
	name := schema.StampOf(schema.ChangeID{Branch: "aa", Inc: 11, Seq: 2}, 2, coffee()).Edit()
	milk := func() *wirev1.ChangeBody { return in(2, naming(prefs(t, 3, id, "milk"), name)) } // in place of its coffee
	mine := old.add(coffee())                                                                 // 11/2 as this machine wrote it
	change := old.add(milk())
	theirs := (&chain{t, "aa", 11, 1, common}).add(in(3, prefs(t, 4, id, "water"))) // 11/2 as HQ has it
	reissue := func(to *chain, s stored, b *wirev1.ChangeBody) stored {
		b.Origin = &wirev1.Origin{Incarnation: 11, Seq: int64(s.ID.Seq), Chain: s.Chain[:]}
		return to.add(b)
	}
	fresh, again := &chain{t: t, branch: "aa", inc: 12}, &chain{t: t, branch: "aa", inc: 13}
	list := []stored{first, theirs, reissue(fresh, mine, coffee()), reissue(fresh, change, milk())}
	k := schema.KindOf(schema.Customer)
	want, err := merge.FromChange(schema.Stamp{At: 1}, prefs(t, 1, id, "tea", "milk", "water"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, list []stored) {
		t.Helper()
		got, err := w.join(&Books{}, list)
		if err != nil {
			t.Fatal(err)
		}
		if string(got[id].Fold(k)) != string(want.Fold(k)) {
			t.Errorf("%s: %s", what, describe(got[id]))
		}
	}
	check("re-issued", list)
	copied := reissue(again, mine, coffee())
	check("re-issued twice", append(list, copied))
	check("backwards", []stored{copied, list[3], list[2], theirs, first})
	check("without the first copy", []stored{first, theirs, list[3], copied})

	// Two edits of one run under one number are a mistake that must be seen.
	double := (&chain{t, "aa", 11, 1, common}).add(in(2, prefs(t, 5, id, "beer")))
	if _, err := w.join(&Books{}, []stored{mine, double}); err == nil {
		t.Error("two edits of one name are taken for one")
	}
}
