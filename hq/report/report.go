// Package report counts: orders and revenue, customers, and the retention of the
// workshops, for the group and by month, branch and model.
//
// Rules:
//   - Figures come from fact tables (0010_report.sql) that are derived from the
//     merged records and from nothing else, behind the line (hq/behind). They are
//     brought up to HQ's rev before a report is read.
//   - Customers are counted as golden customers, cars as one car under several
//     records; who is grouped with whom is read when the report is.
//   - A day is the branch's own day as written in the order, a month its first
//     seven characters (DESIGN §12.4). Money is never added over currencies.
//   - Every figure says in words how it is counted, and every report when each
//     branch was last heard: what a silent branch did lately is not in it.
//
// It promises that a figure equals the same question put to all records in the
// snapshot it was read in, whatever the order they came in.
package report

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"branchline/hq/behind"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// The reports there are.
const (
	Orders    = "orders"
	Customers = "customers"
	Retention = "retention"
)

// Names are the reports in the order pages show them.
func Names() []string { return []string{Orders, Customers, Retention} }

// What rows may be broken down by.
const (
	byMonth  = "month"
	byBranch = "branch"
	byModel  = "model"
	byPayer  = "payer" // of report orders only
)

const (
	// silentAfter: a branch not heard for so long has work the figures do not hold.
	silentAfter = 24 * time.Hour
	maxRows     = 20000
	maxMonths   = 600
)

// Config says what is counted.
type Config struct {
	Store *store.Store
	Log   *slog.Logger
	// Zone says which day today is when a report names no last day; schema.DefaultZone when nil.
	Zone *time.Location
	// ZoneNow, if not nil, is asked in place of Zone: it may be another while HQ runs.
	ZoneNow func() *time.Location
	// Ahead are the questions that Run asks itself after changes, so that whoever asks
	// them first need not wait; of the time, in Zone, it is called at. nil: none.
	Ahead func(now time.Time) []*branchlinev1.ReportRequest
}

// Reports answers reports. Safe for concurrent use.
type Reports struct {
	st    *store.Store
	log   *slog.Logger
	zone  func() *time.Location
	words *look.Words
	facts *behind.Follower

	keeper *keeper
	ahead  func(time.Time) []*branchlinev1.ReportRequest
}

