package golden

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"branchline/hq/feed"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// Key is one thing a record is known by (table evidence). Two vehicles that share a key
// that joins are one. A key of the kind feed.KeySame is the id of another customer, which
// has it without saying so: what is stated to be the same is the same.
type Key struct {
	Kind  int // feed.KeyVIN …
	Value string
	Joins bool
}

// carKeys are the keys of a vehicle: two are one on an equal VIN; plates only find.
func carKeys(state []byte) ([]Key, error) {
	m := new(branchlinev1.Vehicle)
	if err := messageOf(schema.Vehicle, state, m); err != nil {
		return nil, fmt.Errorf("hq/golden: vehicle: %w", err)
	}
	var out []Key
	if v := vin.Key(m.GetVin()); v != "" {
		out = append(out, Key{feed.KeyVIN, v, true})
	}
	for _, p := range m.GetPlates() {
		if key := plate.Key(p.GetPlate()); key != "" {
			out = append(out, Key{feed.KeyPlate, key, false})
		}
	}
	return sortKeys(out), nil
}

func sortKeys(keys []Key) []Key {
	slices.SortFunc(keys, func(a, b Key) int {
		if a.Kind != b.Kind {
			return a.Kind - b.Kind
		}
		return slices.Compare([]byte(a.Value), []byte(b.Value))
	})
	return slices.Compact(keys)
}

// hashed keeps a key short; 128 bits, so that two that differ never meet.
func hashed(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return string(h.Sum(nil)[:16])
}

// id is the record that a key of the kind feed.KeySame or feed.KeyTied names.
func (k Key) id() (id schema.RecordID) {
	copy(id[:], k.Value)
	return id
}
