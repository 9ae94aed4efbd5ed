package report

import (
	"bytes"
	stdsql "database/sql"
	"fmt"

	"branchline/hq/store"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

var retentionTypes = map[string]string{"cohort": "count", "kept": "count", "retention": "ratio"}

// life is what is known of a car at one site, or in the group.
type life struct {
	first string
	seen  marks
}

func (l *life) visit(day string, ws []window) {
	if l.first == "" || day < l.first {
		l.first = day
	}
	if lo, hi := covers(ws, day); lo <= hi {
		l.seen = l.seen.set(lo, hi)
	}
}

// retention follows the cars first serviced before the year that ends at the
// last day: how many of them came again within it. By branch, first and again
// mean at that site; without, and in the total, at any site of the group.
func (r *Reports) retention(rd *store.R, q *query, out *branchlinev1.ReportResponse) error {
	same, err := groups(rd, "vehicle")
	if err != nil {
		return err
	}
	gone, err := goneCars(rd)
	if err != nil {
		return err
	}
	earliest, err := firstDay(rd, q)
	if err != nil {
		return err
	}
	ws := windows(q, earliest)

	type spot struct{ branch, car string }
	type badge struct {
		day   string
		id    []byte
		model string
	}
	sites, group := map[spot]*life{}, map[string]*life{}
	badges := map[string]badge{} // the model last read of each car
	branches, models := q.has(byBranch), q.has(byModel)
	err = eachVisit(rd, q, "vehicle", models, func(o *visited) {
		car := same.of(o.who)
		if gone[car] {
			return
		}
		if branches {
			s := sites[spot{o.branch, car}]
			if s == nil {
				s = new(life)
				sites[spot{o.branch, car}] = s
			}
			s.visit(o.day, ws)
		}
		l := group[car]
		if l == nil {
			l = new(life)
			group[car] = l
		}
		l.visit(o.day, ws)
		if !models || o.model == "" {
			return
		}
		if b := badges[car]; o.day > b.day || o.day == b.day && bytes.Compare(o.id, b.id) > 0 {
			badges[car] = badge{o.day, o.id, o.model}
		}
	})
	if err != nil {
		return err
	}

	rows := newTable(q, ws)
	count := func(l *life, into func(i int) *[3]int64) {
		if l.first < q.from {
			return
		}
		for i := range ws {
			if l.first > ws[i].start {
				continue
			}
			c := into(i)
			c[0]++
			if l.seen.has(i) {
				c[1]++
			}
		}
	}
	var total [3]int64
	for car, l := range group {
		count(l, func(i int) *[3]int64 {
			if i == len(ws)-1 {
				return &total
			}
			return new([3]int64)
		})
		if !branches {
			key := rowKey(false, "", models, badges[car].model)
			count(l, func(i int) *[3]int64 { return rows.at(key, i) })
		}
	}
	for s, l := range sites {
		key := rowKey(true, s.branch, models, badges[s.car].model)
		count(l, func(i int) *[3]int64 { return rows.at(key, i) })
	}
	for _, c := range rows.cells {
		c[2] = divide(c[1]*10000, c[0])
	}
	total[2] = divide(total[1]*10000, total[0])
	out.Rows = rows.rows(3)
	out.Total = &branchlinev1.ReportRow{Values: total[:]}
	r.columns(out, retentionTypes, []string{"cohort", "kept", "retention"}, q.to, yearBefore(q.to), since(q, earliest))
	if branches {
		r.say(out, "report.note.retention.sites")
	}
	return nil
}

// goneCars are the cars all of whose records are retired, by what stands for them in a grouping.
func goneCars(rd *store.R) (map[string]bool, error) {
	gone := map[string]bool{}
	retired := map[int64]int{} // records of a group
	err := rd.Each("SELECT c.id, m.grp FROM car_fact c LEFT JOIN record m ON m.id = c.id WHERE c.retired = 1", nil, func(rows *stdsql.Rows) error {
		var id []byte
		var grp stdsql.NullInt64
		if err := rows.Scan(&id, &grp); err != nil {
			return fmt.Errorf("hq/report: %w", err)
		}
		if grp.Valid {
			retired[grp.Int64]++
		} else {
			gone[string(id)] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	grps := make([]any, 0, len(retired))
	for grp := range retired {
		grps = append(grps, grp)
	}
	err = rd.In("SELECT grp, COUNT(*) FROM record WHERE grp", "GROUP BY grp", grps, func(rows *stdsql.Rows) error {
		var grp int64
		var members int
		if err := rows.Scan(&grp, &members); err != nil {
			return fmt.Errorf("hq/report: %w", err)
		}
		if retired[grp] >= members {
			gone[groupKey(grp)] = true
		}
		return nil
	})
	return gone, err
}
