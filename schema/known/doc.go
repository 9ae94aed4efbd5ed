// Package known is the filter by which a branch that is cut off learns that a
// person or a car is perhaps known elsewhere in the group: a compact, keyed set of
// phone numbers, national ids and VINs.
//
// Rules:
//   - Of each thing only the first few bits of an HMAC under the group's key are
//     kept. How many is chosen so that, of all the things of its sort that there are
//     in the world, at least Cover false ones are hit for each true one (width).
//   - What a thing hits depends on the thing alone, never on what else is in the set
//     or on the day it was made. So two versions of a filter laid side by side tell
//     no more than one: a filter whose false hits change from one version to the next
//     (a Bloom filter of another size, xor and fuse filters) gives its members away
//     to whoever keeps two.
//   - Each sort of thing stands in a section of its own, with its own width.
//   - Equal sets under one key are equal bytes.
//
// It promises no false miss, and that a filter damaged, cut or made up is an error
// or a wrong answer, never a panic or more than a few kilobytes of memory a
// question. It does not promise to hide what the asker knows already: who holds a
// list of people of whom every second is a customer learns which (README, security).
package known

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strings"

	"branchline/schema/phone"
	"branchline/schema/vin"
)

// Sort is what a thing is. Their numbers are in files.
type Sort uint8

// The sorts of things.
const (
	Mobile   Sort = iota + 1 // mobile phones of mainland China, and whole numbers abroad
	Landline                 // by their last eight digits, as the numbers of Hong Kong and Macau
	ID                       // national ids, by the keyed hash records hold
	VIN
	sorts = int(VIN)
)

// Cover is how many false hits there are at least for each true one, when
// everything of a sort is tried.
const Cover = 20

// world is how many things of a sort there are to be tried, counted low: the fewer
// there are, the fewer bits may be kept. A form has more (schema/phone reads
// 7 thousand million mobile numbers), but who tries them can tell which exist.
var world = [sorts + 1]uint64{
	Mobile:   1_500_000_000, // in service in mainland China (its ministry counts some 1.8 thousand million)
	Landline: 70_000_000,    // eight digits, the first from 2 to 8
	ID:       1_000_000_000, // people who have one; ids well-formed are a hundred times as many
	VIN:      400_000_000,   // motor vehicles registered (its ministry counts some 450 million)
}

func (s Sort) valid() bool { return s >= Mobile && int(s) <= sorts }

// World is how many things of the sort are taken to exist, counted low; 0 for no sort.
func (s Sort) World() uint64 {
	if !s.valid() {
		return 0
	}
	return world[s]
}

// Thing is one thing in the form that is equal whoever wrote it.
type Thing struct {
	Sort Sort
	Form string
}

// String hides the form, which is personal.
func (t Thing) String() string {
	return [...]string{"?", "mobile", "landline", "id", "vin"}[min(int(t.Sort), sorts)]
}

// GoString is String, for the same reason.
func (t Thing) GoString() string { return t.String() }

// Phones are the numbers in a field. Numbers that say nothing of a person are
// left out: placeholders, hotlines, what is not understood, and landlines of seven
// digits, which without their area are those of a hundred towns.
func Phones(field string) []Thing {
	var out []Thing
	for _, n := range phone.Parse(field, "") {
		key := n.Key()
		switch {
		case key == "":
		case n.Kind == phone.Mobile && n.Region == "CN":
			out = append(out, Thing{Mobile, key})
		case len(key) == 8 && (n.Kind == phone.Unknown || n.Region == "CN" || n.Region == "HK" || n.Region == "MO"):
			out = append(out, Thing{Landline, key})
		case strings.HasPrefix(n.E164, "+") && n.Region != "CN":
			out = append(out, Thing{Mobile, n.E164})
		}
	}
	return out
}

// IDs are the national id with this keyed hash; none for one too short to be a hash.
func IDs(hash []byte) []Thing {
	if len(hash) < 16 {
		return nil
	}
	return []Thing{{ID, hex.EncodeToString(hash)}}
}

// VINs are the whole vehicle number in a field.
func VINs(field string) []Thing {
	if key := vin.Key(field); key != "" {
		return []Thing{{VIN, key}}
	}
	return nil
}

// Form rises when a thing's form or its mark become others: a filter of another
// form cannot be asked.
const Form = 1

// domain keeps these hashes apart from all others under the group's key.
const domain = "branchline known 1\x00"

// Mark is the beginning of a thing's HMAC, of which a filter keeps the first bits.
type Mark uint32

// Marker makes marks under one key. It is for one goroutine at a time.
type Marker struct {
	mac hash.Hash
	buf []byte
}

// NewMarker makes marks under the group's key.
func NewMarker(key []byte) *Marker { return &Marker{mac: hmac.New(sha256.New, key)} }

func (m *Marker) sum(b []byte) []byte {
	m.mac.Reset()
	m.mac.Write(b)
	return m.mac.Sum(nil)
}

// Mark is a thing's mark.
func (m *Marker) Mark(t Thing) Mark {
	m.buf = append(append(append(m.buf[:0], domain...), byte(t.Sort)), t.Form...)
	return Mark(binary.BigEndian.Uint32(m.sum(m.buf)))
}

// check tells two keys apart without telling either.
func (m *Marker) check() [8]byte { return [8]byte(m.sum([]byte(domain + "\x00key"))) }

// maxWidth bounds width: 21 things in each place of it is more than the world has.
const maxWidth = 26

// width is how many bits of n marks of a sort may be kept: as many as leave Cover
// false hits for each true one, when the whole world is tried; 0 when there are so
// many that no width does, and the section is left empty.
//
// With w bits each place holds world/2^w things on average. n things take at least
// n·(1 - n/2^(w+1)) places (some share one), so that the hits are at least that
// often world/2^w, and n of them are true:
//
//	world/2^w · (1 - n/2^(w+1)) ≥ Cover + 1
func width(s Sort, n uint64) int {
	for w := maxWidth; w > 0; w-- {
		half := uint64(1) << (w + 1)
		if n < half && s.World()*(half-n)>>(2*w+1) >= Cover+1 {
			return w
		}
	}
	return 0
}
