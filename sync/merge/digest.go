package merge

import (
	"crypto/sha256"
	"encoding/binary"

	"branchline/schema"
)

// Digest sums records so that two sites can tell whether they hold the same ones,
// whatever the order they are read in.
type Digest struct {
	Records int64
	Sum     schema.Hash
}

// Add counts one record: its encoded state, and whether it is stripped for
// another legal entity.
func (d *Digest) Add(id schema.RecordID, k schema.Kind, shared bool, state []byte) {
	h := sha256.New()
	h.Write(id[:])
	head := binary.BigEndian.AppendUint32(nil, uint32(k))
	if shared {
		head = append(head, 1)
	} else {
		head = append(head, 0)
	}
	h.Write(head)
	h.Write(state)
	var one schema.Hash
	h.Sum(one[:0])
	for i := range d.Sum {
		d.Sum[i] ^= one[i]
	}
	d.Records++
}
