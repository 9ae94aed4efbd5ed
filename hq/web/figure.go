package web

import (
	"cmp"
	"html/template"
	"slices"
	"strings"

	"branchline/hq/report"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/chart"
)

// maxShown is how many rows a page shows of a report; the CSV has them all.
const maxShown = 200

// madeAgo is how old figures are (ms) when the page says of when they are.
const madeAgo = 20_000

// figure is a report on a page: charts, the same figures as a table, and how each is counted.
type figure struct {
	Title, Sub string
	Charts     []drawn
	Aside      string // what the charts leave out
	Heads      []head
	Rows       []row
	Hidden     int // rows left to the CSV
	Formulas   []formula
	Counted    string // up to when each branch is counted
	Made       string // when it was counted, if a while ago
	CSV        string // address, "" when there is none
	More       string // address of the whole report
}

type drawn struct {
	Title string
	SVG   template.HTML
}

type head struct {
	Text string
	Num  bool
}

type row struct {
	Cells []figureCell
	Sum   bool
}

// figureCell is a cell of the table. Label is its head, for phones.
type figureCell struct {
	Text, Label, Href  string
	Num, First, Strong bool
	Silent             bool // up to when a silent branch is counted
}

// formula is a sentence that says how a figure is counted; Name is the figure's, "" for a remark.
type formula struct{ Name, Text string }

// answer is a report with what is known of who is silent.
type answer struct {
	*branchlinev1.ReportResponse
	a *ask
	// from which month on a silent branch is not counted; "" is from the beginning.
	silent map[string]string
	first  string // the earliest of those months
}

func (a *ask) answer(req *branchlinev1.ReportRequest) (*answer, error) {
	res, err := a.s.api.Headquarters.Report(a.R.Context(), req)
	if err != nil {
		return nil, err
	}
	x := &answer{ReportResponse: res, a: a, silent: map[string]string{}}
	for _, h := range res.GetHeard() {
		if !h.GetSilent() {
			continue
		}
		month := ""
		if h.GetLastHeard() > 0 {
			month = a.s.look.Day(h.GetLastHeard())[:7]
		}
		x.silent[h.GetBranch()] = month
		if len(x.silent) == 1 || month < x.first {
			x.first = month
		}
	}
	return x, nil
}

// key is the value of a key column in a row, "" when the report has no such column.
func (x *answer) key(r *branchlinev1.ReportRow, name string) string {
	for i, k := range x.GetKeys() {
		if k.GetKey() == name && i < len(r.GetKeys()) {
			return r.GetKeys()[i]
		}
	}
	return ""
}

func (x *answer) by(name string) bool {
	return slices.ContainsFunc(x.GetKeys(), func(k *branchlinev1.ReportColumn) bool { return k.GetKey() == name })
}

// open tells whether a row still changes because a branch it counts is silent.
func (x *answer) open(r *branchlinev1.ReportRow) bool {
	if len(x.silent) == 0 {
		return false
	}
	from, silent := x.first, true
	if x.by("branch") && len(r.GetKeys()) > 0 {
		from, silent = lookup(x.silent, x.key(r, "branch"))
	}
	month := ""
	if x.by("month") {
		month = x.key(r, "month")
	}
	return silent && (month == "" || month >= from)
}

func lookup(m map[string]string, k string) (string, bool) { v, ok := m[k]; return v, ok }

// grows tells whether a figure can only become larger; an average or a share may go either way.
func grows(c *branchlinev1.ReportColumn) bool {
	return c.GetType() == "count" || c.GetType() == "money" && c.GetKey() != "average_ticket"
}

// keyText is what a key is called on the page.
func (x *answer) keyText(column, key string) string {
	switch {
	case column == "branch" && key != "":
		return x.a.SiteName(key)
	case column == "payer" && key != "":
		return x.a.s.look.Word(x.a.Lang, "payer", key)
	case key == "":
		return x.a.T("figure.none_" + column)
	}
	return key
}

