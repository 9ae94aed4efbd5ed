package report

import (
	"strings"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

const unit = "\x1f"

// rowKey is a row's branch and model as far as rows are broken down by them.
func rowKey(branches bool, branch string, models bool, model string) string {
	if !branches {
		branch = ""
	}
	if !models {
		model = ""
	}
	return branch + unit + model
}

// table is rows of counts by branch and model, and by window when by month.
type table struct {
	q     *query
	ws    []window
	cells map[place]*[3]int64
}

type place struct {
	key string
	i   int
}

func newTable(q *query, ws []window) *table { return &table{q, ws, map[place]*[3]int64{}} }

func (t *table) at(key string, i int) *[3]int64 {
	p := place{key, i}
	c := t.cells[p]
	if c == nil {
		c = new([3]int64)
		t.cells[p] = c
	}
	return c
}

// month is the window a day is listed under; -1 when it lies before them all.
func (t *table) month(day string) int {
	if !t.q.has(byMonth) {
		return 0
	}
	for i := len(t.ws) - 1; i >= 0; i-- {
		if t.ws[i].month == day[:7] {
			return i
		}
	}
	return -1
}

// rows are the table's rows of n values each. Without anything to break down by
// there is one, of the group.
func (t *table) rows(n int) []*branchlinev1.ReportRow {
	if len(t.q.by) == 0 {
		t.at(rowKey(false, "", false, ""), 0)
	}
	out := make([]*branchlinev1.ReportRow, 0, len(t.cells))
	for p, c := range t.cells {
		branch, model, _ := strings.Cut(p.key, unit)
		row := &branchlinev1.ReportRow{Values: append([]int64(nil), c[:n]...)}
		for _, by := range t.q.by {
			switch by {
			case byMonth:
				row.Keys = append(row.Keys, t.ws[p.i].month)
			case byBranch:
				row.Keys = append(row.Keys, branch)
			case byModel:
				row.Keys = append(row.Keys, model)
			}
		}
		out = append(out, row)
	}
	return out
}
