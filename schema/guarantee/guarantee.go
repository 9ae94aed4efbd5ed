// Package guarantee counts what the three guarantees (三包) count of a car: the
// repairs of one fault and the days in the workshop, over all sites of the group;
// it finds faults that came back, and says how long the guarantee on a repair holds.
//
// Rules:
//   - Only work that is marked as done under the guarantees counts, and only while
//     the term runs: so many months from the day of sale or so many kilometres,
//     whichever ends first.
//   - A repair takes from the time the car came in to the time it was ready; a part
//     of a day is a day (order 43 of the market authority: less than 24 hours count
//     as one day). A car that is still in counts up to now.
//   - One visit counts once for a fault, however many lines it took.
//   - Two works mend the same fault when their codes are equal, or system and
//     complaint, or system and cause, but for case, width, script and spaces; and
//     when a third joins them. That is coarse on purpose: a warning too many is
//     read and dismissed, one too few costs a car.
//
// It warns; what is owed to the customer a person decides.
package guarantee

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"branchline/schema/han"
	"branchline/schema/setting"
)

// Visit is one order of the car.
type Visit struct {
	Name, Branch string
	Day          string // the day it came in, YYYY-MM-DD
	In, Ready    int64  // Unix milliseconds; Ready is 0 while the car is in
	Km           int64  // 0: not read
	Work         []Work
}

// Work is one line of a visit that mends something; the caller leaves out what is done by interval.
type Work struct {
	// Complaint is in the customer's words, and absent on what another company did; Code and Cause are the workshop's.
	Code, System, Complaint, Cause string
	// Guaranteed: done under the three guarantees.
	Guaranteed bool
	// Assembly is the main assembly exchanged whole, "" for none; Safety that the fault endangered people.
	Assembly string
	Safety   bool
}

// keys are what the work shares with others that mend the same fault.
func (w Work) keys() []string {
	var out []string
	if c := bare(w.Code); c != "" {
		out = append(out, "code "+c)
	}
	if c := bare(w.Complaint); c != "" {
		out = append(out, "complaint "+bare(w.System)+" "+c)
	}
	if c := bare(w.Cause); c != "" {
		out = append(out, "cause "+bare(w.System)+" "+c)
	}
	return out
}

func (w Work) label() string { return strings.TrimSpace(cmp.Or(w.Complaint, w.Cause, w.Code)) }

func bare(s string) string { return strings.ReplaceAll(han.Fold(s), " ", "") }

// faults tells which keys stand for one fault: those of one work do.
type faults map[string]string

func faultsOf(visits []Visit) faults {
	f := faults{}
	for _, v := range visits {
		for _, w := range v.Work {
			keys := w.keys()
			for _, k := range keys {
				x, y := f.root(keys[0]), f.root(k)
				f[max(x, y)] = min(x, y)
			}
		}
	}
	return f
}

func (f faults) root(key string) string {
	for f[key] != "" && f[key] != key {
		key = f[key]
	}
	return key
}

// of is the fault a work mends; "" when nothing tells.
func (f faults) of(w Work) string {
	if keys := w.keys(); len(keys) > 0 {
		return f.root(keys[0])
	}
	return ""
}

// Level says how near a count is to its limit.
type Level int

// The levels.
const (
	Fine Level = iota
	Near
	// Reached: the law's next step is due.
	Reached
)

// Fault is a fault and the visits that mended it under the guarantees, the first first.
type Fault struct {
	Label  string // as its latest visit wrote it
	Visits []Visit
	Level  Level
}

// Tally is a count and how near it is to its limit.
type Tally struct {
	Of    string
	Times int64
	Level Level
}

// Standing is how a car stands under the rule.
type Standing struct {
	Rule setting.Rule
	// Until is the last day of the term, Over that it has ended by day or by the kilometres last read. RepairUntil and
	// RepairOver say it of the longer term in which repairs cost nothing, Early that the early term still runs.
	Until, RepairUntil      string
	Over, RepairOver, Early bool
	// Faults are sorted by their number of visits, the most first.
	Faults []Fault
	// Days in the workshop in all.
	Days      int64
	DaysLevel Level
	// Assemblies exchanged whole, by name, and repairs of faults that endangered people.
	Assemblies []Tally
	Safety     Tally
	// LoanDue: the car is in for work under the guarantees, for longer than without a car on loan.
	LoanDue bool
}

