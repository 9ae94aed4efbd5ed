package schema

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// BranchID is a site's code, [a-z][a-z0-9]{1,7}, never reused. HQ is "hq".
type BranchID string

// HQ is the reserved branch id of headquarters: its own edits are changes of this branch.
const HQ BranchID = "hq"

var branchForm = regexp.MustCompile(`^[a-z][a-z0-9]{1,7}$`)

// ParseBranchID checks the form of a branch id. It accepts "hq".
func ParseBranchID(s string) (BranchID, error) {
	if !branchForm.MatchString(s) {
		return "", Invalid("branch", "%q is not a branch code: a small letter, then one to seven small letters or digits", s)
	}
	return BranchID(s), nil
}

// EntityID is the code of a legal entity, of the same form as a branch id.
type EntityID string

// ParseEntityID checks the form of a legal entity's code.
func ParseEntityID(s string) (EntityID, error) {
	if !branchForm.MatchString(s) {
		return "", Invalid("entity", "%q is not a legal entity code: a small letter, then one to seven small letters or digits", s)
	}
	return EntityID(s), nil
}

// RecordID is a UUIDv7 (RFC 9562), minted where the record was made and unique
// in the group for ever. In files it is 16 bytes; in text 26 characters of
// lower-case Crockford base32.
type RecordID [16]byte

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

var crockford = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

func (id RecordID) String() string { return crockford.EncodeToString(id[:]) }

// IsZero tells whether id is no id at all.
func (id RecordID) IsZero() bool { return id == RecordID{} }

// Time is the instant id was minted, as its maker's clock had it, to the millisecond.
func (id RecordID) Time() time.Time {
	var b [8]byte
	copy(b[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b[:])))
}

// ParseRecordID reads the text form; letters of either case, and o, i, l as the
// digits they look like (Crockford).
func ParseRecordID(s string) (RecordID, error) {
	if id, ok := canonical(s); ok {
		return id, nil
	}
	return typedID(strings.Clone(s)) // a copy: s need not outlive this call, nor be allocated for it
}

// canonical reads the form String writes, several times faster than typedID.
func canonical(s string) (id RecordID, ok bool) {
	if len(s) != 26 {
		return id, false
	}
	var acc uint32
	bits, at := 0, 0
	for i := range len(s) {
		v := strings.IndexByte(alphabet, s[i])
		if v < 0 {
			return id, false
		}
		acc = acc<<5 | uint32(v)
		if bits += 5; bits >= 8 {
			bits -= 8
			id[at] = byte(acc >> bits)
			at++
			acc &= 1<<bits - 1
		}
	}
	return id, acc == 0
}

// typedID reads what people type too.
func typedID(s string) (RecordID, error) {
	var id RecordID
	s = strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(strings.ToLower(s))
	if len(s) != 26 {
		return id, Invalid("id", "%q is not a record id: it has %d characters instead of 26", clip(s), len(s))
	}
	b, err := crockford.DecodeString(s)
	if err != nil || len(b) != 16 {
		return id, Invalid("id", "%q is not a record id", clip(s))
	}
	copy(id[:], b)
	return id, nil
}

// RecordIDFromBytes reads the 16-byte form.
func RecordIDFromBytes(b []byte) (RecordID, error) {
	var id RecordID
	if len(b) != len(id) {
		return id, Invalid("id", "a record id has 16 bytes, not %d", len(b))
	}
	copy(id[:], b)
	return id, nil
}

// IDs mints record ids. It is not safe for concurrent use.
type IDs struct {
	now  func() time.Time
	rand io.Reader
	last int64
}

// NewIDs mints from the given clock and randomness.
func NewIDs(now func() time.Time, rand io.Reader) *IDs { return &IDs{now: now, rand: rand} }

// New mints one id. Ids of one source rise even when the clock does not.
// It fails only when the randomness does.
func (s *IDs) New() (RecordID, error) {
	var id RecordID
	if _, err := io.ReadFull(s.rand, id[6:]); err != nil {
		return id, fmt.Errorf("schema: mint id: %w", err)
	}
	// rand_a carries a sub-millisecond counter (RFC 9562 §6.2 method 3).
	t := s.now().UnixMilli() << 12
	if t <= s.last {
		t = s.last + 1
	}
	s.last = t
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(t>>12))
	copy(id[:6], b[2:])
	sub := uint16(t & 0xfff)
	id[6] = 0x70 | byte(sub>>8)
	id[7] = byte(sub)
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// Incarnation is one life of a branch's database, 63 random bits, issued by HQ only. 0 is none.
type Incarnation int64

func (i Incarnation) String() string { return strconv.FormatInt(int64(i), 36) }

// Seq numbers the changes of one incarnation from 1 without gaps. 0 is before the first.
type Seq int64

// Rev numbers revisions of records in HQ's order within one epoch line.
type Rev int64

// EpochID is one run of HQ's program, 63 random bits. 0 is none.
type EpochID int64

func (e EpochID) String() string { return strconv.FormatInt(int64(e), 36) }

// ChangeID names a change: branch/incarnation/seq.
type ChangeID struct {
	Branch BranchID
	Inc    Incarnation
	Seq    Seq
}

func (c ChangeID) String() string { return fmt.Sprintf("%s/%s/%d", c.Branch, c.Inc, c.Seq) }

// ParseChangeID reads what String wrote.
func ParseChangeID(s string) (ChangeID, error) {
	p := strings.Split(s, "/")
	if len(p) != 3 {
		return ChangeID{}, Invalid("change", "%q is not a change id: branch/incarnation/seq", clip(s))
	}
	b, err := ParseBranchID(p[0])
	if err != nil {
		return ChangeID{}, err
	}
	inc, err := strconv.ParseInt(p[1], 36, 64)
	if err != nil || inc <= 0 {
		return ChangeID{}, Invalid("change", "%q is not a change id: bad incarnation", clip(s))
	}
	seq, err := strconv.ParseInt(p[2], 10, 64)
	if err != nil || seq <= 0 {
		return ChangeID{}, Invalid("change", "%q is not a change id: bad seq", clip(s))
	}
	return ChangeID{b, Incarnation(inc), Seq(seq)}, nil
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
