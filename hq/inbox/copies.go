package inbox

import (
	"slices"

	"google.golang.org/protobuf/proto"

	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// One edit may reach headquarters as several changes: a branch that was put back
// or copied re-issues what it had not sent, perhaps more than once. Each copy
// takes the place of the one before, since the branch goes on naming the newest.
// Whoever replaces one copy's entry replaces the edit's: the other copies' entries
// are dead as well, whichever comes first.

// entries is the change's state as it joins st.
func (it *item) entries(st *merge.State) (*merge.State, error) {
	own, err := merge.FromChange(it.stamp(), it.body)
	if err != nil {
		return nil, err
	}
	more := map[int32][]merge.Place{}
	for _, num := range own.Numbers() {
		have := st.Entries(num)
		for _, e := range own.Entries(num) {
			for _, c := range it.instead {
				old := merge.Place{Branch: c.Branch, Inc: c.Inc, Seq: c.Seq, Ord: e.Ord}
				more[num] = append(more[num], old)
				if replaced(have, old) {
					more[num] = append(more[num], e.Place())
				}
			}
			for _, p := range e.Names {
				more[num] = append(more[num], copies(have, p, nil)...)
			}
		}
	}
	b := it.body
	for _, num := range own.Numbers() {
		if len(more[num]) == 0 {
			continue
		}
		if b == it.body {
			b = proto.CloneOf(b)
		}
		i := slices.IndexFunc(b.GetNames(), func(n *wirev1.Names) bool { return int32(n.GetField()) == num })
		if i < 0 {
			i = len(b.GetNames())
			b.Names = append(b.Names, &wirev1.Names{Field: uint32(num)})
		}
		for _, p := range more[num] {
			b.Names[i].Entries = append(b.Names[i].Entries, &wirev1.EntryName{Branch: string(p.Branch), Incarnation: int64(p.Inc), Seq: int64(p.Seq), Ordinal: p.Ord})
		}
	}
	if b == it.body {
		return own, nil
	}
	it.renamed = true
	return merge.FromChange(it.stamp(), b)
}

// isCopy tells whether e names p because it is another copy of the same edit: a
// branch's own edit is always later than what it replaces, a copy never is.
func isCopy(e, p *merge.Entry) bool {
	return e.Place() != p.Place() && e.Stamp.Branch == p.Stamp.Branch && e.Stamp.At <= p.Stamp.At
}

func find(entries []merge.Entry, p merge.Place) *merge.Entry {
	for i := range entries {
		if entries[i].Place() == p {
			return &entries[i]
		}
	}
	return nil
}

// copies are the places of the copies that took p's place, one after the other.
func copies(entries []merge.Entry, p merge.Place, seen []merge.Place) []merge.Place {
	old := find(entries, p)
	if old == nil {
		return nil
	}
	var out []merge.Place
	for i := range entries {
		e := &entries[i]
		if slices.Contains(e.Names, p) && isCopy(e, old) && !slices.Contains(seen, e.Place()) {
			out = append(out, e.Place())
			out = append(out, copies(entries, e.Place(), append(seen, p))...)
		}
	}
	return out
}

// replaced tells whether an edit other than its own copies has replaced p's.
func replaced(entries []merge.Entry, p merge.Place) bool {
	old := find(entries, p)
	if old == nil {
		return false
	}
	for i := range entries {
		if slices.Contains(entries[i].Names, p) && !isCopy(&entries[i], old) {
			return true
		}
	}
	return false
}
