package web

import (
	"cmp"
	"fmt"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/guarantee"
	"branchline/schema/setting"
	"branchline/sync/desk"
)

// guard is the panel of the three guarantees: what they count of this car over all sites of the group.
type guard struct {
	Rows   []guardRow
	Foot   string
	NoSale string // where to write the day of sale down, which nobody has; the rows are empty
	Before string // the day of sale, when there was no rule yet
	Alerts []guardAlert
}

type guardRow struct {
	Label, Value, Small string
	Tone                string // "", w or b
	Bars                []guardBar
}

// guardBar is a bar in a box of guardWide by 16.
type guardBar struct{ X, W, Class string }

type guardAlert struct {
	Bad        bool
	Fact, Then string
}

const guardWide = 376

// comebackDays is within how long a fault that returns is a comeback (the window of 7 to 30 days that first-time-fix
// rates are counted by, at its widest).
const comebackDays = 30

// visitMark is what the counts say of one visit.
type visitMark struct {
	Again  string // of which visit it is a comeback
	Nth    int    // the how manieth repair of one fault under the guarantees
	Counts bool   // under the three guarantees
	DaysIn int64
}

// judged is a car's history with what is counted from it.
type judged struct {
	guard guard
	marks map[string]visitMark
}

// judge counts for a car. car is nil where only its history is known.
func (a *ask) judge(car *branchlinev1.Vehicle, name string, res *branchlinev1.VehicleHistoryResponse) (judged, error) {
	visits := desk.Visits(res.GetVisits())
	out := judged{marks: map[string]visitMark{}}
	mark := func(name string, set func(*visitMark)) {
		m := out.marks[name]
		set(&m)
		out.marks[name] = m
	}
	for _, r := range guarantee.Repeats(visits, comebackDays) {
		mark(r.Again.Name, func(m *visitMark) {
			m.Again = a.T("vehicle.comeback_of", a.SiteName(r.First.Branch), r.First.Day, r.Label)
		})
	}
	for _, v := range visits {
		counts := slices.ContainsFunc(v.Work, func(w guarantee.Work) bool { return w.Guaranteed })
		mark(v.Name, func(m *visitMark) { m.Counts, m.DaysIn = counts, guarantee.Days(v, a.Now) })
	}
	sold := cmp.Or(car.GetSoldOn(), car.GetRegisteredOn())
	if sold == "" {
		if a.Writes(schema.Vehicle) && name != "" {
			out.guard.NoSale = "/" + name + "/edit#f-sold_on"
		}
		return out, nil
	}
	table, err := a.settings()
	if err != nil {
		return out, err
	}
	rule, is := table.ThreeGuarantees(setting.Place{Branch: a.branch(), Entity: a.Names().EntityOf(a.branch()), Day: sold})
	if !is {
		out.guard.Before = sold
		return out, nil
	}
	st := guarantee.Count(rule, sold, a.today(), a.Now, lastKm(res), visits)
	for _, f := range st.Faults {
		for i, v := range f.Visits {
			if len(f.Visits) > 1 {
				mark(v.Name, func(m *visitMark) { m.Nth = max(m.Nth, i+1) })
			}
		}
	}
	out.guard = a.guard(st, car.GetSoldOn() == "")
	return out, nil
}

// lastKm is the largest reading that fits its neighbours in time.
func lastKm(res *branchlinev1.VehicleHistoryResponse) int64 {
	var km int64
	for _, r := range res.GetReadings() {
		if !slices.Contains(res.GetDoubtfulReadings(), r.GetName()) {
			km = max(km, r.GetOdometerReading().GetKm())
		}
	}
	return km
}

// settings are the dated figures of the house.
func (a *ask) settings() (*setting.Table, error) {
	list, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "settings"})
	if err != nil {
		return nil, err
	}
	entries := make([]setting.Entry, 0, len(list))
	for _, r := range list {
		_, id, err := schema.ParseName(r.GetName())
		if err != nil {
			return nil, err
		}
		entries = append(entries, setting.Entry{ID: id, Setting: r.GetSetting()})
	}
	return setting.Read(entries), nil
}

