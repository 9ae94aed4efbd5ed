package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	filter "branchline/schema/known"
)

var groupKey = []byte("0123456789abcdef0123456789abcdef")

// given is an HQ that has a filter of some numbers.
type given struct {
	raw    []byte
	piece  int
	spoil  func(n int32, r *wirev1.KnownReply)
	asked  int
	answer error
}

func filterOf(numbers ...string) []byte {
	b, m := filter.NewBuilder(groupKey), filter.NewMarker(groupKey)
	for _, n := range numbers {
		for _, t := range filter.Phones(n) {
			b.Add(t.Sort, m.Mark(t))
		}
	}
	return b.Bytes()
}

func (g *given) version() string { s := sha256.Sum256(g.raw); return string(s[:]) }

func (g *given) ask(_ context.Context, _ string, raw []byte) ([]byte, error) {
	if g.asked++; g.answer != nil {
		return nil, g.answer
	}
	req := new(wirev1.KnownRequest)
	if err := proto.Unmarshal(raw, req); err != nil {
		return nil, err
	}
	r := &wirev1.KnownReply{Version: []byte(g.version()), Size: int64(len(g.raw)), Pieces: int32((len(g.raw) + g.piece - 1) / g.piece), MadeAt: 1700000000000}
	if bytes.Equal(req.GetVersion(), r.GetVersion()) {
		at := min(int(req.GetPiece())*g.piece, len(g.raw))
		r.Data = g.raw[at:min(at+g.piece, len(g.raw))]
	}
	if g.spoil != nil {
		g.spoil(req.GetPiece(), r)
	}
	return proto.Marshal(r)
}

func (h *hearsay) knows(t *testing.T, number string) bool {
	t.Helper()
	out, at, err := h.Perhaps(t.Context(), filter.Phones(number))
	if err != nil {
		t.Fatal(err)
	}
	return out[0] && at == 1700000000000
}

func TestHearsay_takesOnlyTheWholeFilterThatWasNamed(t *testing.T) {
	h := &hearsay{dir: t.TempDir(), key: func(context.Context) ([]byte, error) { return groupKey, nil }}
	t.Cleanup(func() {
		if err := h.shut(); err != nil {
			t.Error(err)
		}
	})
	if h.knows(t, "13812345001") {
		t.Error("something is known before there is a filter")
	}
	if s, err := h.Stands(); s != nil || err != nil {
		t.Errorf("a status tells of a filter that is not there: %v, %v", s, err)
	}
	old := &given{raw: filterOf("13812345001"), piece: 50}
	if err := h.fetch(t.Context(), old.ask, old.version()); err != nil || old.asked < 2 {
		t.Fatalf("%v, in %d pieces", err, old.asked)
	}
	if !h.knows(t, "13812345001") || h.knows(t, "13812345002") || !h.has(old.version()) {
		t.Error("the filter does not answer")
	}
	// Whatever goes wrong with another, the old one stays, and nothing is left lying about.
	for name, spoil := range map[string]func(int32, *wirev1.KnownReply){
		"a piece changed":    func(n int32, r *wirev1.KnownReply) { r.Data = bytes.ToUpper(append([]byte{}, r.GetData()...)) },
		"a piece missing":    func(n int32, r *wirev1.KnownReply) { r.Pieces-- },
		"an empty piece":     func(n int32, r *wirev1.KnownReply) { r.Data = nil },
		"pieces without end": func(n int32, r *wirev1.KnownReply) { r.Pieces, r.Data = n+2, make([]byte, 8<<20) },
		"another meanwhile":  func(n int32, r *wirev1.KnownReply) { r.Version = []byte(fmt.Sprint("v", n/2)) },
	} {
		g := &given{raw: filterOf("13812345001", "13812345002", "13812345003"), piece: 50, spoil: spoil}
		if err := h.fetch(t.Context(), g.ask, g.version()); err == nil {
			t.Errorf("%s: taken", name)
		}
		if !h.knows(t, "13812345001") || !h.has(old.version()) {
			t.Errorf("%s: the old one is gone", name)
		}
		if list, err := os.ReadDir(h.dir); err != nil || len(list) != 1 {
			t.Errorf("%s: %d files, %v", name, len(list), err)
		}
	}
	down := &given{answer: fmt.Errorf("cut: %w", schema.ErrUnavailable)}
	if err := h.fetch(t.Context(), down.ask, "x"); !errors.Is(err, schema.ErrUnavailable) {
		t.Error(err)
	}
	fresh := &given{raw: filterOf("13812345002"), piece: 1 << 20}
	if err := h.fetch(t.Context(), fresh.ask, fresh.version()); err != nil {
		t.Fatal(err)
	}
	if h.knows(t, "13812345001") || !h.knows(t, "13812345002") {
		t.Error("the new one does not answer")
	}
}

// What lies in the folder counts after a restart, if it is a filter and of the group's key.
func TestHearsay_isReadAgain(t *testing.T) {
	dir := t.TempDir()
	key := groupKey
	h := &hearsay{dir: dir, key: func(context.Context) ([]byte, error) { return key, nil }}
	g := &given{raw: filterOf("13812345001"), piece: 100}
	if err := errors.Join(h.fetch(t.Context(), g.ask, g.version()), h.shut(), h.open()); err != nil {
		t.Fatal(err)
	}
	if !h.knows(t, "13812345001") || !h.has(g.version()) {
		t.Error("it is not read again")
	}
	key = []byte("of another group")
	if out, at, err := h.Perhaps(t.Context(), filter.Phones("13812345001")); err != nil || out[0] || at != 0 {
		t.Error("another group's filter is asked")
	}
	if err := h.shut(); err != nil {
		t.Fatal(err)
	}
	for _, junk := range []string{"", "12345678", "12345678BLkn"} {
		if err := os.WriteFile(filepath.Join(dir, knownFile), []byte(junk), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := h.open(); err == nil {
			t.Errorf("%q is taken", junk)
		}
		if out, _, err := h.Perhaps(t.Context(), filter.Phones("13812345001")); err != nil || out[0] {
			t.Errorf("%q is asked: %v", junk, err)
		}
	}
}
