package web

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"branchline/hq/report"
	"branchline/schema"
	"branchline/schema/cell"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
)

type reportView struct {
	look.Frame
	Report  string
	Tabs    []pick
	Times   []pick
	By      []choice
	From    string
	To      string
	Fault   string
	Warn    *look.Note
	Big     []bigFigure
	Figure  figure
	Nothing bool
}

// pick is one of several views, as a link.
type pick struct {
	Text, Href string
	On         bool
	Count      int
}

type choice struct {
	Value, Text string
	On          bool
}

func (s *Site) reportsFirst(a *ask) error { return a.GoTo("/reports/" + report.Orders) }

// asked is the report a request names, with the last twelve months by month when it says nothing else.
func (a *ask) asked() (*branchlinev1.ReportRequest, error) {
	name := a.R.PathValue("report")
	if !slices.Contains(report.Names(), name) {
		return nil, fmt.Errorf("report %q: %w", name, schema.ErrNotFound)
	}
	q := a.R.URL.Query()
	req := &branchlinev1.ReportRequest{Report: name, From: a.Query("from"), To: a.Query("to")}
	for _, by := range ways(name) {
		if slices.Contains(q["by"], by) {
			req.By = append(req.By, by)
		}
	}
	if len(q) == 0 {
		req.By = []string{"month"}
		req.From, req.To = a.lastMonths(months)
		if name == report.Retention {
			req.By, req.From = []string{"branch"}, ""
		}
	}
	return req, nil
}

// ways are what the rows of a report may be broken down by.
func ways(name string) []string {
	if name == report.Orders {
		return []string{"month", "branch", "model", "payer"}
	}
	return []string{"month", "branch", "model"}
}

func (s *Site) report(a *ask) (*look.Page, look.View, error) {
	req, err := a.asked()
	if err != nil {
		return nil, nil, err
	}
	v := reportView{
		Frame: a.live(a.T("report.name."+req.GetReport()), "reports"), Report: req.GetReport(), From: req.GetFrom(), To: req.GetTo(),
	}
	for _, name := range report.Names() {
		v.Tabs = append(v.Tabs, pick{Text: a.T("report.name." + name), Href: "/reports/" + name, On: name == req.GetReport()})
	}
	for _, by := range ways(req.GetReport()) {
		v.By = append(v.By, choice{by, a.T("report.column." + by), slices.Contains(req.GetBy(), by)})
	}
	v.Times = a.times(req)
	req.Recent = true
	x, err := a.answer(req)
	switch {
	case err == nil:
		v.Figure = x.figure()
		v.Figure.Title = a.T("reports.same")
		v.Figure.CSV = reportPath(req, "/csv", req.GetFrom(), req.GetTo())
		v.Nothing = len(x.GetRows()) == 0
		v.Warn = x.warning()
		v.Big = x.big()
	case front.Status(err) == http.StatusBadRequest: // days that are none, or in the wrong order: say so over the form
		v.Fault, a.status = a.reportFault(req), http.StatusBadRequest
		v.From, v.To = onlyDay(v.From), onlyDay(v.To)
	default:
		return nil, nil, err
	}
	return s.pages.reports, v, nil
}

// reportFault says in the reader's language why a report was not made.
func (a *ask) reportFault(req *branchlinev1.ReportRequest) string {
	for _, day := range []string{req.GetFrom(), req.GetTo()} {
		if day != "" && schema.CheckDay(day) != nil {
			return a.T("reports.bad_day", day)
		}
	}
	if req.GetFrom() != "" && req.GetFrom() > orDay(req.GetTo(), a.s.look.Day(a.Now)) {
		return a.T("reports.bad_order", req.GetFrom())
	}
	return a.T("reports.too_much")
}

func orDay(day, or string) string {
	if day != "" {
		return day
	}
	return or
}

// onlyDay is a day as an input of days takes it, "" for anything else.
func onlyDay(s string) string {
	if schema.CheckDay(s) != nil {
		return ""
	}
	return s
}

// times are the ready-made spans of a report, as links that keep the rest.
func (a *ask) times(req *branchlinev1.ReportRequest) []pick {
	today := time.UnixMilli(a.Now).In(a.s.c.ZoneNow())
	first := func(y int, m time.Month) time.Time { return time.Date(y, m, 1, 12, 0, 0, 0, today.Location()) }
	day := func(t time.Time) string { return t.Format(time.DateOnly) }
	thisMonth := first(today.Year(), today.Month())
	year, _ := a.lastMonths(months)
	var out []pick
	for _, x := range []struct{ key, from, to string }{
		{"reports.this_month", day(thisMonth), day(today)},
		{"reports.last_month", day(first(today.Year(), today.Month()-1)), day(thisMonth.AddDate(0, 0, -1))},
		{"reports.this_year", day(first(today.Year(), 1)), day(today)},
		{"reports.last_months", year, day(today)},
		{"reports.all", "", ""},
	} {
		out = append(out, pick{
			Text: a.T(x.key, months), Href: reportPath(req, "", x.from, x.to), On: req.GetFrom() == x.from && req.GetTo() == x.to,
		})
	}
	return out
}

