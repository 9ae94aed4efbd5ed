package blobs

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/nkey"
	"branchline/sync/merge"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// group is a headquarters with files.
type group struct {
	*Blobs
	t   *testing.T
	now time.Time
	n   byte
}

func newGroup(t *testing.T) *group {
	d := rand.NewChaCha8([32]byte{1})
	seed, err := nkey.NewSeed(d)
	check(t, err)
	key, err := nkey.NewSigner(seed)
	check(t, err)
	g := &group{t: t, now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return g.now }
	st, err := store.Open(t.Context(), store.Config{Dir: t.TempDir(), Now: clock, Rand: d, Signer: key})
	check(t, err)
	t.Cleanup(func() { check(t, st.Close()) })
	files, err := blob.Open(t.TempDir(), clock)
	check(t, err)
	g.Blobs, err = New(Config{Store: st, Files: files, Now: clock, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	return g
}

// name writes an attachment that names a file.
func (g *group) name(h blob.Hash, size int64) {
	g.t.Helper()
	g.n++
	values, err := proto.Marshal(&branchlinev1.Attachment{Hash: h[:], Size: proto.Int64(size)})
	check(g.t, err)
	state, ok := merge.EncodeFresh(schema.Stamp{At: schema.Tick(g.n), Branch: "pd", Inc: 5, Seq: schema.Seq(g.n)}, &wirev1.ChangeBody{Values: values})
	if !ok {
		g.t.Fatal("not fresh")
	}
	check(g.t, g.c.Store.Write(g.t.Context(), func(w *store.W) error {
		return w.InsertRecs([]*store.Rec{{N: w.NextRecord(), ID: schema.RecordID{g.n}, Kind: schema.Attachment, Home: store.HQNum, Rev: w.NextRev(), State: state}})
	}))
}

// What attachments name stays and is missed when it is not here; what nothing names goes after long, or when it is said.
func TestLook_keepsWhatIsNamed(t *testing.T) {
	g := newGroup(t)
	named, orphan, absent := []byte("named"), []byte("an orphan"), []byte("still at its branch")
	for _, b := range [][]byte{named, orphan} {
		_, err := g.c.Files.Put(b)
		check(t, err)
	}
	g.name(blob.HashOf(named), int64(len(named)))
	g.name(blob.HashOf(absent), int64(len(absent)))
	has := func(b []byte) bool { _, ok := g.c.Files.Has(blob.HashOf(b)); return ok }
	for _, days := range []int{0, 80, 20} {
		g.now = g.now.AddDate(0, 0, days)
		check(t, g.look(t.Context()))
		if late := days == 20; !has(named) || has(orphan) == late {
			t.Errorf("named: %v, orphan: %v at %s", has(named), has(orphan), g.now)
		}
	}
	if files, size, missing := g.Standing(); files != 1 || size != int64(len(named)) || missing != 1 {
		t.Errorf("%d files of %d bytes, %d missing", files, size, missing)
	}
	if gone, err := g.Erase(t.Context(), blob.HashOf(named)); gone || err != nil {
		t.Errorf("what is named is erased: %v %v", gone, err)
	}
	h, err := g.c.Files.Put(orphan)
	check(t, err)
	if gone, err := g.Erase(t.Context(), h); !gone || err != nil || has(orphan) {
		t.Errorf("%v %v", gone, err)
	}
	read, damaged, missing, err := g.Check(t.Context())
	if read != 1 || len(damaged) != 0 || len(missing) != 1 || missing[0] != blob.HashOf(absent) || err != nil {
		t.Errorf("%d read, damaged %v, missing %v: %v", read, damaged, missing, err)
	}
}

// Nobody but a branch of the group is answered.
func TestAsking_aBranchOnly(t *testing.T) {
	g := newGroup(t)
	for _, b := range []schema.BranchID{"zz", schema.HQ, ""} {
		_, err1 := g.Put(t.Context(), b, &wirev1.BlobPut{})
		_, err2 := g.Get(t.Context(), b, &wirev1.BlobGet{})
		_, err3 := g.Ask(t.Context(), b, &wirev1.BlobAsk{})
		for _, err := range []error{err1, err2, err3} {
			if !errors.Is(err, schema.ErrNotFound) {
				t.Errorf("%q: %v", b, err)
			}
		}
	}
}
