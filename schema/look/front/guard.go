package front

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/guarantee"
	"branchline/schema/setting"
)

// Guard is what the three guarantees count of a car over all sites of the group, in finished words: the template "guard".
type Guard struct {
	Title  string
	Rows   []GuardRow
	Foot   string // by which rule, and until when
	Say    string // in place of rows: why nothing is counted
	Write  string // where the day of sale is written down, which nobody has; "" when the reader may not
	Label  string // of Write
	Alerts []GuardAlert
}

// GuardRow is one count beside its limit.
type GuardRow struct {
	Label, Value, Small string
	Tone                string // "", w or b
	Bars                []GuardBar
}

// GuardBar is a bar in a box of guardWide by 16.
type GuardBar struct{ X, W, Class string }

// GuardAlert is what must be known before the first bolt is turned: the template "guard-alerts".
type GuardAlert struct {
	Bad             bool
	Fact, Then, How string
}

const guardWide = 376

const (
	// comebackDays is within how long a fault that returns is a comeback (the window of 7 to 30 days that first-time-fix
	// rates are counted by, at its widest).
	comebackDays = 30
	// A stay shorter than fewDays is not remarked on, nor are fewer repairs of one fault than often stressed.
	fewDays = 3
	often   = 3
)

// VisitMark is what the counts say of one visit, in finished words; "" for nothing.
type VisitMark struct {
	Again  string // of which visit it is a comeback
	Nth    string // the how manieth repair of one fault under the guarantees
	Often  bool   // Nth is to be stressed
	Counts string // it is under the three guarantees
	Stay   string // how long it took, if that was long
}

// Judged is a car's history with what is counted from it.
type Judged struct {
	Guard Guard
	Marks map[string]VisitMark // by the name of the order
}

// Judging is what a car is judged by.
type Judging struct {
	Car    *branchlinev1.Vehicle // nil where only its history is known
	Visits []guarantee.Visit
	Km     int64          // as last read
	Rules  *setting.Table // the dated figures of the house
	Place  setting.Place  // whose rule counts; its day is set here
	Write  string         // where the day of sale is written down; "" when the reader may not
}

// Judge counts for a car.
func (a *Ask) Judge(j Judging) Judged {
	out := Judged{Marks: map[string]VisitMark{}}
	mark := func(name string, set func(*VisitMark)) {
		m := out.Marks[name]
		set(&m)
		out.Marks[name] = m
	}
	for _, r := range guarantee.Repeats(j.Visits, comebackDays) {
		mark(r.Again.Name, func(m *VisitMark) {
			m.Again = a.T("guard.comeback_of", a.SiteName(r.First.Branch), r.First.Day, r.Label)
		})
	}
	for _, v := range j.Visits {
		mark(v.Name, func(m *VisitMark) {
			if slices.ContainsFunc(v.Work, func(w guarantee.Work) bool { return w.Guaranteed }) {
				m.Counts = a.T("guard.counts")
			}
			if n := guarantee.Days(v, a.Now); n >= fewDays {
				m.Stay = a.T("guard.days_in", n)
			}
		})
	}
	out.Guard.Title = a.T("guard.title")
	sold := cmp.Or(j.Car.GetSoldOn(), j.Car.GetRegisteredOn())
	if sold == "" {
		if j.Car != nil {
			out.Guard.Say, out.Guard.Write, out.Guard.Label = a.T("guard.no_sale"), j.Write, a.T("guard.write_sale")
		}
		return out
	}
	j.Place.Day = sold
	rule, is := j.Rules.ThreeGuarantees(j.Place)
	if !is {
		out.Guard.Say = a.T("guard.before", sold)
		return out
	}
	st := guarantee.Count(rule, sold, a.Look.Day(a.Now), a.Now, j.Km, j.Visits)
	for _, f := range st.Faults {
		for i, v := range f.Visits {
			if len(f.Visits) > 1 {
				mark(v.Name, func(m *VisitMark) { m.Nth, m.Often = a.T("guard.nth", i+1), m.Often || i+1 >= often })
			}
		}
	}
	a.guard(&out.Guard, st, j.Car.GetSoldOn() == "")
	return out
}

// LastKm is the largest reading of a car that fits its neighbours in time; 0 when there is none.
func LastKm(res *branchlinev1.VehicleHistoryResponse) int64 {
	var km int64
	for _, r := range res.GetReadings() {
		if !slices.Contains(res.GetDoubtfulReadings(), r.GetName()) {
			km = max(km, r.GetOdometerReading().GetKm())
		}
	}
	return km
}

