package merge

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// MaxEntriesNamed bounds what one change may name of one field.
const MaxEntriesNamed = 1000

// CheckForm tells whether a change's body has the form of a change of kind k:
// values that are a message of the kind, a single-valued field at most once,
// names with proper branches and within bounds. It judges nothing that depends
// on other changes or on who wrote it.
func CheckForm(k *schema.KindInfo, b *wirev1.ChangeBody) error {
	if len(b.GetValues()) == 0 && len(b.GetNames()) == 0 && b.GetNewHome() == "" {
		return schema.Invalid("change", "writes nothing")
	}
	seen := map[int32]bool{}
	var bad error
	err := splitValues(b.GetValues(), func(num int32, _ []byte) {
		f := k.FieldNumber(num)
		if f == nil || f.Desc.IsList() {
			return
		}
		if seen[num] {
			bad = schema.Invalid(f.Name, "is written twice in one change")
		}
		seen[num] = true
	})
	if err != nil {
		return schema.Invalid("values", "%v", err)
	}
	if bad != nil {
		return bad
	}
	if err := proto.Unmarshal(b.GetValues(), k.New()); err != nil {
		return schema.Invalid("values", "are no %s: %v", k.Name, err)
	}
	named := map[uint32]bool{}
	for _, n := range b.GetNames() {
		if named[n.GetField()] {
			return schema.Invalid("names", "field %d is named twice", n.GetField())
		}
		named[n.GetField()] = true
		if len(n.GetEntries()) > MaxEntriesNamed {
			return schema.Invalid("names", "field %d names %d entries", n.GetField(), len(n.GetEntries()))
		}
		if _, err := placesOf(n.GetEntries()); err != nil {
			return fmt.Errorf("merge: field %d: %w", n.GetField(), err)
		}
	}
	return nil
}