func (x *answer) number(c *branchlinev1.ReportColumn, n int64) string {
	switch c.GetType() {
	case "money":
		return look.Money(n, x.GetCurrency())
	case "ratio":
		return percent(n)
	}
	return look.Num(n)
}

// percent writes ten-thousandths with one decimal at most.
func percent(n int64) string {
	s := look.Fixed((n+5)/10, 1)
	return strings.TrimSuffix(s, ".0") + " %"
}

// text is a value with its mark when it is not complete.
func (x *answer) text(c *branchlinev1.ReportColumn, n int64, open bool) string {
	s := x.number(c, n)
	switch {
	case !open:
		return s
	case grows(c):
		return x.a.T("figure.at_least", s)
	}
	return x.a.T("figure.partial", s)
}

// title is what a column is called, with its currency.
func (x *answer) title(c *branchlinev1.ReportColumn) string {
	s := x.a.T("report.column." + c.GetKey())
	if c.GetType() != "money" {
		return s
	}
	return x.a.T("figure.in", s, x.unit())
}

func (x *answer) unit() string {
	if x.GetCurrency() == "CNY" {
		return x.a.T("figure.yuan")
	}
	return x.GetCurrency()
}

// sorted are the rows as a table shows them: the newest month first, then the largest.
func (x *answer) sorted() []*branchlinev1.ReportRow {
	rows := slices.Clone(x.GetRows())
	slices.SortStableFunc(rows, func(p, q *branchlinev1.ReportRow) int {
		return cmp.Or(cmp.Compare(x.key(q, "month"), x.key(p, "month")), cmp.Compare(x.weight(q), x.weight(p)))
	})
	return rows
}

// weight is what rows are ordered by: revenue or retention where there is one, else the first figure.
func (x *answer) weight(r *branchlinev1.ReportRow) int64 {
	best := 0
	for i, c := range x.GetValues() {
		if c.GetKey() == "revenue" || c.GetKey() == "retention" {
			best = i
		}
	}
	if best >= len(r.GetValues()) {
		return 0
	}
	return r.GetValues()[best]
}

// figure makes the page's part of the report.
func (x *answer) figure() figure {
	f := figure{Title: x.a.T("report.name." + x.GetReport())}
	for _, k := range x.GetKeys() {
		f.Heads = append(f.Heads, head{Text: x.a.T("report.column." + k.GetKey())})
	}
	if len(f.Heads) == 0 {
		f.Heads = append(f.Heads, head{Text: x.a.T("figure.who")})
	}
	for _, c := range x.GetValues() {
		f.Heads = append(f.Heads, head{Text: x.title(c), Num: true})
	}
	until := x.by("branch")
	if until {
		f.Heads = append(f.Heads, head{Text: x.a.T("figure.until")})
	}
	rows := x.sorted()
	if len(x.GetKeys()) == 0 {
		rows = nil // the one row is the total
	}
	if len(rows) > maxShown {
		f.Hidden, rows = len(rows)-maxShown, rows[:maxShown]
	}
	for _, r := range rows {
		f.Rows = append(f.Rows, x.row(r, until))
	}
	if t := x.GetTotal(); t != nil {
		f.Rows = append(f.Rows, x.total(t, until))
	}
	f.Formulas = x.formulas()
	f.Counted = x.counted()
	if x.a.Now-x.GetAsOf() >= madeAgo {
		f.Made = x.a.T("figure.made", x.a.when(x.GetAsOf()))
	}
	x.charts(&f)
	return f
}

func (x *answer) row(r *branchlinev1.ReportRow, until bool) row {
	var out row
	for i, k := range x.GetKeys() {
		c := figureCell{First: i == 0, Label: x.a.T("report.column." + k.GetKey())}
		if i < len(r.GetKeys()) {
			c.Text = x.keyText(k.GetKey(), r.GetKeys()[i])
			if k.GetKey() == "branch" && r.GetKeys()[i] != "" && x.a.May("GET /branches") {
				c.Href = "/branches#b-" + r.GetKeys()[i]
			}
		}
		out.Cells = append(out.Cells, c)
	}
	out.Cells = append(out.Cells, x.values(r)...)
	if until {
		out.Cells = append(out.Cells, x.until(x.key(r, "branch")))
	}
	return out
}

