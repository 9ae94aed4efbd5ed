package edit

import (
	"encoding/base64"
	"encoding/binary"
	"slices"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	"branchline/sync/merge"
)

// An etag is base64url of: version 1, or 2 of a golden view | changes: count, then branch, incarnation,
// seq each | fields: number<<1|list, count, then change index, ordinal, and for a
// list the value's sum and whether the entry stands behind an equal one. The first
// entry of a single value is the shown one.
const (
	etagVersion = 1
	goldenEtag  = 2
)

// IsGolden tells whether an etag is of a golden view: the edit is one of the whole group.
func IsGolden(etag string) bool {
	b, err := base64.RawURLEncoding.DecodeString(etag)
	return err == nil && len(b) > 0 && b[0] == goldenEtag
}

type seenEntry struct {
	place merge.Place
	sum   uint32
	also  bool
}

// Etag carries the entries of every field a page of the state shows.
func Etag(k *schema.KindInfo, s *merge.State) string { return etag(k, s, s.Shown(k), etagVersion) }

func etag(k *schema.KindInfo, s *merge.State, shown []merge.Shown, version byte) string {
	w := etagWriter{index: map[schema.ChangeID]uint64{}}
	for _, num := range s.Numbers() {
		f := k.FieldNumber(num)
		if f == nil {
			continue
		}
		n := 0
		for n < len(shown) && shown[n].Field == f {
			n++
		}
		if f.Merge == optionsv1.Merge_UNION {
			w.list(f, shown[:n])
		} else {
			w.single(f, s, shown[:n])
		}
		shown = shown[n:]
	}
	out := binary.AppendUvarint([]byte{version}, uint64(len(w.index)))
	out = append(append(out, w.changes...), w.fields...)
	return base64.RawURLEncoding.EncodeToString(out)
}

type etagWriter struct {
	index   map[schema.ChangeID]uint64
	changes []byte
	fields  []byte
}

func (w *etagWriter) change(s schema.Stamp) uint64 {
	id := s.Edit()
	i, ok := w.index[id]
	if !ok {
		i = uint64(len(w.index))
		w.index[id] = i
		w.changes = append(w.changes, byte(len(id.Branch)))
		w.changes = append(w.changes, id.Branch...)
		w.changes = binary.BigEndian.AppendUint64(w.changes, uint64(id.Inc))
		w.changes = binary.AppendUvarint(w.changes, uint64(id.Seq))
	}
	return i
}

func (w *etagWriter) entry(e merge.Entry) {
	i := w.change(e.Stamp)
	w.fields = binary.AppendUvarint(binary.AppendUvarint(w.fields, i), uint64(e.Ord))
}

func (w *etagWriter) single(f *schema.FieldInfo, s *merge.State, shown []merge.Shown) {
	live := liveEntries(s.Entries(f.Number))
	if len(live) == 0 {
		return
	}
	first := len(live) - 1 // a removal that wins is the latest
	for i := range live {
		if len(shown) > 0 && live[i].Place() == shown[0].Entry.Place() {
			first = i
		}
	}
	w.fields = binary.AppendUvarint(w.fields, uint64(f.Number)<<1)
	w.fields = binary.AppendUvarint(w.fields, uint64(len(live)))
	w.entry(live[first])
	for i := range live {
		if i != first {
			w.entry(live[i])
		}
	}
}

func (w *etagWriter) list(f *schema.FieldInfo, shown []merge.Shown) {
	n := 0
	for i := range shown {
		n += 1 + len(shown[i].Also)
	}
	if n == 0 {
		return
	}
	w.fields = binary.AppendUvarint(w.fields, uint64(f.Number)<<1|1)
	w.fields = binary.AppendUvarint(w.fields, uint64(n))
	for i := range shown {
		sum := valueSum(shown[i].Entry.Value)
		put := func(e merge.Entry, also byte) {
			w.entry(e)
			w.fields = append(binary.BigEndian.AppendUint32(w.fields, sum), also)
		}
		put(shown[i].Entry, 0)
		for _, e := range shown[i].Also {
			put(e, 1)
		}
	}
}

func parseEtag(etag string) (map[int32][]seenEntry, error) {
	bad := schema.Invalid("etag", "is missing or not one that was given out: read the record again and send its etag back")
	b, err := base64.RawURLEncoding.DecodeString(etag)
	if err != nil || len(b) == 0 || b[0] != etagVersion && b[0] != goldenEtag {
		return nil, bad
	}
	r := etagReader{b: b[1:]}
	changes := make([]schema.ChangeID, r.count(10))
	for i := range changes {
		br := r.take(int(r.byte()))
		inc := r.take(8)
		seq := r.uvarint()
		if r.bad {
			return nil, bad
		}
		changes[i] = schema.ChangeID{Branch: schema.BranchID(br), Inc: schema.Incarnation(binary.BigEndian.Uint64(inc)), Seq: schema.Seq(seq)}
	}
	out := map[int32][]seenEntry{}
	for len(r.b) > 0 && !r.bad {
		num := int32(r.uvarint())
		list := num&1 == 1
		num >>= 1
		for range r.count(2) {
			i, ord := r.uvarint(), r.uvarint()
			if r.bad || i >= uint64(len(changes)) {
				return nil, bad
			}
			c := changes[i]
			e := seenEntry{place: merge.Place{Branch: c.Branch, Inc: c.Inc, Seq: c.Seq, Ord: uint32(ord)}}
			if list {
				sum := r.take(4)
				e.also = r.byte() == 1
				if r.bad {
					return nil, bad
				}
				e.sum = binary.BigEndian.Uint32(sum)
			}
			out[num] = append(out[num], e)
		}
	}
	if r.bad {
		return nil, bad
	}
	return out, nil
}

// Moved tells whether a field shows something else on the page of now than on that of was: etags of one record, both not
// golden. It is for acts that stand on fields they do not write. ErrInvalid for what is no etag.
func Moved(k *schema.KindInfo, was, now string, fields ...string) (bool, error) {
	before, err := parseEtag(was)
	if err != nil {
		return false, err
	}
	after, err := parseEtag(now)
	if err != nil {
		return false, err
	}
	for _, name := range fields {
		f := k.Field(name)
		if f == nil {
			return false, schema.Invalid("field", "a %s has no field %q", k.Name, name)
		}
		x, y := before[f.Number], after[f.Number]
		if f.Merge != optionsv1.Merge_UNION { // the first entry is the shown one
			x, y = x[:min(len(x), 1)], y[:min(len(y), 1)]
		}
		if !slices.Equal(x, y) {
			return true, nil
		}
	}
	return false, nil
}

type etagReader struct {
	b   []byte
	bad bool
}

func (r *etagReader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *etagReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *etagReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of things of at least size bytes each.
func (r *etagReader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.bad = true
		return 0
	}
	return int(n)
}