func reportPath(req *branchlinev1.ReportRequest, suffix, from, to string) string {
	q := url.Values{"by": req.GetBy(), "from": {from}, "to": {to}}
	return "/reports/" + req.GetReport() + suffix + "?" + q.Encode()
}

// reportCSV answers with the whole report as a file for a spreadsheet: plain numbers, one row a line, the total last.
func (s *Site) reportCSV(a *ask) error {
	req, err := a.asked()
	if err != nil {
		return err
	}
	x, err := a.answer(req)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString(cell.Mark)
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	for _, line := range x.lines() {
		for i := range line {
			line[i] = cell.Safe(line[i])
		}
		if err := w.Write(line); err != nil {
			return fmt.Errorf("web: report as csv: %w", err)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("web: report as csv: %w", err)
	}
	h := a.W.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="branchline-%s-%s.csv"`, req.GetReport(), s.look.Day(a.Now)))
	h.Set("Cache-Control", "no-store")
	a.W.WriteHeader(http.StatusOK)
	_, _ = a.W.Write(b.Bytes()) // fails only when the reader has gone
	return nil
}

// lines are the report's cells, heads first. A branch has its code and its name; up to when it is counted stands last.
func (x *answer) lines() [][]string {
	var heads []string
	for _, k := range x.GetKeys() {
		heads = append(heads, x.a.T("report.column."+k.GetKey()))
		if k.GetKey() == "branch" {
			heads = append(heads, x.a.T("reports.branch_name"))
		}
	}
	if len(x.GetKeys()) == 0 {
		heads = append(heads, x.a.T("figure.who"))
	}
	wide := len(heads) // of what stands before the figures
	for _, c := range x.GetValues() {
		title := x.a.T("report.column." + c.GetKey())
		if c.GetType() == "money" {
			title += " " + x.GetCurrency()
		}
		heads = append(heads, title)
	}
	heads = append(heads, x.a.T("reports.complete"))
	if x.by("branch") {
		heads = append(heads, x.a.T("figure.until"))
	}
	out := [][]string{heads}
	for _, r := range x.GetRows() {
		if len(x.GetKeys()) == 0 {
			break // the one row is the total
		}
		var line []string
		for i, k := range x.GetKeys() {
			key := ""
			if i < len(r.GetKeys()) {
				key = r.GetKeys()[i]
			}
			switch k.GetKey() {
			case "branch":
				line = append(line, key, x.keyText("branch", key))
			default:
				line = append(line, x.keyText(k.GetKey(), key))
			}
		}
		line = append(line, x.plain(r)...)
		if x.by("branch") {
			line = append(line, x.heardAt(x.key(r, "branch")))
		}
		out = append(out, line)
	}
	if t := x.GetTotal(); t != nil {
		line := make([]string, wide)
		line[0] = x.a.T("figure.group")
		line = append(line, x.plain(&branchlinev1.ReportRow{Values: t.GetValues()})...)
		if x.by("branch") {
			line = append(line, "")
		}
		out = append(out, line)
	}
	return out
}

// plain are a row's figures as a spreadsheet takes them, and whether they are complete.
func (x *answer) plain(r *branchlinev1.ReportRow) []string {
	var out []string
	for i, c := range x.GetValues() {
		n := int64(0)
		if i < len(r.GetValues()) {
			n = r.GetValues()[i]
		}
		switch c.GetType() {
		case "money":
			out = append(out, bareNumber(look.Money(n, x.GetCurrency())))
		case "ratio":
			out = append(out, bareNumber(look.Fixed(n, 4)))
		default:
			out = append(out, bareNumber(look.Num(n)))
		}
	}
	complete := "say.yes"
	if x.open(r) {
		complete = "say.no"
	}
	return append(out, x.a.T(complete))
}

func (x *answer) heardAt(branch string) string {
	for _, h := range x.GetHeard() {
		if h.GetBranch() == branch && h.GetLastHeard() > 0 {
			return x.a.s.look.Day(h.GetLastHeard()) + " " + x.a.s.look.Clock(h.GetLastHeard())
		}
	}
	return ""
}

// bareNumber takes the dress off a number: signs of thousands, the long minus.
func bareNumber(s string) string { return strings.NewReplacer(",", "", "−", "-").Replace(s) }
