package golden

import (
	stdsql "database/sql"
	"fmt"
	"maps"
	"slices"

	"branchline/hq/match"
	"branchline/schema"
)

// asked is a question about two registrations, one of them a member of the ground.
type asked struct {
	match.Question
	a, b                 int64 // record numbers of A and B
	aid, bid             schema.RecordID
	contradiction, alarm bool
}

// end is one of the two a question or a decision is about.
type end struct {
	n     int64
	id    schema.RecordID
	group int64 // stands for its group
	size  int
}

// cluster makes the groups of all members anew, and the questions about them. Each
// member's group and comp are set.
func (x *ground) cluster() ([]asked, error) {
	facts, err := x.facts()
	if err != nil {
		return nil, err
	}
	for k, v := range x.edges {
		a, b := x.members[k.a], x.members[k.b]
		if v.Joins() && a != nil && b != nil && a.live && b.live {
			join(a, b)
		}
	}
	for k, same := range facts {
		if same {
			join(x.ids[k[0]], x.ids[k[1]])
		}
	}
	comps := map[*member][]*member{}
	for _, m := range x.members {
		r := m.find()
		comps[r] = append(comps[r], m)
	}
	inside := map[*member][]pair{} // joined pairs and near ones of a component
	for k := range x.edges {
		if a, b := x.members[k.a], x.members[k.b]; a != nil && b != nil && a.find() == b.find() {
			inside[a.find()] = append(inside[a.find()], k)
		}
	}
	said := map[*member][]idPair{}
	for k := range facts {
		if r := x.ids[k[0]].find(); r == x.ids[k[1]].find() {
			said[r] = append(said[r], k)
		}
	}
	var out []asked
	for r, list := range comps {
		slices.SortFunc(list, byID)
		for _, m := range list {
			m.group, m.comp = []*member{m}, list
		}
		if len(list) == 1 {
			continue
		}
		more, err := x.component(list, inside[r], said[r], facts)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	more, err := x.between(facts)
	if err != nil {
		return nil, err
	}
	out = append(out, more...)
	return x.alarms(out)
}

// component cuts one component up.
func (x *ground) component(list []*member, inside []pair, said []idPair, facts map[idPair]bool) ([]asked, error) {
	if err := x.ready(list); err != nil {
		return nil, err
	}
	place := map[*member]int{}
	var ms []*member
	var recs []*match.Prepared
	for _, m := range list {
		if p := x.prepared[m.n]; p != nil {
			place[m] = len(recs)
			ms, recs = append(ms, m), append(recs, p)
		}
	}
	var edges []match.Edge
	for _, k := range inside {
		a, ok := place[x.members[k.a]]
		b, too := place[x.members[k.b]]
		if ok && too {
			edges = append(edges, match.Edge{A: a, B: b, Verdict: x.edges[k]})
		}
	}
	var words []match.Decision
	for _, k := range said {
		a, ok := place[x.ids[k[0]]]
		b, too := place[x.ids[k[1]]]
		if ok && too {
			words = append(words, match.Decision{A: a, B: b, Same: facts[k]})
		}
	}
	res := x.m.Component(recs, edges, words)
	for _, c := range res.Clusters {
		group := make([]*member, len(c))
		for i, at := range c {
			group[i] = ms[at]
		}
		for _, m := range group {
			m.group = group
		}
	}
	var out []asked
	for _, q := range res.Questions {
		out = append(out, x.asked(q))
	}
	for _, d := range res.Unheeded {
		a, b := ms[d.A], ms[d.B]
		if byID(b, a) < 0 {
			a, b = b, a
		}
		q := match.Question{A: a.id.String(), B: b.id.String(), Score: x.m.Score(recs[d.A], recs[d.B]).Score(), Gain: 500 * int64(len(a.group)) * int64(len(b.group))}
		k := x.asked(q)
		k.contradiction = true
		out = append(out, k)
	}
	return out, nil
}

func (x *ground) asked(q match.Question) asked {
	out := asked{Question: q}
	if id, err := schema.ParseRecordID(q.A); err == nil {
		out.aid = id
	}
	if id, err := schema.ParseRecordID(q.B); err == nil {
		out.bid = id
	}
	if m := x.ids[out.aid]; m != nil {
		out.a = m.n
	}
	if m := x.ids[out.bid]; m != nil {
		out.b = m.n
	}
	return out
}

// between are the questions between groups of different components: one for each two
// groups that no word keeps apart.
func (x *ground) between(facts map[idPair]bool) ([]asked, error) {
	ns, ids := map[int64]bool{}, map[schema.RecordID]bool{}
	var across []pair
	for k := range x.edges {
		a, b := x.members[k.a], x.members[k.b]
		if a != nil && b != nil && a.find() == b.find() {
			continue
		}
		across = append(across, k)
		for _, n := range [2]int64{k.a, k.b} {
			if x.members[n] == nil {
				ns[n] = true
			}
		}
	}
	if len(across) == 0 {
		return nil, nil
	}
	for k := range x.said {
		if w, ok := x.counts(k); ok && !w.same {
			for _, id := range k {
				if x.ids[id] == nil {
					ids[id] = true
				}
			}
		}
	}
	out, err := x.outside(ns, ids)
	if err != nil {
		return nil, err
	}
	byID := map[schema.RecordID]end{}
	for _, e := range out {
		byID[e.id] = e
	}
	of := func(m *member, e end) end {
		if m != nil {
			return end{m.n, m.id, m.group[0].n, len(m.group)}
		}
		return e
	}
	apart := map[pair]bool{}
	for k := range x.said {
		if w, ok := x.counts(k); ok && !w.same {
			a, b := of(x.ids[k[0]], byID[k[0]]).group, of(x.ids[k[1]], byID[k[1]]).group
			apart[pairOfN(a, b)] = true
		}
	}
	for k, same := range facts {
		if !same {
			a, b := x.ids[k[0]].group[0].n, x.ids[k[1]].group[0].n
			apart[pairOfN(a, b)] = true
		}
	}
	best := map[pair]asked{}
	for _, k := range across {
		a, b := of(x.members[k.a], out[k.a]), of(x.members[k.b], out[k.b])
		g := pairOfN(a.group, b.group)
		if a.n == 0 || b.n == 0 || apart[g] {
			continue
		}
		q, ok := match.Between(x.edges[k], a.id.String(), b.id.String(), a.size, b.size)
		if old, had := best[g]; ok && (!had || q.Compare(old.Question) < 0) {
			if q.A != a.id.String() {
				a, b = b, a
			}
			best[g] = asked{Question: q, a: a.n, b: b.n, aid: a.id, bid: b.id}
		}
	}
	return slices.Collect(maps.Values(best)), nil
}

// outside reads the groups of records that are no members.
func (x *ground) outside(ns map[int64]bool, ids map[schema.RecordID]bool) (map[int64]end, error) {
	out := map[int64]end{}
	take := func(rows *stdsql.Rows) error {
		var e end
		var id []byte
		var grp stdsql.NullInt64
		if err := rows.Scan(&e.n, &id, &grp); err != nil {
			return fmt.Errorf("read groups: %w", err)
		}
		e.id, e.group, e.size = schema.RecordID(id), e.n, 1
		if grp.Valid {
			e.group = grp.Int64
		}
		out[e.n] = e
		return nil
	}
	keys := make([]any, 0, len(ids))
	for id := range ids {
		keys = append(keys, slices.Clone(id[:]))
	}
	if err := x.r.In("SELECT n, id, grp FROM record WHERE n", "", anys(slices.Sorted(maps.Keys(ns))), take); err != nil {
		return nil, err
	}
	if err := x.r.In("SELECT n, id, grp FROM record WHERE id", "", keys, take); err != nil {
		return nil, err
	}
	groups := map[int64]bool{}
	for _, e := range out {
		groups[e.group] = true
	}
	sizes := map[int64]int{}
	if err := x.r.In("SELECT grp, COUNT(*) FROM record WHERE grp", "GROUP BY grp", anys(slices.Sorted(maps.Keys(groups))), func(rows *stdsql.Rows) error {
		var grp int64
		var n int
		if err := rows.Scan(&grp, &n); err != nil {
			return fmt.Errorf("read sizes of groups: %w", err)
		}
		sizes[grp] = n
		return nil
	}); err != nil {
		return nil, err
	}
	for n, e := range out {
		if s := sizes[e.group]; s > 0 {
			e.size = s
			out[n] = e
		}
	}
	return out, nil
}

// alarms has groups too large to be one customer asked about first: by the weak joins
// within, or else by their neighbours by id that have the least in common.
func (x *ground) alarms(out []asked) ([]asked, error) {
	done := map[*member]bool{}
	for i, q := range out {
		if m := x.ids[q.aid]; m != nil && q.Joined && len(m.group) > match.Alarm {
			out[i].alarm, done[m.group[0]] = true, true
		}
	}
	for _, m := range x.members {
		if m.group[0] != m || len(m.group) <= match.Alarm || done[m] {
			continue
		}
		if err := x.ready(m.group); err != nil {
			return nil, err
		}
		out = append(out, x.asked(doubt(x.m, m.group, x.prepared)))
		out[len(out)-1].alarm = true
	}
	return out, nil
}

// doubt is the question about a group in which no join is weak.
func doubt(m *match.Model, group []*member, prepared map[int64]*match.Prepared) match.Question {
	var q match.Question
	for i, b := range group[1:] {
		a := group[i]
		s := match.Bits(0)
		if p, o := prepared[a.n], prepared[b.n]; p != nil && o != nil {
			s = m.Score(p, o).Score()
		}
		if i == 0 || s < q.Score {
			q = match.Question{A: a.id.String(), B: b.id.String(), Score: s, Joined: true, Gain: int64(len(group))}
		}
	}
	return q
}