func (x *answer) values(r *branchlinev1.ReportRow) []figureCell {
	open := x.open(r)
	var out []figureCell
	for i, c := range x.GetValues() {
		if i < len(r.GetValues()) {
			out = append(out, figureCell{Text: x.text(c, r.GetValues()[i], open), Label: x.title(c), Num: true, Strong: i == 0})
		}
	}
	return out
}

func (x *answer) total(t *branchlinev1.ReportRow, until bool) row {
	out := row{Sum: true, Cells: []figureCell{{Text: x.a.T("figure.group"), First: true}}}
	for range max(len(x.GetKeys())-1, 0) {
		out.Cells = append(out.Cells, figureCell{})
	}
	out.Cells = append(out.Cells, x.values(&branchlinev1.ReportRow{Values: t.GetValues()})...)
	if until {
		out.Cells = append(out.Cells, figureCell{})
	}
	return out
}

// until says when a branch was last heard.
func (x *answer) until(branch string) figureCell {
	c := figureCell{Label: x.a.T("figure.until")}
	for _, h := range x.GetHeard() {
		if h.GetBranch() == branch {
			c.Text, c.Silent = x.heard(h), h.GetSilent()
		}
	}
	return c
}

func (x *answer) heard(h *branchlinev1.HeardBranch) string {
	if h.GetLastHeard() == 0 {
		return x.a.T("figure.never")
	}
	return x.a.when(h.GetLastHeard())
}

func (x *answer) heardName(h *branchlinev1.HeardBranch) string {
	if h.GetName() != "" {
		return h.GetName()
	}
	return x.a.SiteName(h.GetBranch())
}

// silentList names the silent branches and when each was last heard; "" without any.
func (x *answer) silentList() string {
	var out []string
	for _, h := range x.GetHeard() {
		if h.GetSilent() {
			out = append(out, x.a.T("figure.stopped", x.heardName(h), x.heard(h)))
		}
	}
	return x.a.List(out)
}

// counted says up to when the branches are counted.
func (x *answer) counted() string {
	var least int64
	for _, h := range x.GetHeard() {
		if !h.GetSilent() && (least == 0 || h.GetLastHeard() < least) {
			least = h.GetLastHeard()
		}
	}
	silent := x.silentList()
	switch {
	case len(x.GetHeard()) == 0:
		return ""
	case silent == "":
		return x.a.T("figure.counted_all", x.a.when(least))
	case least == 0:
		return x.a.T("figure.counted_none", silent)
	}
	return x.a.T("figure.counted_some", silent, x.a.when(least))
}

// formulas are the report's sentences in the reader's language.
func (x *answer) formulas() []formula {
	var out []formula
	for _, s := range x.GetSentences() {
		text := report.Say(x.a.s.said, x.a.Lang, s)
		if !strings.HasPrefix(s.GetKey(), "report.formula.") {
			out = append(out, formula{Text: text})
			continue
		}
		for _, colon := range []string{"：", ": "} {
			if name, rest, ok := strings.Cut(text, colon); ok {
				out, text = append(out, formula{Name: name, Text: rest}), ""
				break
			}
		}
		if text != "" {
			out = append(out, formula{Text: text})
		}
	}
	return out
}

// warning is the note over figures that are not complete, nil when they are.
func (x *answer) warning() *look.Note {
	if len(x.silent) == 0 {
		return nil
	}
	return &look.Note{
		Tone: "warn", Mark: "soon", Fact: x.a.T("figure.silent", len(x.silent)), Then: x.a.T("figure.silent_then", x.silentList()),
	}
}

// drawnValues are the figures of a report worth a picture.
func (x *answer) drawnValues() []int {
	var out []int
	for i, c := range x.GetValues() {
		switch c.GetKey() {
		case "orders", "revenue", "active", "new", "retention":
			out = append(out, i)
		}
	}
	return out
}

