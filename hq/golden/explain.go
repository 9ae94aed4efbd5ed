package golden

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"branchline/hq/match"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Explain says why two registrations are one or not, under the model in use and the
// groups as they are. ErrNotFound where one is none, or is retired.
func (g *Golden) Explain(ctx context.Context, a, b schema.RecordID) (*Explanation, error) {
	if err := g.ready(ctx); err != nil {
		return nil, err
	}
	out := new(Explanation)
	err := g.st.Read(ctx, func(r *store.R) error {
		m := g.inUse.Load()
		x := g.ground(r, m, nil)
		p, q, err := x.two(a, b)
		if err != nil {
			return err
		}
		read, err := g.readFacts(r, []int64{p.n, q.n})
		if err != nil {
			return err
		}
		common, err := commonKeys(r, []*match.Prepared{x.prepared[p.n], x.prepared[q.n]})
		if err != nil {
			return err
		}
		if out.Explanation, err = m.Explain(read[p.n].record(), read[q.n].record(), common); err != nil {
			return err
		}
		out.A, out.B = a.String(), b.String()
		_, edge := x.edges[pairOfN(p.n, q.n)]
		// What is not near is not kept, found or not.
		out.Found = edge || match.Meet(x.prepared[p.n], x.prepared[q.n])
		k := pairOf(a, b)
		if w, ok := x.counts(k); ok {
			out.Decision = verdictText(w.same)
			ids, err := idsOf(r, []int64{w.n})
			if err != nil {
				return err
			}
			out.Said = ids[0]
		} else if facts, err := x.facts(); err != nil {
			return err
		} else if facts[k] {
			out.Decision = verdictText(true)
		}
		if p.group[0] != q.group[0] {
			return nil
		}
		out.Same = true
		out.Path, err = x.path(p, q)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hq/golden: explain: %w", err)
	}
	return out, nil
}

// Links are the links on the ways from a registration to others of its group, each once, under the model in use and the
// groups as they are. What is not in its group is left out. ErrNotFound where the first is none, or is retired.
func (g *Golden) Links(ctx context.Context, from schema.RecordID, to []schema.RecordID) ([]match.Step, error) {
	if err := g.ready(ctx); err != nil {
		return nil, err
	}
	var out []match.Step
	err := g.st.Read(ctx, func(r *store.R) error {
		x := g.ground(r, g.inUse.Load(), nil)
		first, _, err := x.two(from, from)
		if err != nil {
			return err
		}
		seen := map[[2]string]bool{}
		for _, id := range to {
			m := x.ids[id]
			if m == nil || len(m.group) == 0 || m.group[0] != first.group[0] {
				continue
			}
			way, err := x.path(first, m)
			if err != nil {
				return err
			}
			for _, s := range way {
				pair := [2]string{min(s.From, s.To), max(s.From, s.To)}
				if !seen[pair] {
					seen[pair] = true
					out = append(out, s)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("hq/golden: links: %w", err)
	}
	return out, nil
}

func verdictText(same bool) string {
	if same {
		return "same"
	}
	return "different"
}

// two collects and clusters what two records stand in.
func (x *ground) two(a, b schema.RecordID) (p, q *member, err error) {
	ids := []schema.RecordID{a, b}
	var seeds []int64
	if err := x.r.In("SELECT n FROM record WHERE id", "", idArgs(ids), scanN(&seeds)); err != nil {
		return nil, nil, err
	}
	if err := x.collect(seeds); err != nil {
		return nil, nil, err
	}
	if _, err := x.cluster(); err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		m := x.ids[id]
		if m == nil {
			return nil, nil, fmt.Errorf("customer %s: %w", id, schema.ErrNotFound)
		}
		if err := x.ready([]*member{m}); err != nil {
			return nil, nil, err
		}
		if x.prepared[m.n] == nil {
			return nil, nil, fmt.Errorf("customer %s is retired: %w", id, schema.ErrNotFound)
		}
	}
	return x.ids[a], x.ids[b], nil
}

// path leads from one member of a group to another.
func (x *ground) path(from, to *member) ([]match.Step, error) {
	if from == to {
		return nil, nil
	}
	facts, err := x.facts()
	if err != nil {
		return nil, err
	}
	recs := make([]*match.Prepared, len(from.group))
	at := map[*member]int{}
	for i, m := range from.group {
		recs[i], at[m] = x.prepared[m.n], i
	}
	var edges []match.Edge
	for k, v := range x.edges {
		a, ok := at[x.members[k.a]]
		b, too := at[x.members[k.b]]
		if ok && too {
			edges = append(edges, match.Edge{A: a, B: b, Verdict: v})
		}
	}
	var said []match.Decision
	for k, same := range facts {
		a, ok := at[x.ids[k[0]]]
		b, too := at[x.ids[k[1]]]
		if ok && too {
			said = append(said, match.Decision{A: a, B: b, Same: same})
		}
	}
	return match.Path(recs, edges, said, at[from], at[to]), nil
}

// Try says what a decision would change, and changes nothing. ErrNotFound for a
// registration that is none.
func (g *Golden) Try(ctx context.Context, verdict branchlinev1.Verdict, a, b []schema.RecordID) (*Effect, error) {
	if err := g.ready(ctx); err != nil {
		return nil, err
	}
	out := new(Effect)
	err := g.st.Read(ctx, func(r *store.R) error {
		x := g.ground(r, g.inUse.Load(), nil)
		for _, s := range pairsOf(verdict == branchlinev1.Verdict_SAME, a, b, nil) {
			x.tried[s.pair] = s.same
		}
		ids := slices.Concat(a, b)
		var seeds []int64
		if err := r.In("SELECT n FROM record WHERE id", "", idArgs(ids), scanN(&seeds)); err != nil {
			return err
		}
		if err := x.collect(seeds); err != nil {
			return err
		}
		for _, id := range ids {
			if x.ids[id] == nil {
				return fmt.Errorf("customer %s: %w", id, schema.ErrNotFound)
			}
		}
		list, err := x.cluster()
		if err != nil {
			return err
		}
		x.effect(out)
		// Decisions about the very pairs, and those that would not be heeded, or keep this from being so.
		var ns []int64
		for k, same := range x.tried {
			for _, w := range x.said[k] {
				if w.same != same {
					ns = append(ns, w.n)
				}
			}
		}
		for _, q := range list {
			if q.contradiction {
				ns = append(ns, x.quarrel(x.ids[q.aid], x.ids[q.bid])...)
			}
		}
		ns = slices.DeleteFunc(ns, func(n int64) bool { return n == 0 })
		out.Contradicts, err = idsOf(r, ns)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hq/golden: try: %w", err)
	}
	return out, nil
}

// effect compares the groups as they are stored with those just made.
func (x *ground) effect(out *Effect) {
	was := map[int64][]*member{}
	for _, m := range x.members {
		grp := m.grp
		if grp == 0 {
			grp = -m.n
		}
		was[grp] = append(was[grp], m)
	}
	same := func(a, b []*member) bool {
		return len(a) == len(b) && !slices.ContainsFunc(a, func(m *member) bool { return !slices.Contains(b, m) })
	}
	for _, list := range was {
		if !same(list, list[0].group) {
			out.Before = append(out.Before, asGroup(list))
		}
	}
	for _, list := range x.groupsOf() {
		grp := list[0].grp
		if grp == 0 {
			grp = -list[0].n
		}
		if !same(list, was[grp]) {
			out.After = append(out.After, asGroup(list))
		}
	}
	for _, side := range [][]Group{out.Before, out.After} {
		slices.SortFunc(side, func(a, b Group) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	}
}

func asGroup(list []*member) Group {
	list = slices.Clone(list)
	slices.SortFunc(list, byID)
	g := Group{ID: oldest(list).id}
	for _, m := range list {
		g.Members = append(g.Members, m.id)
	}
	return g
}
