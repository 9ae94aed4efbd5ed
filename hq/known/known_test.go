package known

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	filter "branchline/schema/known"
	"branchline/sync/bus/nkey"
	"branchline/sync/merge"
)

type dice struct{ r *rand.Rand }

func (d dice) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(d.r.Uint32())
	}
	return len(b), nil
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type group struct {
	t   testing.TB
	st  *store.Store
	k   *Known
	now time.Time
	seq int64
}

func newGroup(t testing.TB) *group {
	t.Helper()
	d := dice{rand.New(rand.NewPCG(1, 2))}
	seed, err := nkey.NewSeed(d)
	check(t, err)
	key, err := nkey.NewSigner(seed)
	check(t, err)
	g := &group{t: t, now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return g.now }
	g.st, err = store.Open(t.Context(), store.Config{Dir: t.TempDir(), Now: clock, Rand: d, Signer: key})
	check(t, err)
	t.Cleanup(func() { check(t, g.st.Close()) })
	g.k, err = New(g.st, slog.New(slog.DiscardHandler), clock)
	check(t, err)
	return g
}

// put writes records, each under the number it is given.
func (g *group) put(records map[uint32]proto.Message, retired ...uint32) {
	g.t.Helper()
	check(g.t, g.st.Write(context.Background(), func(w *store.W) error {
		for n, m := range records {
			g.seq++
			values, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
			if err != nil {
				return err
			}
			state, ok := merge.EncodeFresh(schema.Stamp{At: schema.Tick(g.seq), Branch: "pd", Inc: 5, Seq: schema.Seq(g.seq)}, &wirev1.ChangeBody{Values: values})
			if !ok {
				return errors.New("not fresh")
			}
			kind := schema.Customer
			if _, ok := m.(*branchlinev1.Vehicle); ok {
				kind = schema.Vehicle
			}
			id := schema.RecordID{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
			rec, err := store.RecOf(w, id)
			if err != nil {
				return err
			}
			if rec == nil {
				rec = &store.Rec{N: w.NextRecord(), ID: id, Kind: kind, Home: store.HQNum, Rev: w.NextRev(), State: state}
				if err := w.InsertRecs([]*store.Rec{rec}); err != nil {
					return err
				}
				continue
			}
			rec.State, rec.Rev = state, w.NextRev()
			for _, r := range retired {
				if r == n {
					rec.Retired = g.now.UnixMilli()
				}
			}
			if err := w.UpdateRec(rec); err != nil {
				return err
			}
		}
		return nil
	}))
}

func customer(phone string) *branchlinev1.Customer {
	return &branchlinev1.Customer{Name: proto.String("何平"), Phones: []*branchlinev1.Phone{{Number: proto.String(phone)}}}
}

// fetch puts the filter together as a branch does.
func (g *group) fetch() *filter.Filter {
	g.t.Helper()
	var raw []byte
	version := g.k.Version()
	for n := int32(0); ; n++ {
		r, err := g.piece(version, n)
		check(g.t, err)
		raw = append(raw, r.GetData()...)
		if n+1 == r.GetPieces() {
			if int64(len(raw)) != r.GetSize() || sha256.Sum256(raw) != [32]byte(version) {
				g.t.Fatalf("%d bytes of %d, or others than promised", len(raw), r.GetSize())
			}
			f, err := filter.Open(bytes.NewReader(raw), int64(len(raw)))
			check(g.t, err)
			if !f.Of(filter.NewMarker(g.st.IDKey())) {
				g.t.Fatal("the filter is of another key")
			}
			return f
		}
	}
}

func (g *group) piece(version []byte, n int32) (*wirev1.KnownReply, error) {
	r, err := g.k.reply(g.t.Context(), &wirev1.KnownRequest{Version: version, Piece: n})
	return r, err
}

func (g *group) knows(f *filter.Filter, things []filter.Thing) bool {
	g.t.Helper()
	if len(things) != 1 {
		g.t.Fatalf("%d things", len(things))
	}
	ok, err := f.Has(things[0].Sort, filter.NewMarker(g.st.IDKey()).Mark(things[0]))
	check(g.t, err)
	return ok
}

func TestKnown_isOfWhoIsInForceAndShares(t *testing.T) {
	g := newGroup(t)
	refused := customer("13800138003")
	refused.ConsentSharing = &branchlinev1.Consent{Given: proto.Bool(false)}
	hash := bytes.Repeat([]byte{7}, 32)
	full := customer("138 0013 8001 / 13911112222")
	full.IdHash = hash
	g.put(map[uint32]proto.Message{
		1: full, 2: customer("13800138002"), 3: refused, 4: &branchlinev1.Vehicle{Vin: proto.String("LSVAA4187E2184847")}, 5: customer("无"),
	})
	check(t, g.k.Make(t.Context()))
	f := g.fetch()
	for what, want := range map[string]bool{"13800138001": true, "13911112222": true, "13800138002": true, "13800138003": false, "13800138009": false} {
		if g.knows(f, filter.Phones(what)) != want {
			t.Errorf("%s known: %v", what, !want)
		}
	}
	if !g.knows(f, filter.IDs(hash)) || !g.knows(f, filter.VINs("lsvaa4187e2184847")) {
		t.Error("id or VIN is not known")
	}
	first := g.k.Version()

	// Nothing new: the same bytes. A name is nothing new.
	g.put(map[uint32]proto.Message{2: &branchlinev1.Customer{Name: proto.String("平何"), Phones: customer("13800138002").Phones}})
	check(t, g.k.Make(t.Context()))
	if !bytes.Equal(first, g.k.Version()) {
		t.Error("the same set made another filter")
	}
	// Who retires goes out of it, a new number comes in, and the old one goes.
	g.put(map[uint32]proto.Message{2: customer("13800138002")}, 2)
	g.put(map[uint32]proto.Message{1: customer("13800138004")})
	check(t, g.k.Make(t.Context()))
	f = g.fetch()
	for what, want := range map[string]bool{"13800138001": false, "13800138002": false, "13800138004": true} {
		if g.knows(f, filter.Phones(what)) != want {
			t.Errorf("%s known: %v", what, !want)
		}
	}
	if r, err := g.piece(first, 0); err != nil || len(r.GetData()) > 0 || !bytes.Equal(r.GetVersion(), g.k.Version()) {
		t.Errorf("a piece of a version that is gone: %d bytes, %v", len(r.GetData()), err)
	}
	for _, n := range []int32{-1, 1, 1 << 30} {
		if _, err := g.piece(g.k.Version(), n); !errors.Is(err, schema.ErrNotFound) {
			t.Errorf("piece %d: %v", n, err)
		}
	}
	if _, err := g.k.Piece(t.Context(), "none", &wirev1.KnownRequest{}); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("a branch there is not: %v", err)
	}
}

