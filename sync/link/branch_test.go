package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// world is one branch, one HQ and what lies between them, by one seed.
type world struct {
	t     testing.TB
	r     *rand.Rand
	now   time.Time
	codec *schema.PackCodec
	store *fakeStore
	hq    *fakeHQ
	core  *Core
	link  bool
	wires []func() // under way; any may come next unless ordered
	// loss drops that share of packs, doors, receipts and pokes; disorder lets them overtake.
	loss     float64
	disorder bool
	tick     time.Time
	names    int
	dead     bool // the program of the branch is not running
}

func newWorld(t testing.TB, seed uint64) *world {
	z, err := schema.NewPackCodec()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(z.Close)
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 1)), now: start, codec: z}
	w.hq = newFakeHQ("b1", z)
	w.store = &fakeStore{branch: "b1", rows: map[string]int64{}, shown: map[string]bool{}}
	inc, cert := w.hq.issue([]byte("nonce 0"))
	w.store.lives, w.store.nonce = []*fakeLife{{inc: inc, cert: cert}}, 1
	w.boot()
	return w
}

// boot is a start of the branch's program.
func (w *world) boot() {
	c, err := New(Config{
		Branch: "b1", Boot: []byte{byte(w.r.Uint32())}, Store: w.store, Transport: w, Codec: w.codec, Sign: fakeSign, VerifyHQ: fakeVerify,
		SchemaMin: 1, SchemaMax: 1, Rand: w.r, Limits: Limits{PackChanges: 3, Ahead: 8},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.core, w.link, w.wires = c, false, nil
}

func (w *world) up() {
	w.link = true
	w.core.LinkUp(context.Background(), w.now)
	w.ticked()
}

func (w *world) cut() {
	w.link, w.wires = false, nil
	w.core.LinkDown(context.Background(), w.now)
}

func (w *world) ticked() { w.tick = w.core.Tick(context.Background(), w.now) }

func (w *world) lossy(f func()) {
	if w.r.Float64() >= w.loss {
		w.wires = append(w.wires, f)
		if w.r.Float64() < w.loss {
			w.wires = append(w.wires, f) // and once more
		}
	}
}

func (w *world) Pack(token uint64, pack []byte) error {
	if !w.link {
		return errors.New("no link")
	}
	w.lossy(func() {
		stream, seq := w.hq.put(pack)
		w.lossy(func() { w.core.OnDoor(context.Background(), w.now, token, stream, seq, nil) })
		w.wires = append(w.wires, w.hqWorks)
	})
	return nil
}

func (w *world) hqWorks() {
	w.hq.work()
	rs := w.hq.receipts
	w.hq.receipts = nil
	for _, r := range rs {
		w.lossy(func() { w.core.OnReceipt(context.Background(), w.now, r) })
	}
	p := mustMarshal(w.hq.poke())
	w.lossy(func() { w.core.OnPoke(context.Background(), w.now, p) })
}

func (w *world) Ask(id uint64, verb string, req []byte) error {
	if !w.link {
		return errors.New("no link")
	}
	w.wires = append(w.wires, func() {
		b, err := w.hq.answer(verb, req)
		w.wires = append(w.wires, func() { w.core.OnAnswer(context.Background(), w.now, id, b, err) })
	})
	return nil
}

// step lets one thing happen; false when nothing is under way before the given time.
func (w *world) step(until time.Time) bool {
	if len(w.wires) > 0 {
		i := 0
		if w.disorder {
			i = w.r.IntN(len(w.wires))
		}
		f := w.wires[i]
		w.wires = append(w.wires[:i], w.wires[i+1:]...)
		w.now = w.now.Add(time.Millisecond)
		f()
		w.ticked()
		return true
	}
	if w.dead || !w.link || w.tick.IsZero() || w.tick.After(until) {
		return false
	}
	if w.tick.After(w.now) {
		w.now = w.tick
	}
	w.ticked()
	return true
}

func (w *world) run(d time.Duration) {
	until := w.now.Add(d)
	for n := 0; w.now.Before(until) && w.step(until); n++ {
		if n > 200_000 {
			w.t.Fatalf("it spins: %+v", w.core.Status())
		}
	}
	w.now = until
}

func (w *world) write(n int) {
	for range n {
		w.names++
		w.store.write(fmt.Sprintf("r%04d", w.names))
	}
	w.core.Wake(context.Background(), w.now)
	w.ticked()
}

// healed checks that every write ever made is at HQ once and back at the branch.
func (w *world) healed(names int) {
	w.t.Helper()
	for i := 1; i <= names; i++ {
		name := fmt.Sprintf("r%04d", i)
		if w.hq.applied[name] != 1 {
			w.t.Errorf("%s applied %d times", name, w.hq.applied[name])
		}
		if _, ok := w.store.rows[name]; !ok {
			w.t.Errorf("%s did not come back", name)
		}
	}
	if s := w.core.Status(); s.Phase != Open || !s.Full || s.FullPass {
		w.t.Errorf("not open and full: %+v", s)
	}
	if l := w.store.lives[0]; l.mark != schema.Seq(len(l.changes)) {
		w.t.Errorf("watermark stored %d of %d", l.mark, len(l.changes))
	}
}

func TestCore_Plain(t *testing.T) {
	w := newWorld(t, 1)
	w.write(10)
	w.up()
	w.run(time.Second)
	w.write(5)
	w.run(10 * time.Second)
	w.healed(15)
	if w.core.Status().Rewinds != 0 {
		t.Errorf("%d rewinds on a perfect line", w.core.Status().Rewinds)
	}
	if w.core.Status().Hellos != 1 {
		t.Errorf("%d hellos", w.core.Status().Hellos)
	}
}

// Loss, doubling, overtaking, cuts, restarts of either side, UP deleted, either
// folder put back: everything written in a folder that was kept is at HQ once.
func TestCore_Weather(t *testing.T) {
	seeds := uint64(400)
	if testing.Short() {
		seeds = 50
	}
	fired := map[string]int{}
	for seed := range seeds {
		w := newWorld(t, seed)
		w.weather(fired)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, f := range []string{"cut", "restart", "hq restart", "up deleted", "hq restored", "branch restored", "store fails", "pages in pokes"} {
		if fired[f] == 0 {
			t.Errorf("%s never happened", f)
		}
	}
	t.Log(fired)
}

func (w *world) weather(fired map[string]int) {
	w.loss, w.disorder = w.r.Float64()*0.3, w.r.IntN(2) == 0
	w.hq.pushes, w.hq.form = w.r.IntN(3) > 0, w.r.Uint32N(3) // or an older one
	defer func() { fired["pages in pokes"] += w.core.status.Pushed }()
	epoch := int64(1)
	restores := 0
	var oldHQ *fakeHQ
	var oldStore *fakeStore
	lostNames := map[int]bool{}
	oldNames := 0
	w.up()
	for range 40 {
		switch k := w.r.IntN(24); {
		case k < 10:
			w.write(1 + w.r.IntN(8))
		case k < 12:
			fired["cut"]++
			w.cut()
			w.write(w.r.IntN(4))
			w.up()
		case k == 12:
			fired["restart"]++
			w.boot()
			w.up()
		case k == 13:
			fired["hq restart"]++
			w.cut()
			epoch++
			w.hq.start(epoch)
			w.up()
		case k == 14:
			fired["up deleted"]++
			w.hq.newStream()
		case k == 15 && oldHQ == nil:
			oldHQ = w.hq.copy()
		case k == 16 && oldHQ != nil && restores == 0:
			fired["hq restored"]++
			restores++
			w.cut()
			streams := w.hq.streams
			w.hq, oldHQ = oldHQ, nil
			w.hq.streams = streams
			w.hq.newStream()
			epoch++
			w.hq.start(epoch)
			w.up()
		case k == 17 && oldStore == nil:
			oldStore, oldNames = w.store.copy(), w.names
		case k == 18 && oldStore != nil && restores == 0:
			fired["branch restored"]++
			restores++
			// What HQ has not seen of the folder that is thrown away is lost with it.
			w.cut()
			for i := oldNames + 1; i <= w.names; i++ {
				if w.hq.applied[fmt.Sprintf("r%04d", i)] == 0 {
					lostNames[i] = true
				}
			}
			w.store, oldStore = oldStore, nil
			w.boot()
			w.write(w.r.IntN(3))
			w.up()
		case k == 19:
			fired["store fails"]++
			w.store.fail = errors.New("disk full")
		}
		w.run(time.Duration(w.r.IntN(400)) * time.Millisecond)
		if w.core.Stalled(w.now) {
			w.cut()
			w.up()
		}
	}
	// It heals on a link that stands, without another hello.
	w.loss, w.store.fail = 0, nil
	w.run(2 * time.Minute)
	for i := 1; i <= w.names; i++ {
		name := fmt.Sprintf("r%04d", i)
		if n := w.hq.applied[name]; n > 1 || (n == 0 && !lostNames[i]) {
			w.t.Errorf("%s applied %d times", name, n)
		}
		if _, ok := w.store.rows[name]; !ok && w.hq.applied[name] > 0 {
			w.t.Errorf("%s did not come back", name)
		}
	}
	for name := range w.store.rows {
		if w.hq.applied[name] == 0 {
			w.t.Errorf("%s is shown and HQ does not have it", name)
		}
	}
	if s := w.core.Status(); s.Phase != Open || !s.Full || s.FullPass {
		w.t.Errorf("not open and full: %+v", s)
	}
}

func TestCore_ForkTakesBackAndReissues(t *testing.T) {
	w := newWorld(t, 3)
	w.up()
	w.write(7)
	w.run(10 * time.Second)
	old := w.store.copy()
	w.write(8) // 8..15 reach HQ, then the folder is put back
	w.run(10 * time.Second)
	w.cut()
	first := w.store.lives[0].inc
	w.store = old
	w.boot()
	w.names = 100
	w.write(3)
	w.up()
	w.run(20 * time.Second)
	if len(w.store.lives) != 2 || w.store.lives[0].inc == first || !w.store.lives[1].former || len(w.store.lives[1].changes) != 15 {
		t.Fatalf("lives %+v", w.store.lives)
	}
	for i := range 103 {
		want := 0
		if i < 15 || i >= 100 {
			want = 1
		}
		if n := w.hq.applied[fmt.Sprintf("r%04d", i+1)]; n != want {
			t.Errorf("r%04d applied %d times", i+1, n)
		}
	}
	if len(w.hq.applied) != 18 || w.core.Status().Phase != Open {
		t.Errorf("%d applied, %+v", len(w.hq.applied), w.core.Status())
	}
}

// HQ put back to before the branch forked: only the former incarnation's copy at the branch has the changes HQ lost.
func TestCore_FormerIsSentAgain(t *testing.T) {
	w := newWorld(t, 4)
	w.up()
	w.write(4)
	w.run(10 * time.Second)
	oldHQ, oldStore := w.hq.copy(), w.store.copy()
	w.write(6)
	w.run(10 * time.Second)
	w.cut()
	w.store = oldStore
	w.boot()
	w.up()
	w.run(10 * time.Second)
	if len(w.store.lives) != 2 {
		t.Fatal("no fork")
	}
	w.write(2)
	w.run(10 * time.Second)
	w.cut()
	w.hq = oldHQ
	w.hq.streams = 50
	w.hq.newStream()
	w.hq.start(9)
	w.up()
	w.run(20 * time.Second)
	if w.hq.line != wirev1.Line_RESTORED {
		t.Errorf("line %v", w.hq.line)
	}
	w.healed(12)
}

func TestCore_RebuildBelowTheCut(t *testing.T) {
	w := newWorld(t, 5)
	w.up()
	w.write(4)
	w.run(10 * time.Second)
	old := w.hq.copy()
	w.write(6)
	w.run(10 * time.Second)
	w.cut()
	w.store.lives[0].cut = 8
	w.hq = old
	w.hq.streams = 50
	w.hq.newStream()
	w.hq.start(9)
	var got Fork
	w.core.cfg.Store = forkSpy{w.store, &got}
	w.up()
	w.run(5 * time.Second)
	if !got.Rebuild || got.From != 4 || got.New == 0 {
		t.Errorf("fork %+v", got)
	}
}

type forkSpy struct {
	*fakeStore
	got *Fork
}

func (s forkSpy) Fork(_ context.Context, f Fork) error {
	*s.got = f
	return errors.New("enough seen")
}

func TestCore_KeptOut(t *testing.T) {
	for _, row := range []struct {
		edit func(*GateFacts)
		want wirev1.Gate
	}{
		{func(f *GateFacts) { f.OtherBoot = true }, wirev1.Gate_READ_ONLY},
		{func(f *GateFacts) { f.BranchMax = 0 }, wirev1.Gate_LOCAL_ONLY},
		{func(f *GateFacts) { f.Revoked = true }, wirev1.Gate_REFUSED},
	} {
		w := newWorld(t, 6)
		good := w.hq.gate
		row.edit(&w.hq.gate)
		w.hq.ledger = [][]byte{mustMarshal(&wirev1.LedgerEntry{Id: []byte("x")})}
		w.write(3)
		w.up()
		w.run(time.Minute)
		if s := w.core.Status(); s.Phase != Closed || s.Gate != row.want || s.Reason == "" {
			t.Errorf("%v: %+v", row.want, s)
		}
		if len(w.hq.applied) != 0 || w.store.pages != 0 {
			t.Errorf("%v: something flowed", row.want)
		}
		if len(w.store.ledger) != 1 {
			t.Errorf("%v: the ledger did not come down", row.want)
		}
		w.hq.gate = good
		w.run(time.Minute)
		w.healed(3)
	}
}

func TestCore_SalvageSendsTheTailOnce(t *testing.T) {
	w := newWorld(t, 7)
	w.write(5)
	w.hq.gate.Replaced = true
	w.up()
	w.run(10 * time.Second)
	if s := w.core.Status(); s.Phase != Salvage {
		t.Errorf("%+v", s)
	}
	if w.store.pages != 0 {
		t.Error("a page came down")
	}
}

func TestCore_ReceiptsThatDoNotCount(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, 8)
	w.up()
	w.write(6)
	w.run(10 * time.Second)
	w.loss = 1 // from here on nothing that goes up arrives
	w.write(4)
	inc := w.store.lives[0].inc
	own, other := w.store.lives[0].chain(10), schema.Hash{1}
	word := func(edit func(*wirev1.Receipt)) []byte {
		r := &wirev1.Receipt{Branch: "b1", Incarnation: int64(inc), Watermark: 10, Chain: own[:], Epoch: w.hq.epoch(), Rev: int64(w.hq.rev)}
		edit(r)
		return mustWord(r)
	}
	forged := func() []byte {
		s := new(wirev1.Signed)
		if err := proto.Unmarshal(word(func(*wirev1.Receipt) {}), s); err != nil {
			t.Fatal(err)
		}
		s.Signature[0] ^= 1
		return mustMarshal(s)
	}
	for _, row := range []struct {
		name  string
		raw   []byte
		hello bool
	}{
		{"forged", forged(), false},
		{"rubbish", []byte("rubbish"), false},
		{"for another branch", word(func(r *wirev1.Receipt) { r.Branch = "b2" }), false},
		{"other chain", word(func(r *wirev1.Receipt) { r.Chain = other[:] }), true},
		{"beyond what was written", word(func(r *wirev1.Receipt) { r.Watermark = 11 }), true},
		{"other incarnation", word(func(r *wirev1.Receipt) { r.Incarnation++ }), true},
		{"other epoch", word(func(r *wirev1.Receipt) { r.Epoch++ }), true},
		{"HQ asks for a hello", word(func(r *wirev1.Receipt) { r.Hello, r.Watermark, r.Chain = true, 0, nil }), true},
	} {
		w.cut()
		w.up()
		w.run(time.Second)
		w.now = w.now.Add(time.Minute)
		w.core.OnReceipt(ctx, w.now, row.raw)
		if got := w.core.Status().Phase == Greeting; got != row.hello {
			t.Errorf("%s: hello %v", row.name, got)
		}
		w.core.Tick(ctx, w.now.Add(time.Second))
		if w.store.lives[0].mark != 6 {
			t.Errorf("%s: stored as watermark %d", row.name, w.store.lives[0].mark)
		}
	}
	w.cut()
	w.up()
	w.run(time.Second)
	w.core.OnReceipt(ctx, w.now, word(func(*wirev1.Receipt) {}))
	w.core.Tick(ctx, w.now.Add(time.Second))
	if w.store.lives[0].mark != 10 {
		t.Error("the good one did not count: the test proves nothing")
	}
}

// Time alone never makes the sender go back.
func TestCore_NeverRewindsByTime(t *testing.T) {
	w := newWorld(t, 9)
	w.up()
	w.run(time.Second)
	w.core.cfg.Transport = deaf{w}
	w.write(9)
	sent := w.core.Status().Sent
	for range 1000 {
		w.now = w.now.Add(time.Second)
		w.core.Tick(context.Background(), w.now)
	}
	if s := w.core.Status(); s.Rewinds != 0 || s.Sent != sent || sent == 0 {
		t.Errorf("%+v, had sent %d", s, sent)
	}
	if !w.core.Stalled(w.now) {
		t.Error("a silent link is not seen to be stalled")
	}
}

type deaf struct{ *world }

func (deaf) Pack(uint64, []byte) error        { return nil }
func (deaf) Ask(uint64, string, []byte) error { return nil }

// A gap is made good by the receipt that names it, before any heartbeat could.
func TestCore_GapRewindsOnce(t *testing.T) {
	w := newWorld(t, 10)
	w.up()
	w.run(time.Second)
	first := true
	w.core.cfg.Transport = packFilter{w, func([]byte) bool { keep := !first; first = false; return keep }}
	w.write(12) // four packs, the first is lost on the way
	w.run(100 * time.Millisecond)
	if s := w.core.Status(); s.Mark != 12 || s.Rewinds != 1 {
		t.Errorf("mark %d after %d rewinds", s.Mark, s.Rewinds)
	}
}

// Packs that lay in an UP that is gone are sent again when HQ next says which UP there is.
func TestCore_AnotherUpRewinds(t *testing.T) {
	w := newWorld(t, 11)
	w.up()
	w.run(time.Second)
	at := w.core
	w.core.cfg.Transport = packFilter{w, func(b []byte) bool {
		stream, seq := w.hq.put(b)
		token := at.send.token
		w.wires = append(w.wires, func() { at.OnDoor(context.Background(), w.now, token, stream, seq, nil) })
		return false
	}}
	w.write(3)
	for len(w.wires) > 0 {
		w.step(w.now)
	}
	w.hq.newStream() // with the pack in it
	w.core.cfg.Transport = w
	w.run(3 * time.Second)
	if s := w.core.Status(); s.Mark != 3 || s.Rewinds != 1 {
		t.Errorf("mark %d after %d rewinds", s.Mark, s.Rewinds)
	}
}

// packFilter passes on the packs that keep lets pass.
type packFilter struct {
	*world
	keep func([]byte) bool
}

func (f packFilter) Pack(token uint64, b []byte) error {
	if f.keep(b) {
		return f.world.Pack(token, b)
	}
	return nil
}
