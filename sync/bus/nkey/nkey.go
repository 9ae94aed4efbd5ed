// Package nkey makes and uses the key that a branch is known by: an ed25519
// pair in the text form of NATS (seed "SU…", public key "U…"). The same key
// opens the leaf link and signs packs.
//
// A seed never leaves the branch. Nothing here reads a clock or a file.
package nkey

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nkeys"

	"branchline/schema"
)

// ErrSignature says that a signature is not of that key over that message.
var ErrSignature = errors.New("signature does not fit")

// NewSeed makes a key. It fails only when rand does.
func NewSeed(rand io.Reader) ([]byte, error) {
	raw := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand, raw); err != nil {
		return nil, fmt.Errorf("nkey: new seed: %w", err)
	}
	seed, err := nkeys.EncodeSeed(nkeys.PrefixByteUser, raw)
	if err != nil {
		return nil, fmt.Errorf("nkey: new seed: %w", err)
	}
	return seed, nil
}

// Signer holds a key ready to sign. It is safe for concurrent use.
type Signer struct {
	key ed25519.PrivateKey
	pub string
}

// NewSigner reads a seed. The error never quotes it.
func NewSigner(seed []byte) (*Signer, error) {
	prefix, raw, err := nkeys.DecodeSeed(seed)
	if err != nil || prefix != nkeys.PrefixByteUser {
		return nil, schema.Invalid("seed", "this is not the seed of a branch key")
	}
	key := ed25519.NewKeyFromSeed(raw)
	pub, err := nkeys.Encode(nkeys.PrefixByteUser, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("nkey: public key: %w", err)
	}
	return &Signer{key, string(pub)}, nil
}

// Public is the public key, "U…".
func (s *Signer) Public() string { return s.pub }

// Sign is the 64-byte ed25519 signature of msg.
func (s *Signer) Sign(msg []byte) []byte { return ed25519.Sign(s.key, msg) }

// Public is the public key of a seed.
func Public(seed []byte) (string, error) {
	s, err := NewSigner(seed)
	if err != nil {
		return "", err
	}
	return s.pub, nil
}

// Sign signs once; who signs often keeps a Signer.
func Sign(seed, msg []byte) ([]byte, error) {
	s, err := NewSigner(seed)
	if err != nil {
		return nil, err
	}
	return s.Sign(msg), nil
}

// Verifier holds a public key ready to check. It is safe for concurrent use.
type Verifier struct{ key ed25519.PublicKey }

// NewVerifier reads a public key, "U…".
func NewVerifier(pub string) (*Verifier, error) {
	raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(pub))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, schema.Invalid("key", "this is not the public key of a branch")
	}
	return &Verifier{raw}, nil
}

// Verify returns ErrSignature when sig is not of this key over msg.
func (v *Verifier) Verify(msg, sig []byte) error {
	if !ed25519.Verify(v.key, msg, sig) {
		return ErrSignature
	}
	return nil
}

// Verify checks once; who checks often keeps a Verifier.
func Verify(pub string, msg, sig []byte) error {
	v, err := NewVerifier(pub)
	if err != nil {
		return err
	}
	return v.Verify(msg, sig)
}