func TestKnown_isMadeWhenItIsDue(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	for name, x := range map[string]struct {
		m    made
		age  time.Duration
		want bool
	}{
		"never made":              {made{changed: 1}, 0, true},
		"nothing to make it of":   {made{}, 0, false},
		"one in a hundred":        {made{records: 1000, changed: 10}, time.Hour, false},
		"more than that":          {made{records: 1000, changed: 11}, time.Hour, true},
		"made a moment ago":       {made{records: 10, changed: 10}, time.Second, false},
		"a million, a moment ago": {made{records: 1_000_000, changed: 100_000}, time.Minute, false},
		"a million, a while ago":  {made{records: 1_000_000, changed: 100_000}, time.Hour, true},
		"yesterday's":             {made{records: 1000, changed: 1}, 24 * time.Hour, true},
		"nothing new for a month": {made{records: 1000}, 720 * time.Hour, false},
		"made in the future":      {made{records: 1000, changed: 1}, -48 * time.Hour, true},
	} {
		if x.age != 0 {
			x.m.madeAt = at.Add(-x.age).UnixMilli()
		}
		if got := x.m.due(at); got != x.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	// Those that changed while it was made, and before, are counted.
	g := newGroup(t)
	g.put(map[uint32]proto.Message{1: customer("13800138001")})
	check(t, g.k.follow.CatchUp(t.Context()))
	check(t, g.k.keep(t.Context()))
	if len(g.k.Version()) == 0 {
		t.Fatal("no filter was made of the first customer")
	}
	g.put(map[uint32]proto.Message{1: customer("13800138002"), 2: customer("13800138003")})
	check(t, g.k.follow.CatchUp(t.Context()))
	if m, err := g.k.read(t.Context()); err != nil || m.changed != 2 {
		t.Errorf("%d changed, %v", m.changed, err)
	}
	before := g.k.Version()
	check(t, g.k.keep(t.Context()))
	if !bytes.Equal(before, g.k.Version()) {
		t.Error("made anew at once")
	}
	g.now = g.now.Add(time.Minute)
	check(t, g.k.keep(t.Context()))
	if m, err := g.k.read(t.Context()); err != nil || m.changed != 0 || bytes.Equal(before, m.version) {
		t.Errorf("not made anew: %d changed, %v", m.changed, err)
	}
}

// The filter of a million customers and as many cars: go test -bench Make -benchtime 1x ./hq/known
func BenchmarkMake(b *testing.B) {
	g := newGroup(b)
	const n = 1_000_000
	for i := uint32(0); i < n; {
		batch := map[uint32]proto.Message{}
		for range 5000 {
			batch[i<<1] = customer(fmt.Sprintf("1%010d", 3e9+uint64(i)*6373))
			batch[i<<1|1] = &branchlinev1.Vehicle{Vin: proto.String(fmt.Sprintf("LSVAA4187E%07d", i))}
			i++
		}
		g.put(batch)
	}
	start := time.Now()
	check(b, g.k.follow.CatchUp(b.Context()))
	followed := time.Since(start)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, peak := m.HeapAlloc, uint64(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range time.Tick(20 * time.Millisecond) {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
			if len(g.k.Version()) > 0 {
				return
			}
		}
	}()
	for b.Loop() {
		check(b, g.k.Make(b.Context()))
	}
	<-done
	b.ReportMetric(float64(peak-min(peak, before))/1e6, "MB-at-most")
	b.ReportMetric(2*n/followed.Seconds(), "records-followed/s")
	b.ReportMetric(float64(g.k.last.size), "bytes")
}