// Settings are the dated figures of the house, as the API lists them to the caller.
func Settings(ctx context.Context, api Lister) (*setting.Table, error) {
	var entries []setting.Entry
	req := &branchlinev1.ListRecordsRequest{Collection: "settings", PageSize: 1000}
	for {
		res, err := api.ListRecords(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, r := range res.GetRecords() {
			_, id, err := schema.ParseName(r.GetName())
			if err != nil {
				return nil, err
			}
			entries = append(entries, setting.Entry{ID: id, Setting: r.GetSetting()})
		}
		if req.PageToken = res.GetNextPageToken(); req.PageToken == "" {
			return setting.Read(entries), nil
		}
	}
}

func (a *Ask) guard(g *Guard, st guarantee.Standing, registered bool) {
	worst := guarantee.Fault{}
	if len(st.Faults) > 0 {
		worst = st.Faults[0]
	}
	n, limit := int64(len(worst.Visits)), st.Rule.Faults
	fault := GuardRow{Label: a.T("guard.fault"), Value: a.T("guard.times", n, limit), Tone: tone(worst.Level), Bars: steps(n, limit+1, worst.Level)}
	if n > 0 {
		fault.Label = a.T("guard.fault_of", worst.Label)
		fault.Small = a.siteCounts(worst.Visits)
		if n == limit {
			fault.Small += " · " + a.T("guard.next_time", n+1)
		}
	}
	days := GuardRow{Label: a.T("guard.days"), Value: a.T("guard.days_of", st.Days, st.Rule.Days), Tone: tone(st.DaysLevel), Bars: share(st.Days, st.Rule.Days, st.DaysLevel)}
	g.Rows = []GuardRow{fault, days}
	parts := GuardRow{Label: a.T("guard.assemblies"), Value: a.T("guard.n_times", int64(0)), Small: a.T("guard.no_assembly")}
	for i, t := range st.Assemblies {
		row := GuardRow{Label: a.T("guard.assembly_of", a.System(t.Of)), Value: a.T("guard.times", t.Times, st.Rule.Assemblies), Tone: tone(t.Level), Bars: steps(t.Times, st.Rule.Assemblies, t.Level)}
		if i == 0 {
			parts = row
			continue
		}
		g.Rows = append(g.Rows, row)
	}
	g.Rows = append(g.Rows, parts)
	if st.Safety.Times > 0 {
		g.Rows = append(g.Rows, GuardRow{Label: a.T("guard.safety"), Value: a.T("guard.times", st.Safety.Times, st.Rule.Safety), Tone: tone(st.Safety.Level), Bars: steps(st.Safety.Times, st.Rule.Safety, st.Safety.Level)})
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
		return
	}
	g.Alerts = a.guardAlerts(st, worst)
}

// guardAlerts are the gravest, and the car on loan.
func (a *Ask) guardAlerts(st guarantee.Standing, worst guarantee.Fault) []GuardAlert {
	var out []GuardAlert
	add := func(l guarantee.Level, fact string) {
		if l == guarantee.Fine {
			return
		}
		then := a.T("guard.then_near")
		if l == guarantee.Reached {
			then = a.T("guard.then_reached")
		}
		out = append(out, GuardAlert{Bad: l == guarantee.Reached, Fact: fact, Then: then, How: a.T("guard.how")})
	}
	add(worst.Level, a.T("guard.alert_fault", worst.Label, len(worst.Visits), st.Rule.Faults))
	add(st.DaysLevel, a.T("guard.alert_days", st.Days, st.Rule.Days))
	for _, t := range st.Assemblies {
		add(t.Level, a.T("guard.alert_assembly", a.System(t.Of), t.Times, st.Rule.Assemblies))
	}
	add(st.Safety.Level, a.T("guard.alert_safety", st.Safety.Times, st.Rule.Safety))
	slices.SortStableFunc(out, func(x, y GuardAlert) int {
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
		out = append(out, GuardAlert{Fact: a.T("guard.loan", st.Rule.LoanDays), Then: a.T("guard.loan_then"), How: a.T("guard.how")})
	}
	return out
}

// System is a part of the car in words; one that is not of the list stands as it was written.
func (a *Ask) System(code string) string {
	if a.Look.Has("system." + code) {
		return a.T("system." + code)
	}
	return code
}

// siteCounts is "昆山 1 · 浦东 2", the site with the most first.
func (a *Ask) siteCounts(visits []guarantee.Visit) string {
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
func steps(n, of int64, l guarantee.Level) []GuardBar {
	if of < 1 || of > 12 {
		return share(n, of, l)
	}
	var out []GuardBar
	w := float64(guardWide) / float64(of)
	for i := range of {
		class := "fill-0"
		if i < n {
			class = fill(l)
		}
		out = append(out, GuardBar{X: fmt.Sprintf("%.1f", float64(i)*w), W: fmt.Sprintf("%.1f", w-3), Class: class})
	}
	return out
}

// share is one bar, filled as far as n is of of.
func share(n, of int64, l guarantee.Level) []GuardBar {
	out := []GuardBar{{X: "0", W: fmt.Sprint(guardWide), Class: "fill-0"}}
	if of > 0 && n > 0 {
		out = append(out, GuardBar{X: "0", W: fmt.Sprintf("%.1f", float64(guardWide)*min(1, float64(n)/float64(of))), Class: fill(l)})
	}
	return out
}
