package hq

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/nkey"
)

func enrolRequest(t *testing.T, id string) []byte {
	t.Helper()
	seed, err := nkey.NewSeed(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := nkey.NewSigner(seed)
	if err != nil {
		t.Fatal(err)
	}
	b, err := proto.Marshal(&wirev1.EnrolRequest{TokenId: id, Token: []byte("secret"), Key: s.Public(), Proof: s.Sign([]byte(id))})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEnroller_Answers(t *testing.T) {
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	var logged bytes.Buffer
	e := &enroller{
		now: func() time.Time { return now }, log: slog.New(slog.NewTextHandler(&logged, nil)),
		enrol: func(_ context.Context, r *wirev1.EnrolRequest, _ string) (*wirev1.EnrolReply, error) {
			switch r.GetTokenId() {
			case "good":
				return &wirev1.EnrolReply{Branch: "b1"}, nil
			case "used":
				return nil, schema.ErrForbidden
			case "unknown":
				return nil, schema.ErrNotFound
			}
			return nil, errors.New("disk on fire")
		},
	}
	post := func(body []byte) *httptest.ResponseRecorder {
		now = now.Add(time.Minute)
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/enrol", bytes.NewReader(body))
		e.ServeHTTP(w, r)
		return w
	}
	other := enrolRequest(t, "good")
	forged := new(wirev1.EnrolRequest)
	if err := proto.Unmarshal(other, forged); err != nil {
		t.Fatal(err)
	}
	forged.TokenId = "used" // the proof is over another token's id
	stolen, err := proto.Marshal(forged)
	if err != nil {
		t.Fatal(err)
	}
	var refusals []string
	for _, row := range []struct {
		name string
		body []byte
		want int
	}{
		{"good", enrolRequest(t, "good"), http.StatusOK},
		{"used", enrolRequest(t, "used"), http.StatusForbidden},
		{"unknown", enrolRequest(t, "unknown"), http.StatusForbidden},
		{"proof of another", stolen, http.StatusForbidden},
		{"broken inside", enrolRequest(t, "boom"), http.StatusInternalServerError},
		{"rubbish", []byte{0xff, 0xff, 0xff}, http.StatusBadRequest},
		{"empty", nil, http.StatusBadRequest},
		{"too large", make([]byte, maxEnrol+1), http.StatusBadRequest},
	} {
		w := post(row.body)
		if w.Code != row.want {
			t.Errorf("%s: %d %s", row.name, w.Code, w.Body)
		}
		if row.want == http.StatusForbidden {
			refusals = append(refusals, w.Body.String())
		}
		if strings.Contains(w.Body.String(), "fire") {
			t.Errorf("%s: tells what is inside: %s", row.name, w.Body)
		}
	}
	for _, r := range refusals[1:] {
		if r != refusals[0] {
			t.Errorf("refusals differ, which tells which tokens there are: %q %q", r, refusals[0])
		}
	}
	if strings.Contains(logged.String(), "secret") {
		t.Error("the log has a token's secret")
	}
}

func TestEnroller_Limits(t *testing.T) {
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	e := &enroller{
		now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler),
		enrol: func(context.Context, *wirev1.EnrolRequest, string) (*wirev1.EnrolReply, error) {
			return nil, schema.ErrForbidden
		},
	}
	body := enrolRequest(t, "guess")
	try := func(from string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/enrol", bytes.NewReader(body))
		r.RemoteAddr = from + ":1"
		e.ServeHTTP(w, r)
		return w.Code
	}
	for i := range enrolBurst {
		if c := try("192.0.2.1"); c != http.StatusForbidden {
			t.Fatalf("try %d: %d", i, c)
		}
	}
	if c := try("192.0.2.1"); c != http.StatusTooManyRequests {
		t.Errorf("one too many: %d", c)
	}
	if c := try("192.0.2.2"); c != http.StatusForbidden {
		t.Errorf("another source pays for it: %d", c)
	}
	now = now.Add(enrolEvery + time.Second)
	if c := try("192.0.2.1"); c != http.StatusForbidden {
		t.Errorf("after a while: %d", c)
	}
	now = now.Add(-time.Hour) // a clock that goes back opens nothing
	for range enrolBurst {
		try("192.0.2.1")
	}
	if c := try("192.0.2.1"); c != http.StatusTooManyRequests {
		t.Errorf("after the clock went back: %d", c)
	}
}
