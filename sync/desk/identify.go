package desk

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/nationalid"
)

// Identify writes into a customer what is kept of a whole national id: its end and
// its hash under the group's key. ErrInvalid: the text is none, or m no customer;
// schema.ErrUnavailable: there is no key.
func Identify(m proto.Message, text string, key []byte) error {
	c, ok := m.(*branchlinev1.Customer)
	if !ok {
		return schema.Invalid("national_id", "only customers have one")
	}
	id, err := nationalid.Parse(text)
	if err != nil {
		return err
	}
	if len(key) == 0 {
		return fmt.Errorf("this site has no key for national ids yet: %w", schema.ErrUnavailable)
	}
	c.IdLast, c.IdHash = proto.String(id.Last()), id.Hash(key)
	return nil
}

// Identified is an update mask with what Identify writes.
func Identified(mask []string) []string {
	for _, f := range []string{"id_last", "id_hash"} {
		if !slices.Contains(mask, f) {
			mask = append(mask, f)
		}
	}
	return mask
}
