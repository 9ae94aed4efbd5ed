package hq

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"testing"
	"time"

	"branchline/hq/feed"
	"branchline/hq/inbox"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/bus/nkey"
)

func TestZone_IsThatOfMostBranches(t *testing.T) {
	seed, err := nkey.NewSeed(rand.Reader)
	key, kerr := nkey.NewSigner(seed)
	s, serr := store.Open(t.Context(), store.Config{Dir: t.TempDir(), Now: time.Now, Rand: rand.Reader, Signer: key, Readers: 1})
	if err := errors.Join(err, kerr, serr); err != nil {
		t.Fatal(err)
	}
	defer s.Close() // what it could not give back, the next test does not need
	log := slog.New(slog.DiscardHandler)
	in, err := inbox.New(inbox.Config{Store: s, Scope: feed.NewScope(s), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	by := inbox.By{Actor: "boss", Role: branchlinev1.Role_ROLE_HQ_ADMINISTRATOR}
	if _, err := in.AddEntity(t.Context(), "e1", "E", by); err != nil {
		t.Fatal(err)
	}
	q := &HQ{store: s, log: log}
	for _, step := range []struct{ code, zone, want string }{
		{"", "", "Asia/Shanghai"},
		{"b1", "America/New_York", "America/New_York"},
		{"b2", "Asia/Urumqi", "America/New_York"}, // as many: by name
		{"b3", "", "Asia/Shanghai"},               // one each: the usual one is among them
		{"b4", "Asia/Shanghai", "Asia/Shanghai"},
		{"b5", "Asia/Urumqi", "Asia/Shanghai"}, // as many: the usual one
		{"b6", "Asia/Urumqi", "Asia/Urumqi"},
	} {
		if step.code != "" {
			if _, err := in.AddBranchIn(t.Context(), schema.BranchID(step.code), step.code, "e1", step.zone, by); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.readZone(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := q.Zone().String(); got != step.want {
			t.Errorf("after %s: %s, want %s", step.code, got, step.want)
		}
	}
	if err := in.Retire(t.Context(), "b6"); err != nil {
		t.Fatal(err)
	}
	if err := q.readZone(t.Context()); err != nil || q.Zone().String() != "Asia/Shanghai" {
		t.Errorf("a retired branch counts: %s %v", q.Zone(), err)
	}
}
