package golden

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"

	"branchline/hq/store"
	"branchline/schema"
)

// shown is how many differences are named.
const shown = 50

// Checked is what a check found.
type Checked struct {
	Customers, Vehicles int // live customers and cars looked at
	Groups, Questions   int
	Differences         []string // at most shown, and then how many more
}

// Check makes groups, their ids and the questions anew from the records alone, in memory,
// and compares them with what is stored. It waits until all that is committed is grouped.
func (g *Golden) Check(ctx context.Context) (out *Checked, err error) {
	err = g.settled(ctx, func(r *store.R) (err error) {
		out, err = g.check(ctx, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hq/golden: check: %w", err)
	}
	return out, nil
}

// settled reads once all that is committed is grouped. Before that the groups lag behind
// the records, as for a while after a start, and what is read of both does not fit.
func (g *Golden) settled(ctx context.Context, read func(*store.R) error) error {
	if err := g.ready(ctx); err != nil {
		return err
	}
	for done := false; !done; {
		if err := g.Catch(ctx); err != nil {
			return err
		}
		err := g.st.Read(ctx, func(r *store.R) error {
			var behind int
			if found, err := r.Scan("SELECT 1 FROM counter c, match_state s WHERE c.swept < c.record OR s.phase <> 0 OR EXISTS (SELECT 1 FROM dirty)", nil, &behind); err != nil || found {
				return err
			}
			done = true
			return read(r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *Golden) check(ctx context.Context, r *store.R) (*Checked, error) {
	m := g.inUse.Load()
	a, err := g.readWhole(r)
	if err != nil {
		return nil, err
	}
	e, err := a.engine(ctx, m)
	if err != nil {
		return nil, err
	}
	out := &Checked{Customers: len(a.people)}
	var more int
	differ := func(format string, args ...any) {
		if len(out.Differences) < shown {
			out.Differences = append(out.Differences, fmt.Sprintf(format, args...))
		} else {
			more++
		}
	}
	should := map[int64]*member{} // the oldest of a record's group, if that has two
	for _, c := range e.Clusters() {
		list := a.members(c)
		if len(list) > 1 {
			out.Groups++
			for _, x := range list {
				should[x.n] = oldest(list)
			}
		}
	}
	if err := a.cars(r, out, should); err != nil {
		return nil, err
	}
	for _, x := range a.sorted() {
		want := int64(0)
		if o := should[x.n]; o != nil {
			want = o.n
		}
		if x.grp != want {
			differ("%s is in the group of %s, and should be in that of %s", x.id, a.name(x.grp, x), a.name(want, x))
		}
	}
	want, err := a.questions(e, m)
	if err != nil {
		return nil, err
	}
	var have []asked
	if err := r.Each("SELECT "+questionColumns+" FROM match_question ORDER BY rank, aid, bid", nil, scanAsked(&have)); err != nil {
		return nil, err
	}
	out.Questions = len(want)
	lack := map[string]bool{}
	for _, q := range want {
		lack[q.text()] = true
	}
	for _, q := range have {
		if !lack[q.text()] {
			differ("the question %s should not be there", q.text())
		}
		delete(lack, q.text())
	}
	for _, q := range want {
		if lack[q.text()] {
			differ("the question %s is missing", q.text())
		}
	}
	if more > 0 {
		out.Differences = append(out.Differences, fmt.Sprintf("and %d more", more))
	}
	return out, nil
}

func (a *whole) sorted() []*member {
	out := make([]*member, 0, len(a.all))
	for _, x := range a.all {
		out = append(out, x)
	}
	slices.SortFunc(out, byID)
	return out
}

func (a *whole) name(n int64, self *member) string {
	switch x := a.all[n]; {
	case n == 0:
		return self.id.String() + " alone"
	case x == nil:
		return fmt.Sprintf("record number %d", n)
	default:
		return x.id.String()
	}
}

// cars adds the cars and what their groups should be.
func (a *whole) cars(r *store.R, out *Checked, should map[int64]*member) error {
	byVIN := map[string][]*member{}
	err := r.Each(fmt.Sprintf("SELECT n, id, kind, created, grp, state FROM record WHERE kind = %d", schema.Vehicle), nil, func(rows *stdsql.Rows) error {
		m := new(member)
		var id, state []byte
		var grp stdsql.NullInt64
		if err := rows.Scan(&m.n, &id, &m.kind, &m.created, &grp, &state); err != nil {
			return fmt.Errorf("read cars: %w", err)
		}
		m.id, m.grp = schema.RecordID(id), grp.Int64
		if m.created == 0 {
			m.created = m.id.Time().UnixMilli()
		}
		out.Vehicles++
		a.all[m.n] = m
		keys, err := carKeys(state)
		if err != nil {
			return nil //nolint:nilerr // it has no keys, and the grouping has said so
		}
		for _, k := range keys {
			if k.Joins {
				byVIN[k.Value] = append(byVIN[k.Value], m)
			}
		}
		return nil
	})
	for _, list := range byVIN {
		if len(list) > 1 && len(list) <= maxGroup {
			out.Groups++
			for _, x := range list {
				should[x.n] = oldest(list)
			}
		}
	}
	return err
}

// text says all there is of a question.
func (q asked) text() string {
	return fmt.Sprintf("%s %s score %d gain %d joined %v contradiction %v alarm %v", q.aid, q.bid, q.Score, q.Gain, q.Joined, q.contradiction, q.alarm)
}