// Count counts for a car sold on a day, by the rule of that day. today is YYYY-MM-DD, now Unix milliseconds, km what was
// last read. visits may be in any order.
func Count(rule setting.Rule, sold, today string, now, km int64, visits []Visit) Standing {
	s := Standing{Rule: rule, Until: addMonths(sold, rule.Months), RepairUntil: addMonths(sold, rule.RepairMonths)}
	s.Over, s.RepairOver = today > s.Until || km > rule.Km, today > s.RepairUntil || km > rule.RepairKm
	s.Early = gap(sold, today) <= int(rule.EarlyDays) && km <= rule.EarlyKm
	visits = slices.Clone(visits)
	slices.SortFunc(visits, func(a, b Visit) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Name, b.Name)) })
	same := faultsOf(visits)
	at := map[string]int{}
	assemblies := map[string]int64{}
	for _, v := range visits {
		if v.Day < sold || v.Day > s.Until || v.Km > rule.Km {
			continue
		}
		counts, safety := false, false
		seen, changed := map[string]bool{}, map[string]bool{}
		for _, w := range v.Work {
			if !w.Guaranteed {
				continue
			}
			counts, safety = true, safety || w.Safety
			if w.Assembly != "" && !changed[w.Assembly] {
				changed[w.Assembly] = true
				assemblies[w.Assembly]++
			}
			key := same.of(w)
			if key == "" || seen[key] {
				continue
			}
			seen[key] = true
			i, known := at[key]
			if !known {
				i = len(s.Faults)
				at[key] = i
				s.Faults = append(s.Faults, Fault{})
			}
			s.Faults[i].Label = w.label()
			s.Faults[i].Visits = append(s.Faults[i].Visits, v)
		}
		if counts {
			s.Days += Days(v, now)
			s.LoanDue = s.LoanDue || v.Ready == 0 && rule.LoanDays > 0 && Days(v, now) > rule.LoanDays
		}
		if safety {
			s.Safety.Times++
		}
	}
	for _, name := range sorted(assemblies) {
		s.Assemblies = append(s.Assemblies, Tally{name, assemblies[name], reaching(assemblies[name], rule.Assemblies)})
	}
	s.Safety.Level = reaching(s.Safety.Times, rule.Safety)
	for i := range s.Faults {
		s.Faults[i].Level = level(int64(len(s.Faults[i].Visits)), rule.Faults, 1)
	}
	slices.SortStableFunc(s.Faults, func(a, b Fault) int { return cmp.Compare(len(b.Visits), len(a.Visits)) })
	s.DaysLevel = level(s.Days, rule.Days, rule.Days/5)
	return s
}

// level: more than the limit is reached, within margin of it is near.
func level(n, limit, margin int64) Level {
	switch {
	case limit == 0:
		return Fine
	case n > limit:
		return Reached
	case n > limit-max(1, margin):
		return Near
	}
	return Fine
}

// reaching: the limit itself is reached, since it is what must not fail again; one before it is near.
func reaching(n, limit int64) Level {
	switch {
	case limit == 0 || n == 0:
		return Fine
	case n >= limit:
		return Reached
	case n == limit-1:
		return Near
	}
	return Fine
}

const day = 24 * 60 * 60 * 1000

// Days is how long a visit took or has taken by now, a part of a day as a day.
func Days(v Visit, now int64) int64 {
	until := cmp.Or(v.Ready, now)
	if v.In == 0 || until <= v.In {
		return 1
	}
	return (until - v.In + day - 1) / day
}

// addMonths is the day so many months later; a day the month does not have is its last. "" for what is no day.
func addMonths(from string, months int64) string {
	t, err := time.Parse(time.DateOnly, from)
	if err != nil {
		return ""
	}
	first := time.Date(t.Year(), t.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1).Format(time.DateOnly)
}

// Repeat is a fault mended again soon after it had been mended.
type Repeat struct {
	Label        string
	First, Again Visit
}

// Repeats are the faults of a car that came back within so many days of the visit before, at any site, whoever paid; the
// latest first.
func Repeats(visits []Visit, within int) []Repeat {
	visits = slices.Clone(visits)
	slices.SortFunc(visits, func(a, b Visit) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Name, b.Name)) })
	same := faultsOf(visits)
	seen := map[string]Visit{}
	var out []Repeat
	for _, v := range visits {
		here := map[string]string{}
		for _, w := range v.Work {
			if key := same.of(w); key != "" {
				here[key] = w.label()
			}
		}
		for _, key := range sorted(here) {
			if before, was := seen[key]; was && gap(before.Day, v.Day) <= within {
				out = append(out, Repeat{here[key], before, v})
			}
			seen[key] = v
		}
	}
	slices.Reverse(out)
	return out
}

func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// gap is the number of days between two; very many when one is no day.
func gap(a, b string) int {
	x, err1 := time.Parse(time.DateOnly, a)
	y, err2 := time.Parse(time.DateOnly, b)
	if err1 != nil || err2 != nil {
		return 1 << 30
	}
	return int(y.Sub(x).Hours() / 24)
}
