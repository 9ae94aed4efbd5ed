package golden

import (
	"bytes"
	"cmp"
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"

	"branchline/hq/feed"
	"branchline/hq/match"
	"branchline/hq/store"
	"branchline/schema"
)

// whole is all that the groups of customers follow from, in memory: for what is done
// seldom (a new model, a check), by a way of its own.
type whole struct {
	people map[int64]*facts // live ones
	all    map[int64]*member
	ids    map[schema.RecordID]*member
	said   map[idPair]word
}

func (g *Golden) readWhole(r *store.R) (*whole, error) {
	a := &whole{people: map[int64]*facts{}, all: map[int64]*member{}, ids: map[schema.RecordID]*member{}, said: map[idPair]word{}}
	var ns []int64
	if err := r.Each(fmt.Sprintf("SELECT n, id, kind, created, grp FROM record WHERE kind = %d ORDER BY n", schema.Customer), nil, func(rows *stdsql.Rows) error {
		m, err := scanMember(rows)
		if err == nil {
			a.all[m.n], a.ids[m.id] = m, m
			ns = append(ns, m.n)
		}
		return err
	}); err != nil {
		return nil, err
	}
	for part := range slices.Chunk(ns, batchRecords) {
		read, err := g.readFacts(r, part)
		if err != nil {
			return nil, err
		}
		for n, f := range read {
			if f.live {
				a.people[n], a.all[n].live = f, true
			}
		}
	}
	err := r.Each(fmt.Sprintf("SELECT n, state FROM record WHERE kind = %d", schema.MatchDecision), nil, func(rows *stdsql.Rows) error {
		var n int64
		var state []byte
		if err := rows.Scan(&n, &state); err != nil {
			return fmt.Errorf("read decisions: %w", err)
		}
		list, err := sayings(state)
		if err != nil {
			g.log.Error("decision cannot be read", "err", err)
			return nil
		}
		for _, s := range list {
			if old, had := a.said[s.pair]; !had || bytes.Compare(s.at, old.at) > 0 {
				a.said[s.pair] = word{s.same, s.at, n}
			}
		}
		return nil
	})
	return a, err
}

// members are the records of a cluster of the engine.
func (a *whole) members(ids []string) []*member {
	out := make([]*member, 0, len(ids))
	for _, s := range ids {
		if id, err := schema.ParseRecordID(s); err == nil {
			out = append(out, a.ids[id])
		}
	}
	return out
}

// words are all pairs of live customers that a decision or a statement makes one or keeps apart.
func (a *whole) words(m *match.Model) (map[idPair]bool, error) {
	holders := map[Key][]*member{}
	for n, f := range a.people {
		for _, k := range f.keys {
			holders[k] = append(holders[k], a.all[n])
		}
	}
	out := map[idPair]bool{}
	for k, list := range holders {
		if len(list) > maxGroup {
			continue
		}
		slices.SortFunc(list, byID)
		if k.Kind == feed.KeySame {
			first := list[0]
			if t := a.ids[k.id()]; t != nil && t.live {
				first = t
			}
			for _, x := range list {
				if x != first {
					out[pairOf(first.id, x.id)] = true
				}
			}
			continue
		}
		prepared := make([]*match.Prepared, len(list))
		for i, x := range list {
			p, err := m.Prepare(a.people[x.n].record())
			if err != nil {
				return nil, err
			}
			prepared[i] = p
			if j := slices.IndexFunc(prepared[:i], func(o *match.Prepared) bool { return !m.Score(p, o).Veto }); j >= 0 {
				out[pairOf(x.id, list[j].id)] = true
			}
		}
	}
	for k, w := range a.said {
		out[k] = w.same
	}
	for k := range out {
		if p, q := a.ids[k[0]], a.ids[k[1]]; p == nil || q == nil || !p.live || !q.live {
			delete(out, k)
		}
	}
	return out, nil
}

// engine holds all of it under a model.
func (a *whole) engine(ctx context.Context, m *match.Model) (*match.Engine, error) {
	words, err := a.words(m)
	if err != nil {
		return nil, err
	}
	e := match.NewEngine(m)
	for _, n := range a.order() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := e.Put(a.people[n].record()); err != nil {
			return nil, err
		}
	}
	for k, same := range words {
		if same {
			e.Same(k[0].String(), k[1].String())
		} else {
			e.Different(k[0].String(), k[1].String())
		}
	}
	return e, nil
}

func (a *whole) order() []int64 {
	out := make([]int64, 0, len(a.people))
	for n := range a.people {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// questions are those that the stored ones should be, in their order.
func (a *whole) questions(e *match.Engine, m *match.Model) ([]asked, error) {
	words, err := a.words(m)
	if err != nil {
		return nil, err
	}
	var out []asked
	add := func(q match.Question) *asked {
		x := asked{Question: q}
		for _, side := range []struct {
			text string
			id   *schema.RecordID
		}{{q.A, &x.aid}, {q.B, &x.bid}} {
			if id, err := schema.ParseRecordID(side.text); err == nil {
				*side.id = id
			}
		}
		out = append(out, x)
		return &out[len(out)-1]
	}
	big := map[string]bool{} // first ids of groups too large
	for _, q := range e.Questions(1 << 30) {
		x := add(q)
		if c := e.Cluster(q.A); q.Joined && len(c) > match.Alarm {
			x.alarm, big[c[0]] = true, true
		}
	}
	prepared := func(list []*member) map[int64]*match.Prepared {
		out := map[int64]*match.Prepared{}
		for _, x := range list {
			out[x.n] = e.Prepared(x.id.String())
		}
		return out
	}
	for _, first := range e.Alarms() {
		if list := a.members(e.Cluster(first)); !big[first] {
			add(doubt(m, list, prepared(list))).alarm = true
		}
	}
	for k, same := range words {
		p, q := e.Cluster(k[0].String()), e.Cluster(k[1].String())
		if !same || p[0] == q[0] {
			continue
		}
		s := m.Score(e.Prepared(k[0].String()), e.Prepared(k[1].String())).Score()
		add(match.Question{A: k[0].String(), B: k[1].String(), Score: s, Gain: 500 * int64(len(p)) * int64(len(q))}).contradiction = true
	}
	slices.SortFunc(out, func(x, y asked) int {
		return cmp.Or(cmp.Compare(rankOf(x), rankOf(y)), compareIDs(x.aid, y.aid), compareIDs(x.bid, y.bid))
	})
	return out, nil
}
