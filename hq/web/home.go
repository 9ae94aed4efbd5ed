package web

import (
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// fewBranches is how many rows of the fleet stand on the first page.
const fewBranches = 6

type homeView struct {
	look.Frame
	Sub     string
	Warn    *look.Note
	Big     []bigFigure
	Fleet   fleetTable
	Figures []figure
}

// bigFigure is one of the large numbers. Of what: in words.
type bigFigure struct{ Number, Of string }

// months is how far back the first page counts, the running month included.
const months = 12

func (s *Site) home(a *ask) (*look.Page, look.View, error) {
	v := homeView{Frame: a.live(a.T("rail.home"), "home")}
	branches, err := a.fleet()
	if err != nil {
		return nil, nil, err
	}
	v.Fleet = a.fleetTable(branches, fewBranches)
	v.Sub = a.T("home.sub", v.Fleet.Working, s.look.Clock(a.Now))
	if a.May("GET /reports") && !a.ByClock {
		if err := a.groupFigures(&v); err != nil {
			return nil, nil, err
		}
	}
	return s.pages.home, v, nil
}

func (a *ask) groupFigures(v *homeView) error {
	for _, req := range FirstQuestions(time.UnixMilli(a.Now).In(a.s.c.ZoneNow())) {
		x, err := a.answer(req)
		if err != nil {
			return err
		}
		f := x.figure()
		f.Sub = a.T("home.last_months", months)
		if req.Report == "retention" {
			f.Sub = a.T("home.by_site")
		}
		f.More = "/reports/" + req.Report
		v.Figures = append(v.Figures, f)
		v.Big = append(v.Big, x.big()...)
		if v.Warn == nil {
			v.Warn = x.warning()
		}
	}
	return nil
}

// FirstQuestions are the reports the first page asks for at a time in the group's zone.
func FirstQuestions(now time.Time) []*branchlinev1.ReportRequest {
	from, to := lastMonths(now, months)
	return []*branchlinev1.ReportRequest{
		{Report: "orders", By: []string{"month"}, From: from, To: to, Recent: true},
		{Report: "customers", By: []string{"month"}, From: from, To: to, Recent: true},
		{Report: "retention", By: []string{"branch"}, To: to, Recent: true},
	}
}

// lastMonths is from the first day of the month n-1 months ago to today.
func lastMonths(today time.Time, n int) (from, to string) {
	first := time.Date(today.Year(), today.Month()-time.Month(n-1), 1, 12, 0, 0, 0, today.Location())
	return first.Format(time.DateOnly), today.Format(time.DateOnly)
}

func (a *ask) lastMonths(n int) (from, to string) {
	return lastMonths(time.UnixMilli(a.Now).In(a.s.c.ZoneNow()), n)
}

// big are the large numbers of a report's total.
func (x *answer) big() []bigFigure {
	total := x.GetTotal()
	var out []bigFigure
	for _, i := range x.drawnValues() {
		c := x.GetValues()[i]
		if i >= len(total.GetValues()) || c.GetKey() == "new" {
			continue
		}
		n := total.GetValues()[i]
		text, of := x.number(c, n), x.a.T("report.column."+c.GetKey())
		open := x.open(&branchlinev1.ReportRow{Values: total.GetValues()})
		unit := ""
		if c.GetType() == "money" {
			text, unit = x.large(n), x.largeUnit(n)
		}
		switch {
		case open && grows(c):
			of = x.a.T("home.so_far", unit, of)
		case open:
			of = x.a.T("home.partial", of)
		case unit != "":
			of = x.a.T("home.money_of", unit, of)
		}
		out = append(out, bigFigure{text, of})
	}
	return out
}

// large writes an amount without small change: in Chinese by ten thousands from a million on.
func (x *answer) large(n int64) string {
	if x.tenThousands(n) {
		return look.Fixed((n+50_000)/100_000, 1)
	}
	return look.Num((n + 50) / 100)
}

func (x *answer) largeUnit(n int64) string {
	if x.tenThousands(n) {
		return x.a.T("figure.wan_yuan")
	}
	return x.unit()
}

func (x *answer) tenThousands(n int64) bool {
	return x.a.Lang != look.En && x.GetCurrency() == "CNY" && n >= 100_000_000
}
