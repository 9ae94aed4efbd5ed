package report

import (
	"slices"
	"time"
)

// window is a look back: the days after start up to end.
type window struct {
	start, end string
	month      string // of end
	first      string // first day of month
}

// windows are the looks back of a year that a report asks for: at its last day,
// and if by month at the end of each month from the first named or found, at
// most maxMonths. The last is always that of the report's last day.
func windows(q *query, earliest string) []window {
	last := windowAt(q.to)
	if !q.has(byMonth) {
		return []window{last}
	}
	from := q.from
	if from == "" {
		from = min(earliest, q.to)
	}
	if from == "" {
		from = q.to
	}
	out := []window{last}
	for len(out) < maxMonths && out[len(out)-1].month > from[:7] {
		first := parseDay(out[len(out)-1].first)
		out = append(out, windowAt(first.AddDate(0, 0, -1).Format(time.DateOnly)))
	}
	slices.Reverse(out)
	return out
}

func windowAt(end string) window {
	return window{start: yearBefore(end), end: end, month: end[:7], first: end[:8] + "01"}
}

// yearBefore is the same day a year ago; of the 29th of February the 28th.
func yearBefore(day string) string {
	t := parseDay(day)
	b := t.AddDate(-1, 0, 0)
	if b.Day() != t.Day() {
		b = b.AddDate(0, 0, -b.Day())
	}
	return b.Format(time.DateOnly)
}

// parseDay reads a day that was checked.
func parseDay(day string) time.Time {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return time.Time{}
	}
	return t
}

// marks is a set of windows by index.
type marks []uint64

func (m marks) set(from, to int) marks {
	for len(m) <= to/64 {
		m = append(m, 0)
	}
	for i := from; i <= to; i++ {
		m[i/64] |= 1 << (i % 64)
	}
	return m
}

func (m marks) has(i int) bool { return i/64 < len(m) && m[i/64]&(1<<(i%64)) != 0 }

// covers is the range of windows a day lies in; none when lo > hi. Starts and ends rise.
func covers(ws []window, day string) (lo, hi int) {
	lo, _ = slices.BinarySearchFunc(ws, day, func(w window, d string) int {
		if w.end < d {
			return -1
		}
		return 1
	})
	hi, _ = slices.BinarySearchFunc(ws, day, func(w window, d string) int {
		if w.start < d {
			return -1
		}
		return 1
	})
	return lo, hi - 1
}
