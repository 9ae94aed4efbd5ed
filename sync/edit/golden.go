package edit

import (
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/merge"
)

// Member is one record of a group: its resource name and its state.
type Member struct {
	Name  string
	State *merge.State
}

// Whole is a golden customer, or a car under several records: its members' states
// joined, each field read by its rule, with the values headquarters chose (pins).
// It is a pure function of members and pins, in whatever order they come.
//
// A pin shows its value in place of what the field's rule shows, which then stands
// first among what lost; in a list it comes first: it is the one to use. Of two pins
// of a field the later stamp counts. Values that are equal but for their spelling
// are shown once, as the latest has it; the others are named beside it (also).
type Whole struct {
	k     *schema.KindInfo
	names []string
	all   *merge.State
	from  map[schema.ChangeID]string
	pins  map[int32]*pinned
}

// Gather folds members. pins are records of the kind Pin about any of them; those
// that are retired, or hold no value of a field that may be pinned, count for nothing.
func Gather(k *schema.KindInfo, members, pins []Member) (*Whole, error) {
	members = slices.SortedFunc(slices.Values(members), func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	w := &Whole{k: k, all: new(merge.State), from: map[schema.ChangeID]string{}, pins: map[int32]*pinned{}}
	for _, m := range members {
		w.names = append(w.names, m.Name)
		for _, num := range m.State.Numbers() {
			for _, e := range m.State.Entries(num) {
				w.from[e.Stamp.Edit()] = m.Name
			}
		}
		w.all = merge.Join(w.all, m.State)
	}
	for _, p := range pins {
		if err := w.pin(p); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// State is the members' states joined.
func (w *Whole) State() *merge.State { return w.all }

// shown is what the rules show of the whole, values of a list that are alike as one.
func (w *Whole) shown() []merge.Shown {
	var out []merge.Shown
	all := w.all.Shown(w.k)
	for len(all) > 0 {
		f, n := all[0].Field, 1
		for n < len(all) && all[n].Field == f {
			n++
		}
		if f.Merge == optionsv1.Merge_UNION {
			out = append(out, fold(f, all[:n])...)
		} else {
			out = append(out, all[0])
		}
		all = all[n:]
	}
	return out
}

// fold makes one of the values of a list that are alike: the latest, the others
// behind it. They stay in the order of their stamps.
func fold(f *schema.FieldInfo, shown []merge.Shown) []merge.Shown {
	if len(shown) < 2 {
		return shown
	}
	var out []merge.Shown
	var keys []string
	for _, sh := range shown {
		key := alike(f, sh.Entry.Value)
		entries := append([]merge.Entry{sh.Entry}, sh.Also...)
		i := slices.Index(keys, key)
		if i < 0 {
			out, keys = append(out, merge.Shown{}), append(keys, key)
			i = len(out) - 1
		} else {
			entries = append(append(entries, out[i].Entry), out[i].Also...)
		}
		slices.SortFunc(entries, func(a, b merge.Entry) int { return cmp.Or(b.Stamp.Compare(a.Stamp), cmp.Compare(b.Ord, a.Ord)) })
		out[i] = merge.Shown{Field: f, Entry: entries[0], Also: entries[1:]}
	}
	slices.SortStableFunc(out, func(a, b merge.Shown) int {
		return cmp.Or(a.Entry.Stamp.Compare(b.Entry.Stamp), cmp.Compare(a.Entry.Ord, b.Entry.Ord))
	})
	return out
}

// class is one value of a golden view, with its other spellings.
type class struct {
	merge.Shown
	pin *pinned // it is the one chosen; Entry is empty then
}

// raw is the value shown.
func (c *class) raw() []byte {
	if c.pin != nil {
		return c.pin.raw
	}
	return c.Entry.Value
}

// classes are the values of the view, the pinned ones in their place. Fields come by number.
func (w *Whole) classes() []class {
	var out []class
	met := map[int32]bool{}
	for _, sh := range w.shown() {
		p := w.pins[sh.Field.Number]
		if sh.Field.Merge != optionsv1.Merge_UNION {
			out = append(out, single(sh, p))
			met[sh.Field.Number] = true
			continue
		}
		c := class{Shown: sh}
		if p != nil && !met[sh.Field.Number] {
			out = append(out, class{Shown: merge.Shown{Field: sh.Field}, pin: p})
			met[sh.Field.Number] = true
		}
		if p != nil && alike(sh.Field, sh.Entry.Value) == alike(sh.Field, p.raw) {
			i := slices.IndexFunc(out, func(c class) bool { return c.pin == p })
			out[i].Also = append([]merge.Entry{sh.Entry}, sh.Also...)
			continue
		}
		out = append(out, c)
	}
	for num, p := range w.pins {
		if !met[num] {
			c := class{Shown: merge.Shown{Field: w.k.FieldNumber(num)}, pin: p}
			for _, sh := range w.all.Removed(w.k) {
				if sh.Field == c.Field {
					c.Lost = append([]merge.Entry{sh.Entry}, sh.Lost...)
				}
			}
			c.take()
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b class) int { return cmp.Compare(a.Field.Number, b.Field.Number) })
	return out
}

func single(sh merge.Shown, p *pinned) class {
	c := class{Shown: sh}
	if p != nil {
		c.pin, c.Entry, c.Lost = p, merge.Entry{}, append([]merge.Entry{sh.Entry}, sh.Lost...)
	}
	c.take()
	return c
}

// take moves what equals the value shown from what lost to what is beside it.
func (c *class) take() {
	if len(c.Lost) == 0 {
		return
	}
	key := alike(c.Field, c.raw())
	var lost []merge.Entry
	for _, e := range c.Lost {
		if !e.Remove && alike(c.Field, e.Value) == key {
			c.Also = append(c.Also, e)
		} else {
			lost = append(lost, e)
		}
	}
	c.Lost = lost
}

// Show is the golden view: body, the source of every value, what else there is, and
// the group. Its etag is one of a golden view (IsGolden). The caller adds name, home,
// where and who.
func (w *Whole) Show() (*branchlinev1.Record, error) {
	all := w.classes()
	body := w.k.New()
	var raw []byte
	for i := range all {
		raw = append(raw, all[i].raw()...)
	}
	if err := proto.Unmarshal(raw, body); err != nil {
		return nil, fmt.Errorf("edit: show %s: %w", w.k.Name, err)
	}
	r := &branchlinev1.Record{Etag: w.etag()}
	if err := schema.SetBody(r, body); err != nil {
		return nil, err
	}
	var said changeText
	index := int32(0)
	for i := range all {
		if index++; i == 0 || all[i-1].Field != all[i].Field {
			index = 0
		}
		src := w.source(&all[i], &said)
		if all[i].Field.Merge == optionsv1.Merge_UNION {
			src.Index = index
		}
		r.Sources = append(r.Sources, src)
	}
	for _, sh := range w.all.Removed(w.k) {
		if w.pins[sh.Field.Number] == nil {
			r.Sources = append(r.Sources, w.source(&class{Shown: sh}, &said))
		}
	}
	if latest := w.all.Latest(); !latest.IsZero() {
		r.UpdateTime = latest.At.UnixMilli()
	}
	for _, p := range w.pins {
		r.UpdateTime = max(r.UpdateTime, p.stamp.At.UnixMilli())
	}
	if len(w.names) > 1 {
		r.Group = slices.Clone(w.names)
	}
	return r, nil
}

func (w *Whole) source(c *class, said *changeText) *branchlinev1.FieldSource {
	src := source(w.k, &c.Shown, said)
	if c.pin != nil {
		src.Branch, src.At, src.Change = string(c.pin.stamp.Branch), c.pin.stamp.At.UnixMilli(), c.pin.stamp.Change().String()
		src.Pin, src.Record = c.pin.name, c.pin.member
	} else {
		src.Record = w.from[c.Entry.Stamp.Edit()]
	}
	for i, e := range c.Lost {
		src.Lost[i].Record = w.from[e.Stamp.Edit()]
	}
	for _, e := range c.Also {
		src.Also = append(src.Also, &branchlinev1.SameValue{
			Json: JSON(w.k, c.Field, e.Value), Branch: string(e.Stamp.Branch), At: e.Stamp.At.UnixMilli(), Change: e.Stamp.Change().String(),
			Record: w.from[e.Stamp.Edit()],
		})
	}
	return src
}

func (w *Whole) etag() string { return etag(w.k, w.all, w.shown(), goldenEtag) }

// Update is Update of the whole: what the page of a golden etag showed is compared
// with what is shown now. A pinned value that is sent back is no edit, and one value
// in several spellings is one: kept, replaced or removed as a whole.
func (w *Whole) Update(m proto.Message, mask []string, etag string) (*Change, error) {
	u := update{k: w.k, now: w.all, r: m.ProtoReflect(), pins: w.pins, out: new(Change)}
	if IsGolden(etag) {
		u.key = alike
	}
	return u.run(w.shown(), mask, etag)
}
