package golden

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"branchline/hq/match"
	"branchline/hq/store"
)

// Pairs are the pairs that should be stored, made anew from the records, a line each.
func (g *Golden) Pairs(ctx context.Context) (out []string, err error) {
	err = g.st.Read(ctx, func(r *store.R) error {
		a, err := g.readWhole(r)
		if err != nil {
			return err
		}
		m := g.inUse.Load()
		byText, said := map[string]match.Record{}, map[string]*match.Prepared{}
		for _, f := range a.people {
			byText[f.id.String()] = f.record()
		}
		rows := map[uint64][]*match.Prepared{}
		for _, f := range a.people {
			p, err := m.Prepare(f.record())
			if err != nil {
				return err
			}
			said[p.ID()] = p
			for _, k := range p.Keys() {
				rows[k] = append(rows[k], p)
			}
		}
		names := map[uint64]map[string]bool{}
		for k, list := range rows {
			for _, p := range list {
				if names[k] == nil {
					names[k] = map[string]bool{}
				}
				names[k][strings.Split(p.Word(), "\x00")[0]] = true
			}
		}
		common := func(k uint64) bool { return match.Own(k) && len(names[k]) > match.Long }
		for id, p := range said {
			said[id] = m.Without(p, common)
		}
		done := map[[2]string]bool{}
		for k, list := range rows {
			slices.SortFunc(list, func(x, y *match.Prepared) int {
				return strings.Compare(x.Word()+"\xff"+x.ID(), y.Word()+"\xff"+y.ID())
			})
			for i, x := range list {
				for j, y := range list[:i] {
					if len(list) > match.Long && (!match.Whole(k) || i-j > match.Beside || !match.Namesakes(x.Word(), y.Word())) {
						continue
					}
					k := [2]string{min(x.ID(), y.ID()), max(x.ID(), y.ID())}
					x, y := said[x.ID()], said[y.ID()]
					if m.Score(x, y) != m.Score(y, x) {
						ex, _ := m.Explain(byText[x.ID()], byText[y.ID()], common)
						ey, _ := m.Explain(byText[y.ID()], byText[x.ID()], common)
						return fmt.Errorf("score is not symmetric: %+v %+v", ex, ey)
					}
					if v := m.Score(x, y); v.Near() && !done[k] {
						done[k] = true
						out = append(out, fmt.Sprintf("%s %s %d %d", k[0], k[1], v.Strangers, v.Sharers))
					}
				}
			}
		}
		slices.Sort(out)
		return nil
	})
	return out, err
}

// Stored are the pairs that are stored.
func (g *Golden) Stored(ctx context.Context) (out []string, err error) {
	err = g.st.Read(ctx, func(r *store.R) error {
		a, err := g.readWhole(r)
		if err != nil {
			return err
		}
		x := g.ground(r, g.inUse.Load(), nil)
		var list []*member
		for _, m := range a.all {
			list = append(list, m)
		}
		if _, err := x.paired(list); err != nil {
			return err
		}
		for k, v := range x.edges {
			p, q := a.all[k.a].id.String(), a.all[k.b].id.String()
			out = append(out, fmt.Sprintf("%s %s %d %d", min(p, q), max(p, q), v.Strangers, v.Sharers))
		}
		slices.Sort(out)
		return nil
	})
	return out, err
}