// New checks the configuration and starts nothing.
func New(c Config) (*Reports, error) {
	if c.Store == nil {
		return nil, errors.New("hq/report: config needs a store")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Zone == nil {
		var err error
		if c.Zone, err = schema.Zone(""); err != nil {
			return nil, fmt.Errorf("hq/report: %w", err)
		}
	}
	if c.ZoneNow == nil {
		c.ZoneNow = func() *time.Location { return c.Zone }
	}
	w, err := look.LoadWords(Words())
	if err != nil {
		return nil, fmt.Errorf("hq/report: %w", err)
	}
	r := &Reports{st: c.Store, log: c.Log.With("room", "hq/report"), zone: c.ZoneNow, words: w, keeper: newKeeper(), ahead: c.Ahead}
	r.facts, err = behind.New(c.Store, r.log, r.task())
	return r, err
}

// query is a request that was read and found good.
type query struct {
	report   string
	by       []string
	from, to string // "" for no bound
	today    string
}

func (q *query) has(by string) bool { return slices.Contains(q.by, by) }

func (r *Reports) today(now time.Time) string { return now.In(r.zone()).Format(time.DateOnly) }

func (r *Reports) parse(req *branchlinev1.ReportRequest) (*query, error) {
	q := &query{report: req.GetReport(), from: req.GetFrom(), to: req.GetTo(), today: r.today(r.st.Now())}
	if !slices.Contains(Names(), q.report) {
		return nil, schema.Invalid("report", "there is no report %q: one of %s", q.report, strings.Join(Names(), ", "))
	}
	may := []string{byMonth, byBranch, byModel}
	if q.report == Orders {
		may = append(may, byPayer)
	}
	for _, by := range req.GetBy() {
		if !slices.Contains(may, by) {
			return nil, schema.Invalid("by", "%q is not one of %s", by, strings.Join(may, ", "))
		}
		if slices.Contains(q.by, by) {
			return nil, schema.Invalid("by", "says %s twice", by)
		}
		q.by = append(q.by, by)
	}
	for name, day := range map[string]string{"from": q.from, "to": q.to} {
		if day != "" && schema.CheckDay(day) != nil {
			return nil, schema.Invalid(name, "%q is not a day: write it as 2026-11-21", day)
		}
	}
	if q.from != "" && q.to != "" && q.from > q.to {
		return nil, schema.Invalid("from", "%s comes after the last day, %s", q.from, q.to)
	}
	if q.report == Orders {
		return q, nil
	}
	// These look back from a day: it must be one.
	if q.to == "" {
		q.to = q.today
		if q.from > q.to {
			return nil, schema.Invalid("from", "%s is after today: say to", q.from)
		}
	}
	if q.report == Retention && len(q.by) == 0 {
		q.by = []string{byBranch}
	}
	return q, nil
}

// Report answers one report from all that HQ has when it is asked. It waits
// until the facts are made up; that takes longer the first time. ErrInvalid.
func (r *Reports) Report(ctx context.Context, req *branchlinev1.ReportRequest) (*branchlinev1.ReportResponse, error) {
	q, err := r.parse(req)
	if err != nil {
		return nil, err
	}
	rev := r.st.Rev()
	if err := r.facts.CatchUp(ctx); err != nil {
		return nil, err
	}
	out := &branchlinev1.ReportResponse{Report: q.report, Currency: defaultCurrency}
	for _, by := range q.by {
		out.Keys = append(out.Keys, &branchlinev1.ReportColumn{Key: by, Title: r.title(by), Type: "text"})
	}
	now := r.st.Now()
	out.AsOf = now.UnixMilli()
	out.Heard = r.heard(now)
	err = r.st.Read(ctx, func(rd *store.R) error {
		switch q.report {
		case Orders:
			return r.orders(rd, q, out)
		case Customers:
			return r.customers(rd, q, out)
		default:
			return r.retention(rd, q, out)
		}
	})
	if err != nil {
		return nil, err
	}
	if len(out.Rows) > maxRows {
		return nil, schema.Invalid("by", "gives %d rows, more than %d: ask for a shorter time or break it down less", len(out.Rows), maxRows)
	}
	slices.SortFunc(out.Rows, func(a, b *branchlinev1.ReportRow) int { return slices.Compare(a.GetKeys(), b.GetKeys()) })
	made := r.st.Now()
	r.keep(req, keptAnswer{out, made, made.Sub(now), q.today, rev})
	return out, nil
}

// columns says which figures the report has, each with its formula.
func (r *Reports) columns(out *branchlinev1.ReportResponse, typed map[string]string, keys []string, args ...any) {
	for _, key := range keys {
		out.Values = append(out.Values, &branchlinev1.ReportColumn{Key: key, Title: r.title(key), Type: typed[key]})
		r.say(out, "report.formula."+out.GetReport()+"."+key, args...)
	}
}

// say adds a sentence, as a key of the catalogue and in English.
func (r *Reports) say(out *branchlinev1.ReportResponse, key string, args ...any) {
	s := &branchlinev1.ReportSentence{Key: key}
	for _, a := range args {
		s.Args = append(s.Args, fmt.Sprint(a))
	}
	out.Sentences = append(out.Sentences, s)
	out.Formulas = append(out.Formulas, Say(r.words, look.En, s))
}

// heard tells of each branch that works when HQ last heard it.
func (r *Reports) heard(now time.Time) []*branchlinev1.HeardBranch {
	var out []*branchlinev1.HeardBranch
	for _, b := range r.st.Branches() {
		if b.State == store.Retired {
			continue
		}
		out = append(out, &branchlinev1.HeardBranch{
			Branch: string(b.Code), Name: b.Name, LastHeard: b.Heard,
			Silent: now.UnixMilli()-b.Heard > silentAfter.Milliseconds(),
		})
	}
	return out
}
