package schema

import (
	"crypto/sha256"
	"slices"

	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// Digests compares what two sites hold of a set of records without sending the
// records. Records are sorted into 256 ranges by the last byte of their id (its
// first ones are a time), those of one range by the byte before it, and below
// that they stand alone: a prefix is read from the id's end. The sum of a range
// is the exclusive or of its records' hashes, so that their order is nothing.
//
// Both sides add exactly the encoded states as the branch was given them.
type Digests struct {
	prefix []byte
	ranges map[string]*wirev1.Digest
}

// NewDigests counts the records under a prefix: none, one byte or two.
func NewDigests(prefix []byte) (*Digests, error) {
	if len(prefix) > 2 {
		return nil, Invalid("prefix", "has %d bytes, not 0 to 2", len(prefix))
	}
	return &Digests{slices.Clone(prefix), map[string]*wirev1.Digest{}}, nil
}

// Add counts a record: its encoded state, and whether it is stripped for another
// legal entity. One that is not under the prefix counts for nothing.
func (d *Digests) Add(id RecordID, shared bool, state []byte) {
	for i, b := range d.prefix {
		if id[15-i] != b {
			return
		}
	}
	key := append(slices.Clone(d.prefix), id[15-len(d.prefix)])
	if len(d.prefix) == 2 {
		key = slices.Clone(id[:])
	}
	r := d.ranges[string(key)]
	if r == nil {
		r = &wirev1.Digest{Prefix: key, Sum: make([]byte, sha256.Size)}
		d.ranges[string(key)] = r
	}
	h := sha256.New()
	h.Write(id[:])
	if shared {
		h.Write([]byte{1})
	} else {
		h.Write([]byte{0})
	}
	h.Write(state)
	for i, b := range h.Sum(nil) {
		r.Sum[i] ^= b
	}
	r.Records++
}

// Ranges are the ranges that hold anything, by prefix.
func (d *Digests) Ranges() []*wirev1.Digest {
	out := make([]*wirev1.Digest, 0, len(d.ranges))
	for _, r := range d.ranges {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *wirev1.Digest) int { return slices.Compare(a.GetPrefix(), b.GetPrefix()) })
	return out
}

// DifferingRanges are the prefixes at which two lists of ranges differ.
func DifferingRanges(a, b []*wirev1.Digest) [][]byte {
	have := map[string]*wirev1.Digest{}
	for _, r := range a {
		have[string(r.GetPrefix())] = r
	}
	var out [][]byte
	for _, r := range b {
		x := have[string(r.GetPrefix())]
		if x == nil || x.GetRecords() != r.GetRecords() || !slices.Equal(x.GetSum(), r.GetSum()) {
			out = append(out, r.GetPrefix())
		}
		delete(have, string(r.GetPrefix()))
	}
	for _, r := range have {
		out = append(out, r.GetPrefix())
	}
	slices.SortFunc(out, func(a, b []byte) int { return slices.Compare(a, b) })
	return out
}