const (
	maxBars   = 14 // bars one can still read
	maxSeries = 4  // columns that can be told apart
	maxLines  = 3
)

func (x *answer) charts(f *figure) {
	other := ""
	for _, k := range x.GetKeys() {
		if k.GetKey() == "month" {
			continue
		}
		if other != "" {
			return // three ways at once are a table, no picture
		}
		other = k.GetKey()
	}
	if len(x.GetRows()) == 0 || len(x.GetKeys()) == 0 {
		return
	}
	for _, i := range x.drawnValues() {
		switch {
		case !x.by("month"):
			x.bars(f, i, other)
		default:
			x.overTime(f, i, other)
		}
	}
}

// value is a figure as charts take it: money in whole units, shares as they are.
func (x *answer) value(r *branchlinev1.ReportRow, i int) chart.Value {
	if i >= len(r.GetValues()) {
		return chart.Value{None: true}
	}
	n := r.GetValues()[i]
	if x.GetValues()[i].GetType() == "money" {
		n = (n + 50) / 100
	}
	return chart.Value{N: n, Open: x.open(r)}
}

func (x *answer) style(c *branchlinev1.ReportColumn) chart.Style {
	st := x.a.s.look.ChartStyle(x.a.Lang)
	if c.GetType() == "ratio" {
		st.Number = percent
	}
	if !grows(c) {
		st.AtLeast = func(s string) string { return x.a.T("figure.partial", s) }
	}
	return st
}

func (x *answer) bars(f *figure, i int, other string) {
	c := x.GetValues()[i]
	rows := x.sorted() // as in the table beside
	if len(rows) > maxBars {
		rows = rows[:maxBars]
		f.Aside = x.a.T("figure.only_largest", maxBars)
	}
	b := chart.Bars{Title: x.title(c), First: x.a.T("report.column." + other), Unit: x.title(c), Style: x.style(c)}
	for _, r := range rows {
		b.Rows = append(b.Rows, chart.Row{Label: x.keyText(other, x.key(r, other)), Value: x.value(r, i)})
	}
	f.Charts = append(f.Charts, drawn{x.title(c), b.SVG()})
}

func (x *answer) overTime(f *figure, i int, other string) {
	c := x.GetValues()[i]
	var months []string
	sums := map[string]int64{}
	cells := map[[2]string]chart.Value{}
	for _, r := range x.GetRows() {
		m, k := x.key(r, "month"), x.key(r, other)
		if m == "" {
			continue // settled on no known day
		}
		if !slices.Contains(months, m) {
			months = append(months, m)
		}
		v := x.value(r, i)
		cells[[2]string{m, k}] = v
		sums[k] += v.N
	}
	slices.Sort(months)
	names := make([]string, 0, len(sums))
	for k := range sums {
		names = append(names, k)
	}
	slices.SortFunc(names, func(p, q string) int { return cmp.Or(cmp.Compare(sums[q], sums[p]), cmp.Compare(p, q)) })
	limit := maxSeries
	if c.GetType() == "ratio" {
		limit = maxLines
	}
	if len(names) > limit {
		names = names[:limit]
		f.Aside = x.a.T("figure.only_largest", limit)
	}
	var series []chart.Series
	for _, k := range names {
		s := chart.Series{Name: x.title(c)}
		if other != "" {
			s.Name = x.keyText(other, k)
		}
		for _, m := range months {
			v, ok := cells[[2]string{m, k}]
			if !ok {
				v.None = true
			}
			s.Values = append(s.Values, v)
		}
		series = append(series, s)
	}
	first := x.a.T("report.column.month")
	if c.GetType() == "ratio" {
		f.Charts = append(f.Charts, drawn{x.title(c), chart.Lines{Title: x.title(c), First: first, Labels: months, Series: series, Style: x.style(c)}.SVG()})
		return
	}
	f.Charts = append(f.Charts, drawn{x.title(c), chart.Columns{Title: x.title(c), First: first, Labels: months, Series: series, Style: x.style(c)}.SVG()})
}
