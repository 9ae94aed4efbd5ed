package rig

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// When a group has stopped nothing of it runs any more, and its folders are free.
func TestRig_LeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	c := Config{Dir: t.TempDir(), Branches: []Branch{{Code: "b1", Entity: "e1", Name: "One"}, {Code: "b2", Entity: "e1", Name: "Two"}}, Pages: true, Now: time.Now, Rand: rand.Reader}
	for range 2 { // the second time on the folders of the first
		r, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if err := r.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := r.Quiet(ctx); err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		cancel()
	}
	goleak.VerifyNone(t, before)
}
