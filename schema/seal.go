package schema

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// Hash is a SHA-256 sum.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:6]) }

// IsZero tells whether h is the hash before the first change.
func (h Hash) IsZero() bool { return h == Hash{} }

// HashFromBytes reads 32 bytes; none at all is the zero Hash.
func HashFromBytes(b []byte) (Hash, error) {
	var h Hash
	if len(b) == 0 {
		return h, nil
	}
	if len(b) != len(h) {
		return h, fmt.Errorf("schema: a hash has 32 bytes, not %d", len(b))
	}
	copy(h[:], b)
	return h, nil
}

// Sealed is a change as it is stored, chained and sent: a payload (a marshalled
// wirev1.ChangeBody) that is never re-encoded, its salt, and the chain hash
// after it. Erasing drops salt and payload and keeps the hash: the chain still
// verifies and nothing can be guessed from it.
type Sealed struct {
	ID          ChangeID
	Salt        [16]byte
	Payload     []byte // nil when erased
	PayloadHash Hash
	Chain       Hash
}

// HashPayload is SHA-256(salt ‖ payload).
func HashPayload(salt [16]byte, payload []byte) Hash {
	h := sha256.New()
	h.Write(salt[:])
	h.Write(payload)
	var out Hash
	h.Sum(out[:0])
	return out
}

// NextChain is SHA-256(chain hash before ‖ payload hash).
func NextChain(prev, payload Hash) Hash {
	var b [64]byte
	copy(b[:], prev[:])
	copy(b[32:], payload[:])
	return sha256.Sum256(b[:])
}

// Seal chains a payload after prev. The payload is kept, not copied.
func Seal(id ChangeID, prev Hash, salt [16]byte, payload []byte) Sealed {
	ph := HashPayload(salt, payload)
	return Sealed{ID: id, Salt: salt, Payload: payload, PayloadHash: ph, Chain: NextChain(prev, ph)}
}

// Erased tells whether salt and payload are gone.
func (s Sealed) Erased() bool { return s.Payload == nil }

// Body reads the payload. An erased change has none: ErrNotFound.
func (s Sealed) Body() (*wirev1.ChangeBody, error) {
	if s.Erased() {
		return nil, fmt.Errorf("schema: change %s is erased: %w", s.ID, ErrNotFound)
	}
	b := new(wirev1.ChangeBody)
	if err := proto.Unmarshal(s.Payload, b); err != nil {
		return nil, fmt.Errorf("schema: change %s: %w", s.ID, err)
	}
	return b, nil
}

const (
	sealedWhole  = 0
	sealedErased = 1
)

// Append writes the change's wire form, without its id and chain hash, which
// follow from its place: a flag byte, then salt, length and payload, or the
// payload's hash when erased.
func (s Sealed) Append(dst []byte) []byte {
	if s.Erased() {
		dst = append(dst, sealedErased)
		return append(dst, s.PayloadHash[:]...)
	}
	dst = append(dst, sealedWhole)
	dst = append(dst, s.Salt[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(s.Payload)))
	return append(dst, s.Payload...)
}

// size is how many bytes Append writes.
func (s Sealed) size() int {
	if s.Erased() {
		return 1 + 32
	}
	return 1 + 16 + protowire.SizeBytes(len(s.Payload))
}

// ParseSealed reads what Append wrote and gives what follows it. ID and Chain
// are left for the caller, who knows the place; PayloadHash is computed. The
// payload points into b.
func ParseSealed(b []byte) (s Sealed, rest []byte, err error) {
	if len(b) < 1+16 {
		return s, nil, fmt.Errorf("schema: a change of %d bytes is cut short", len(b))
	}
	switch b[0] {
	case sealedErased:
		if len(b) < 1+32 {
			return s, nil, fmt.Errorf("schema: an erased change is cut short")
		}
		copy(s.PayloadHash[:], b[1:33])
		return s, b[33:], nil
	case sealedWhole:
		copy(s.Salt[:], b[1:17])
		n, w := binary.Uvarint(b[17:])
		if w <= 0 || n > MaxChange || uint64(len(b)-17-w) < n {
			return s, nil, fmt.Errorf("schema: a change's payload is cut short or over %d bytes", MaxChange)
		}
		s.Payload = b[17+w : 17+w+int(n) : 17+w+int(n)]
		s.PayloadHash = HashPayload(s.Salt, s.Payload)
		return s, b[17+w+int(n):], nil
	}
	return s, nil, fmt.Errorf("schema: unknown form %d of a change", b[0])
}
