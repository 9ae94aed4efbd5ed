package golden

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/hq/feed"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/han"
	"branchline/schema/phone"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// Key is one thing a record is known by. Two records of a kind that share a key
// that joins are one. A key of the kind feed.KeySame is the id of another record,
// which has it without saying so: what is stated to be the same is the same.
type Key struct {
	Kind  int // feed.KeyVIN …
	Value string
	Joins bool
}

// Edges says by which keys records are one. It must be a pure function of the
// record's contents.
type Edges interface {
	// Keys gives the keys of a record from its shown message; nil for a kind it knows nothing of.
	Keys(k *schema.KindInfo, message []byte) ([]Key, error)
}

// Plain are the rules without a matcher: two customers are one on an equal
// national id, an equal phone and equal folded name, an equal id of one source
// system, or because it is stated (same_as); two vehicles on an equal VIN.
type Plain struct{}

// maxKeys bounds a record's phones times names.
const maxKeys = 64

// Keys implements Edges.
func (Plain) Keys(k *schema.KindInfo, message []byte) ([]Key, error) {
	var out []Key
	switch k.Kind {
	case schema.Customer:
		m := new(branchlinev1.Customer)
		if err := proto.Unmarshal(message, m); err != nil {
			return nil, fmt.Errorf("hq/golden: customer: %w", err)
		}
		out = customerKeys(m)
	case schema.Vehicle:
		m := new(branchlinev1.Vehicle)
		if err := proto.Unmarshal(message, m); err != nil {
			return nil, fmt.Errorf("hq/golden: vehicle: %w", err)
		}
		if v := vin.Key(m.GetVin()); v != "" {
			out = append(out, Key{feed.KeyVIN, v, true})
		}
		for _, p := range m.GetPlates() {
			if key := plate.Key(p.GetPlate()); key != "" {
				out = append(out, Key{feed.KeyPlate, key, false})
			}
		}
	}
	slices.SortFunc(out, func(a, b Key) int {
		if a.Kind != b.Kind {
			return a.Kind - b.Kind
		}
		return slices.Compare([]byte(a.Value), []byte(b.Value))
	})
	return slices.Compact(out), nil
}

func customerKeys(m *branchlinev1.Customer) []Key {
	var out []Key
	if len(m.GetIdHash()) >= 16 {
		out = append(out, Key{feed.KeyNationalID, string(m.GetIdHash()), true})
	}
	if id, err := schema.ParseRecordID(m.GetSameAs()); err == nil {
		out = append(out, Key{feed.KeySame, string(id[:]), true})
	}
	for _, s := range m.GetSourceIds() {
		if s.GetSource() != "" && s.GetId() != "" {
			out = append(out, Key{feed.KeySource, hashed(s.GetSource(), s.GetId()), true})
		}
	}
	names := []string{}
	for _, n := range append([]string{m.GetName()}, m.GetOtherNames()...) {
		if key := han.NameKey(n); key != "" && !slices.Contains(names, key) {
			names = append(names, key)
		}
	}
	if len(names) == 0 {
		return out
	}
	for _, p := range m.GetPhones() {
		for _, n := range phone.Parse(p.GetNumber(), "") {
			key := n.Key()
			if key == "" {
				continue
			}
			for _, name := range names {
				if len(out) < maxKeys {
					out = append(out, Key{feed.KeyPhoneName, hashed(key, name), true})
				}
			}
		}
	}
	return out
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
