package account

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"golang.org/x/text/unicode/norm"

	"branchline/schema"
)

const (
	minPassword = 12  // characters; no rules of composition
	maxPassword = 800 // bytes: what is hashed is bounded
)

func badPassword(p string) []schema.Violation {
	switch n := utf8.RuneCountInString(p); {
	case !utf8.ValidString(p):
		return []schema.Violation{{Field: "password", Reason: "is not valid UTF-8"}}
	case n < minPassword:
		return []schema.Violation{{Field: "password", Reason: fmt.Sprintf("has %d characters; at least %d are needed", n, minPassword)}}
	case len(p) > maxPassword:
		return []schema.Violation{{Field: "password", Reason: "is too long"}}
	}
	return nil
}

// hasher works password hashes one at a time.
type hasher struct {
	cost    *argon2id.Params
	nobody  string        // in place of the hash of an account there is not
	slot    chan struct{} // held by who is hashing
	waiting chan struct{} // held by who waits for the slot, and who has it

	check func(password, hash string) (bool, *argon2id.Params, error)
}

func newHasher(cost *argon2id.Params) *hasher {
	// Comparing with it is the work that counts. It is written down, not worked out: that would take the start of every
	// site 19 MiB.
	b64 := func(n uint32) string { return base64.RawStdEncoding.EncodeToString(make([]byte, n)) }
	nobody := fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", cost.Memory, cost.Iterations, cost.Parallelism, b64(cost.SaltLength), b64(cost.KeyLength))
	return &hasher{
		cost: cost, nobody: nobody,
		slot: make(chan struct{}, 1), waiting: make(chan struct{}, 16),
		check: argon2id.CheckHash,
	}
}

// enter waits for the slot. ErrExhausted at once if too many wait already.
func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.waiting <- struct{}{}:
	default:
		return fmt.Errorf("too many people are signing in; try again in a few seconds: %w", schema.ErrExhausted)
	}
	select {
	case h.slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.waiting
		return ctx.Err()
	}
}

func (h *hasher) leave() { <-h.slot; <-h.waiting }

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	s, err := argon2id.CreateHash(norm.NFC.String(password), h.cost)
	if err != nil {
		return "", fmt.Errorf("account: hash: %w", err)
	}
	return s, nil
}

// verify does the work of one hash whether or not there is one to compare with ("" = no such account). stale tells that
// the hash was made at another cost than today's.
func (h *hasher) verify(ctx context.Context, password, hash string) (ok, stale bool, err error) {
	if err := h.enter(ctx); err != nil {
		return false, false, err
	}
	defer h.leave()
	known := hash != ""
	if !known {
		hash = h.nobody
	}
	ok, p, err := h.check(norm.NFC.String(password), hash)
	if err != nil {
		return false, false, fmt.Errorf("account: check hash: %w", err)
	}
	stale = p.Memory != h.cost.Memory || p.Iterations != h.cost.Iterations || p.Parallelism != h.cost.Parallelism
	return ok && known, stale, nil
}

func (a *Accounts) newPassword() (string, error) {
	a.rand.Lock()
	defer a.rand.Unlock()
	return MakePassword(a.c.Rand)
}

// MakePassword is four groups of five signs that nobody mistakes for one another: 100 bits from r.
func MakePassword(r io.Reader) (string, error) {
	const signs = "23456789abcdefghijkmnpqrstuvwxyz" // 32, without 0, 1, l, o
	b := make([]byte, 20)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", fmt.Errorf("account: randomness: %w", err)
	}
	var s strings.Builder
	for i, x := range b {
		if i > 0 && i%5 == 0 {
			s.WriteByte('-')
		}
		s.WriteByte(signs[x%32])
	}
	return s.String(), nil
}

func (a *Accounts) random(n int) ([]byte, error) {
	a.rand.Lock()
	defer a.rand.Unlock()
	b := make([]byte, n)
	if _, err := io.ReadFull(a.c.Rand, b); err != nil {
		return nil, fmt.Errorf("account: randomness: %w", err)
	}
	return b, nil
}
