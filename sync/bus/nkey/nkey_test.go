package nkey

import (
	"bytes"
	"errors"
	"testing"

	"github.com/nats-io/nkeys"
	"pgregory.net/rapid"

	"branchline/schema"
)

func TestSign_OnlyTheKeysOwnSignatureFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, err := NewSeed(bytes.NewReader(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "a")))
		if err != nil {
			t.Fatal(err)
		}
		msg := rapid.SliceOf(rapid.Byte()).Draw(t, "msg")
		sig, err := Sign(a, msg)
		if err != nil {
			t.Fatal(err)
		}
		pub, err := Public(a)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(pub, msg, sig); err != nil {
			t.Fatalf("own signature: %v", err)
		}
		// The reference implementation agrees on key and signature.
		kp, err := nkeys.FromSeed(a)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := kp.PublicKey(); err != nil || p != pub {
			t.Fatalf("public key %s, %v; want %s", p, err, pub)
		}
		if err := kp.Verify(msg, sig); err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(sig)
		bad[rapid.IntRange(0, 63).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if err := Verify(pub, msg, bad); !errors.Is(err, ErrSignature) {
			t.Fatalf("a changed signature: %v", err)
		}
		if err := Verify(pub, append(msg, 0), sig); !errors.Is(err, ErrSignature) {
			t.Fatalf("a changed message: %v", err)
		}
		b, err := NewSeed(bytes.NewReader(rapid.SliceOfN(rapid.Byte(), 32, 32).Filter(func(s []byte) bool {
			o, err := NewSeed(bytes.NewReader(s))
			return err == nil && !bytes.Equal(o, a)
		}).Draw(t, "b")))
		if err != nil {
			t.Fatal(err)
		}
		other, err := Public(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(other, msg, sig); !errors.Is(err, ErrSignature) {
			t.Fatalf("another's key: %v", err)
		}
	})
}

func TestNewSigner_BadSeed(t *testing.T) {
	acc, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	accSeed, err := acc.Seed()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range [][]byte{nil, []byte("SU"), []byte("not a seed at all"), accSeed} {
		if _, err := NewSigner(s); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("seed %q: %v", s, err)
		}
	}
	for _, p := range []string{"", "U", "UAAAAAAA", "SUAAAA"} {
		if err := Verify(p, nil, make([]byte, 64)); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("public key %q: %v", p, err)
		}
	}
	if _, err := NewSeed(bytes.NewReader(nil)); err == nil {
		t.Error("a seed out of no randomness")
	}
}
