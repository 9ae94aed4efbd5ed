package golden

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"branchline/hq/store"
	"branchline/schema"
)

// settle writes the groups that are others than they were, and has the feeds follow.
// groups holds every record of whole components once.
func (b *batch) settle(groups [][]*member, model string) error {
	var moved, all []*member
	now := map[*member]int64{}
	for _, list := range groups {
		all = append(all, list...)
		grp := int64(0)
		if len(list) > 1 {
			grp = oldest(list).n
		}
		for _, m := range list {
			if now[m] = grp; m.grp != grp {
				moved = append(moved, m)
			}
		}
	}
	if len(moved) == 0 {
		return nil
	}
	// Groups somebody left or joined, as they were and as they are: who holds a
	// member of them may hold others now.
	touched := map[int64]bool{}
	for _, m := range moved {
		touched[m.grp], touched[now[m]] = true, true
	}
	delete(touched, 0)
	var around []*member
	for _, m := range all {
		if touched[m.grp] || touched[now[m]] {
			around = append(around, m)
		}
	}
	for _, list := range [][]*member{moved, around} {
		slices.SortFunc(list, byID)
	}
	if err := b.events(around, now, model); err != nil {
		return err
	}
	return b.follow(moved, around, now)
}

func (b *batch) follow(moved, around []*member, now map[*member]int64) error {
	s := b.g.scope
	var candidates []int32
	ids := make([]schema.RecordID, len(around))
	for i, m := range around {
		ids[i] = m.id
	}
	for _, id := range ids {
		list, err := s.Holders(b.w, id)
		if err != nil {
			return err
		}
		candidates = append(candidates, list...)
	}
	slices.Sort(candidates)
	candidates = slices.Compact(candidates)
	for _, m := range moved {
		var grp any
		if now[m] != 0 {
			grp = now[m]
		}
		if _, err := b.w.Exec("UPDATE record SET grp = $1 WHERE n = $2", grp, m.n); err != nil {
			return err
		}
	}
	s.Regrouped(ids...)
	for _, m := range around {
		recs, err := s.Dependents(b.w, m.id)
		if err != nil {
			return err
		}
		if err := s.Rescope(b.w, recs, candidates); err != nil {
			return err
		}
		if err := s.Untell(b.w, m.n, candidates); err != nil {
			return err
		}
	}
	told := map[int64]bool{0: true}
	for _, m := range around {
		if grp := now[m]; !told[grp] {
			told[grp] = true
			if err := s.Tell(b.w, grp, candidates); err != nil {
				return err
			}
		}
	}
	// Reports and lists follow revs: a record in another group is news to them.
	for _, m := range moved {
		if _, err := b.w.Exec("UPDATE record SET rev = $1 WHERE n = $2", int64(b.w.NextRev()), m.n); err != nil {
			return err
		}
	}
	return nil
}

// ask makes the stored questions about members those given.
func (b *batch) ask(members []int64, list []asked) error {
	for _, side := range []string{"a", "b"} {
		if err := b.w.ExecIn("DELETE FROM match_question WHERE "+side, "", anys(members)); err != nil {
			return err
		}
	}
	slices.SortFunc(list, func(x, y asked) int {
		return cmp.Or(cmp.Compare(rankOf(x), rankOf(y)), bytes.Compare(x.aid[:], y.aid[:]), bytes.Compare(x.bid[:], y.bid[:]))
	})
	var rows []any
	for _, q := range list {
		rows = append(rows, rankOf(q), bytes.Clone(q.aid[:]), bytes.Clone(q.bid[:]), q.a, q.b, int64(q.Score), q.Gain, number(q.Joined), number(q.contradiction), number(q.alarm))
	}
	if _, err := b.w.Insert("INSERT INTO match_question (rank, aid, bid, a, b, score, gain, joined, contradiction, alarm)", "ON CONFLICT DO NOTHING", 10, rows); err != nil {
		return err
	}
	return b.warn(list)
}

// rankOf orders questions: what looks too large first, then where decisions contradict
// each other, then by gain.
func rankOf(q asked) int64 {
	switch {
	case q.alarm:
		return -q.Gain - 1<<60
	case q.contradiction:
		return -q.Gain - 1<<58 // above what warn counts
	}
	return -q.Gain
}

func number(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// warn raises the alarm about groups that look too large, and ends it.
func (b *batch) warn(list []asked) error {
	raised := slices.ContainsFunc(list, func(q asked) bool { return q.alarm })
	if !raised && !b.g.warned {
		return nil
	}
	var n int
	if _, err := b.w.Scan("SELECT COUNT(*) FROM (SELECT 1 FROM match_question WHERE rank < $1 LIMIT 1000)", []any{-int64(1) << 59}, &n); err != nil {
		return err
	}
	b.g.warned = n > 0
	if n == 0 {
		return b.w.Quiet(store.HQNum, store.AlarmSwallows)
	}
	return b.w.Alarm(store.HQNum, store.AlarmSwallows, fmt.Sprintf("%d questions are about groups of more customers than one party has: they stand first in the list of questions", n))
}

// groupsOf are the groups of a ground that was clustered.
func (x *ground) groupsOf() [][]*member {
	var out [][]*member
	for _, n := range slices.Sorted(maps.Keys(x.members)) {
		if m := x.members[n]; m.group[0] == m {
			out = append(out, m.group)
		}
	}
	return out
}