func (a *ask) guard(st guarantee.Standing, registered bool) guard {
	var g guard
	worst := guarantee.Fault{}
	if len(st.Faults) > 0 {
		worst = st.Faults[0]
	}
	n, limit := int64(len(worst.Visits)), st.Rule.Faults
	fault := guardRow{Label: a.T("guard.fault"), Value: a.T("guard.times", n, limit), Tone: tone(worst.Level), Bars: steps(n, limit+1, worst.Level)}
	if n > 0 {
		fault.Label = a.T("guard.fault_of", worst.Label)
		fault.Small = a.siteCounts(worst.Visits)
		if n == limit {
			fault.Small += " · " + a.T("guard.next_time", n+1)
		}
	}
	days := guardRow{Label: a.T("guard.days"), Value: a.T("guard.days_of", st.Days, st.Rule.Days), Tone: tone(st.DaysLevel), Bars: share(st.Days, st.Rule.Days, st.DaysLevel)}
	g.Rows = []guardRow{fault, days}
	parts := guardRow{Label: a.T("guard.assemblies"), Value: a.T("guard.n_times", int64(0)), Small: a.T("guard.no_assembly")}
	for i, t := range st.Assemblies {
		row := guardRow{Label: a.T("guard.assembly_of", a.system(t.Of)), Value: a.T("guard.times", t.Times, st.Rule.Assemblies), Tone: tone(t.Level), Bars: steps(t.Times, st.Rule.Assemblies, t.Level)}
		if i == 0 {
			parts = row
			continue
		}
		g.Rows = append(g.Rows, row)
	}
	g.Rows = append(g.Rows, parts)
	if st.Safety.Times > 0 {
		g.Rows = append(g.Rows, guardRow{Label: a.T("guard.safety"), Value: a.T("guard.times", st.Safety.Times, st.Rule.Safety), Tone: tone(st.Safety.Level), Bars: steps(st.Safety.Times, st.Rule.Safety, st.Safety.Level)})
	}
	g.Foot = a.T("guard.rule", st.Rule.From, st.Until, st.Rule.Km, st.RepairUntil, st.Rule.RepairKm)
	if registered {
		g.Foot += " " + a.T("guard.registered")
	}
	if st.Early {
		g.Foot += " " + a.T("guard.early", st.Rule.EarlyDays, st.Rule.EarlyKm)
	}
	if st.Over {
		g.Foot += " " + a.T("guard.over")
		if st.RepairOver {
			g.Foot += " " + a.T("guard.repair_over")
		}
		return g
	}
	g.Alerts = a.guardAlerts(st, worst)
	return g
}

// guardAlerts are what a technician must know before the first bolt is turned: the gravest, and the car on loan.
func (a *ask) guardAlerts(st guarantee.Standing, worst guarantee.Fault) []guardAlert {
	var out []guardAlert
	add := func(l guarantee.Level, fact string) {
		if l == guarantee.Fine {
			return
		}
		then := a.T("guard.then_near")
		if l == guarantee.Reached {
			then = a.T("guard.then_reached")
		}
		out = append(out, guardAlert{Bad: l == guarantee.Reached, Fact: fact, Then: then})
	}
	add(worst.Level, a.T("guard.alert_fault", worst.Label, len(worst.Visits), st.Rule.Faults))
	add(st.DaysLevel, a.T("guard.alert_days", st.Days, st.Rule.Days))
	for _, t := range st.Assemblies {
		add(t.Level, a.T("guard.alert_assembly", a.system(t.Of), t.Times, st.Rule.Assemblies))
	}
	add(st.Safety.Level, a.T("guard.alert_safety", st.Safety.Times, st.Rule.Safety))
	slices.SortStableFunc(out, func(x, y guardAlert) int {
		switch {
		case x.Bad == y.Bad:
			return 0
		case x.Bad:
			return -1
		}
		return 1
	})
	out = out[:min(1, len(out))]
	if st.LoanDue {
		out = append(out, guardAlert{Fact: a.T("guard.loan", st.Rule.LoanDays), Then: a.T("guard.loan_then")})
	}
	return out
}

// system is a part of the car in words; one that is not of the list stands as it was written.
func (a *ask) system(code string) string {
	if slices.Contains(desk.Systems(), code) {
		return a.T("system." + code)
	}
	return code
}

// siteCounts is "昆山 1 · 浦东 2", the site with the most first.
func (a *ask) siteCounts(visits []guarantee.Visit) string {
	counts := map[string]int{}
	var sites []string
	for _, v := range visits {
		if counts[v.Branch]++; counts[v.Branch] == 1 {
			sites = append(sites, v.Branch)
		}
	}
	slices.SortStableFunc(sites, func(x, y string) int { return cmp.Compare(counts[y], counts[x]) })
	out := ""
	for i, s := range sites {
		if i > 0 {
			out += " · "
		}
		out += fmt.Sprint(a.SiteName(s), " ", counts[s])
	}
	return out
}

func tone(l guarantee.Level) string {
	return map[guarantee.Level]string{guarantee.Near: "w", guarantee.Reached: "b"}[l]
}

func fill(l guarantee.Level) string {
	return map[guarantee.Level]string{guarantee.Fine: "fill", guarantee.Near: "fill-w", guarantee.Reached: "fill-b"}[l]
}

// steps are boxes side by side, n of them filled; a row of very many is one bar.
func steps(n, of int64, l guarantee.Level) []guardBar {
	if of < 1 || of > 12 {
		return share(n, of, l)
	}
	var out []guardBar
	w := float64(guardWide) / float64(of)
	for i := range of {
		class := "fill-0"
		if i < n {
			class = fill(l)
		}
		out = append(out, guardBar{X: fmt.Sprintf("%.1f", float64(i)*w), W: fmt.Sprintf("%.1f", w-3), Class: class})
	}
	return out
}

// share is one bar, filled as far as n is of of.
func share(n, of int64, l guarantee.Level) []guardBar {
	out := []guardBar{{X: "0", W: fmt.Sprint(guardWide), Class: "fill-0"}}
	if of > 0 && n > 0 {
		out = append(out, guardBar{X: "0", W: fmt.Sprintf("%.1f", float64(guardWide)*min(1, float64(n)/float64(of))), Class: fill(l)})
	}
	return out
}
