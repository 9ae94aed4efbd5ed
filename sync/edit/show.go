package edit

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/merge"
)

// Show puts what a page shows of a state into an API record: body, etag and the
// source of every value, and of every removal, with what lost against it. Of a state
// joined from several records, Whole.Show is the view.
// The caller adds name, home, where and who.
func Show(k *schema.KindInfo, s *merge.State) (*branchlinev1.Record, error) {
	shown := s.Shown(k)
	body := k.New()
	size := 0
	for i := range shown {
		size += len(shown[i].Entry.Value)
	}
	raw := make([]byte, 0, size)
	for i := range shown {
		raw = append(raw, shown[i].Entry.Value...)
	}
	if err := proto.Unmarshal(raw, body); err != nil {
		return nil, fmt.Errorf("edit: show %s: %w", k.Name, err)
	}
	r := &branchlinev1.Record{Etag: etag(k, s, shown, etagVersion)}
	if err := schema.SetBody(r, body); err != nil {
		return nil, err
	}
	r.Sources = make([]*branchlinev1.FieldSource, 0, len(shown))
	var said changeText
	index := int32(0)
	for i := range shown {
		sh := &shown[i]
		if i > 0 && shown[i-1].Field == sh.Field {
			index++
		} else {
			index = 0
		}
		src := source(k, sh, &said)
		if sh.Field.Merge == optionsv1.Merge_UNION {
			src.Index = index
		}
		r.Sources = append(r.Sources, src)
	}
	for _, sh := range s.Removed(k) {
		r.Sources = append(r.Sources, source(k, &sh, &said))
	}
	if latest := s.Latest(); !latest.IsZero() {
		r.UpdateTime = latest.At.UnixMilli()
	}
	return r, nil
}

// source tells where a shown value is from and what lost against it; a lost removal has no JSON.
func source(k *schema.KindInfo, sh *merge.Shown, said *changeText) *branchlinev1.FieldSource {
	stamp := sh.Entry.Stamp
	src := &branchlinev1.FieldSource{
		Field: sh.Field.Name, Branch: string(stamp.Branch), At: stamp.At.UnixMilli(), Change: said.of(stamp.Change()), Index: -1,
	}
	for _, l := range sh.Lost {
		src.Lost = append(src.Lost, &branchlinev1.LostValue{
			Json: JSON(k, sh.Field, l.Value), Branch: string(l.Stamp.Branch), At: l.Stamp.At.UnixMilli(), Change: l.Stamp.Change().String(),
		})
	}
	return src
}

// changeText is the last change that was written out: one change mostly wrote many fields of a record.
type changeText struct {
	id   schema.ChangeID
	text string
}

func (c *changeText) of(id schema.ChangeID) string {
	if c.text == "" || id != c.id {
		c.id, c.text = id, id.String()
	}
	return c.text
}
