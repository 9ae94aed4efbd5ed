package report_test

import (
	"context"
	stdsql "database/sql"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/report"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/nkey"
	"branchline/sync/merge"
)

// world is HQ's database with a few branches, and changes that reach it in any order.
type world struct {
	t       testing.TB
	st      *store.Store
	reports *report.Reports
	rnd     *rand.Rand
	mu      sync.Mutex // over now and pace
	now     time.Time
	tick    schema.Tick
	num     map[schema.BranchID]int32
	seq     schema.Seq
	closed  bool
	pace    time.Duration // how far the clock goes on at each look at it
}

// change is one edit of one record, on its way.
type change struct {
	kind  schema.Kind
	id    schema.RecordID
	stamp schema.Stamp
	body  *wirev1.ChangeBody
}

type randReader struct{ r *rand.Rand }

func (r randReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.r.Uint32())
	}
	return len(b), nil
}

func newWorld(t testing.TB, dir string, seed uint64) *world {
	t.Helper()
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 6, 20, 10, 0, 0, 0, time.UTC), num: map[schema.BranchID]int32{}}
	seedKey, err := nkey.NewSeed(randReader{w.rnd})
	must(t, err)
	signer, err := nkey.NewSigner(seedKey)
	must(t, err)
	w.st, err = store.Open(t.Context(), store.Config{Dir: dir, Now: w.clock, Rand: randReader{w.rnd}, Signer: signer})
	must(t, err)
	t.Cleanup(w.close)
	for _, code := range []schema.BranchID{"pd", "mh", "xh"} {
		if b := w.st.Branch(code); b != nil {
			w.num[code] = b.Num
			continue
		}
		must(t, w.st.Write(t.Context(), func(x *store.W) error {
			b, err := x.NewBranch(code, "Branch "+string(code), "e1", w.newID())
			if err == nil {
				w.num[code] = b.Num
			}
			return err
		}))
	}
	w.reports, err = report.New(report.Config{Store: w.st})
	must(t, err)
	w.tick = schema.TickAt(w.now)
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(w.pace)
	return w.now
}

func (w *world) close() {
	if w.closed {
		return
	}
	w.closed = true
	if err := w.st.Close(); err != nil {
		w.t.Error(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) newID() schema.RecordID {
	var id schema.RecordID
	for i := range id {
		id[i] = byte(w.rnd.Uint32())
	}
	return id
}

// edit is a change that writes the message's fields, replacing what the named earlier changes wrote there.
func (w *world) edit(branch schema.BranchID, id schema.RecordID, m proto.Message, replaces ...*change) *change {
	w.t.Helper()
	values, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	must(w.t, err)
	w.seq++
	w.tick++
	c := &change{
		kind: schema.KindOfMessage(m).Kind, id: id,
		stamp: schema.Stamp{At: w.tick, Branch: branch, Inc: 7, Seq: w.seq},
		body:  &wirev1.ChangeBody{At: uint64(w.tick), Values: values},
	}
	k := schema.KindOfMessage(m)
	for _, f := range k.Fields {
		if !m.ProtoReflect().Has(f.Desc) {
			continue
		}
		var names []*wirev1.EntryName
		for _, r := range replaces {
			names = append(names, &wirev1.EntryName{At: uint64(r.stamp.At), Branch: string(r.stamp.Branch), Incarnation: int64(r.stamp.Inc), Seq: int64(r.stamp.Seq)})
		}
		if len(names) > 0 {
			c.body.Names = append(c.body.Names, &wirev1.Names{Field: uint32(f.Number), Entries: names})
		}
	}
	return c
}

// arrive merges the changes into the records as the inbox does, one transaction.
func (w *world) arrive(changes ...*change) {
	w.t.Helper()
	must(w.t, w.st.Write(context.Background(), func(x *store.W) error {
		for _, c := range changes {
			if err := w.merge(x, c); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (w *world) merge(x *store.W, c *change) error {
	k := schema.KindOf(c.kind)
	st, err := merge.FromChange(c.stamp, c.body)
	if err != nil {
		return err
	}
	rec, err := store.RecOf(x, c.id)
	if err != nil {
		return err
	}
	made := rec == nil
	if made {
		rec = &store.Rec{N: x.NextRecord(), ID: c.id, Kind: c.kind, Home: w.num[c.stamp.Branch]}
	} else {
		old, err := merge.Decode(rec.State)
		if err != nil {
			return err
		}
		st = merge.Join(old, st)
	}
	rec.State, rec.Rev = st.Encode(), x.NextRev()
	rec.Columns(k, st.Fold(k))
	if made {
		return x.InsertRecs([]*store.Rec{rec})
	}
	return x.UpdateRec(rec)
}

// group makes the records one (or, alone, none) as golden does: without a rev.
func (w *world) group(ids ...schema.RecordID) {
	w.t.Helper()
	must(w.t, w.st.Write(context.Background(), func(x *store.W) error {
		var smallest *store.Rec
		for _, id := range ids {
			r, err := store.RecOf(x, id)
			if err != nil || r == nil {
				return err
			}
			if smallest == nil || string(r.ID[:]) < string(smallest.ID[:]) {
				smallest = r
			}
		}
		var grp any
		if len(ids) > 1 {
			grp = smallest.N
		}
		for _, id := range ids {
			if _, err := x.Exec("UPDATE record SET grp = $1 WHERE id = $2", grp, id[:]); err != nil {
				return err
			}
		}
		return nil
	}))
}

// fact is one record as a plain reader of the database sees it.
type fact struct {
	id   schema.RecordID
	home string
	grp  int64
	n    int64
	m    proto.Message
}

// everything reads and folds all records, with no help of the reports' tables.
func (w *world) everything() []fact {
	w.t.Helper()
	var out []fact
	must(w.t, w.st.Read(context.Background(), func(r *store.R) error {
		return r.Each("SELECT n, id, kind, home, state, grp FROM record", nil, func(rows *stdsql.Rows) error {
			var f fact
			var id, state []byte
			var kind schema.Kind
			var home int32
			var grp stdsql.NullInt64
			if err := rows.Scan(&f.n, &id, &kind, &home, &state, &grp); err != nil {
				return err
			}
			st, err := merge.Decode(state)
			if err != nil {
				return err
			}
			f.id, f.grp, f.home = schema.RecordID(id), grp.Int64, string(w.st.BranchNum(home).Code)
			f.m, err = st.Message(schema.KindOf(kind))
			out = append(out, f)
			return err
		})
	}))
	return out
}

func (w *world) report(req *branchlinev1.ReportRequest) *branchlinev1.ReportResponse {
	w.t.Helper()
	out, err := w.reports.Report(context.Background(), req)
	must(w.t, err)
	return out
}

func withStop(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	return ctx, stop
}
