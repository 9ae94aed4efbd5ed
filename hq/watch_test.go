package hq

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"branchline/hq/store"
	"branchline/sync/bus/nkey"
)

// Every commit is told to who was listening before it, several as one if need be; the listening ends with its context.
func TestChanges_TellOfEveryCommit(t *testing.T) {
	seed, err := nkey.NewSeed(rand.Reader)
	key, kerr := nkey.NewSigner(seed)
	s, serr := store.Open(t.Context(), store.Config{Dir: t.TempDir(), Now: time.Now, Rand: rand.Reader, Signer: key, Readers: 1})
	if err := errors.Join(err, kerr, serr); err != nil {
		t.Fatal(err)
	}
	defer s.Close() // what it could not give back, the next test does not need
	ctx, stop := context.WithCancel(t.Context())
	events := changes{s.Committed}.Subscribe(ctx)
	for i := range 3 {
		if err := s.Write(t.Context(), func(w *store.W) error { return w.SetSite("note", []byte{byte(i)}) }); err != nil {
			t.Fatal(err)
		}
		select {
		case e, open := <-events:
			if !open || !e.Records || !e.Line {
				t.Fatalf("commit %d: %+v, open %v", i, e, open)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("commit %d was not told", i)
		}
	}
	stop()
	select {
	case _, open := <-events:
		if open {
			t.Error("told of a commit that was none")
		}
	case <-time.After(20 * time.Second):
		t.Error("the listening did not end")
	}
}
