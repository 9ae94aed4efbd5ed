// Package bench measures Branchline: what a person waits for, what the wire
// carries, what memory it takes, how it grows; each figure beside what the same
// work costs with nothing of Branchline in it, in the same run.
//
// Rules:
//   - A figure is measured on real sites, real links on loopback and real SQLite
//     with synchronous=FULL. Its ceiling is measured in the same run, on the same
//     disk, with the same rows.
//   - Everything drawn by chance comes from a seed. Every wait has an end.
//   - A figure that misses its goal is a figure, not an error. An error is that
//     something could not be measured, or that the line did wrong.
//
// It does not promise that two runs agree: the disk and the other programs of the
// machine are in every figure, which is why the load average stands beside it.
package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config says what is measured and with what. Now, Rand and Emit are required.
type Config struct {
	// Quick takes a tenth of the rows and shorter phases: it shows that all runs, its figures are rough.
	Quick bool
	// Dir holds the sites' folders while they run; the system's temporary folder when "".
	Dir string
	// Exe is this program, for the measures that need processes of their own.
	Exe  string
	Seed uint64
	Now  func() time.Time
	Rand io.Reader // safe for concurrent use
	Log  *slog.Logger
	// Emit is given every figure as soon as it is there.
	Emit func(Figure) error
	// Step is told what is being done, for a person who waits; nil: nobody is.
	Step func(what string)
}

// Figure is one measured thing.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Ceiling is the same work without Branchline, in the same unit; Ratio is Value / Ceiling. Null when there is no such work.
	Ceiling *float64 `json:"ceiling"`
	Ratio   *float64 `json:"ratio"`
	// Goal is the most the value may be, of rates (units in /s) the least. GoalRatio is the most the ratio may be.
	Goal      *float64 `json:"goal"`
	GoalRatio *float64 `json:"goal_ratio,omitempty"`
	// Holds is null when there is no goal.
	Holds *bool `json:"holds"`
	// Load is the machine's load average of the last minute, -1 where it cannot be had.
	Load float64 `json:"load"`
	Note string  `json:"note,omitempty"`
}

// Less words for a figure's parts.
type option func(*Figure)

func ceiling(v float64) option {
	return func(f *Figure) {
		if v > 0 {
			r := f.Value / v
			f.Ceiling, f.Ratio = &v, &r
		}
	}
}
func goal(v float64) option   { return func(f *Figure) { f.Goal = &v } }
func within(v float64) option { return func(f *Figure) { f.GoalRatio = &v } }
func note(format string, args ...any) option {
	return func(f *Figure) { f.Note = fmt.Sprintf(format, args...) }
}

func (f *Figure) judge() {
	if f.Goal == nil && f.GoalRatio == nil {
		return
	}
	holds := true
	if f.Goal != nil {
		if strings.HasSuffix(f.Unit, "/s") {
			holds = f.Value >= *f.Goal
		} else {
			holds = f.Value <= *f.Goal
		}
	}
	if f.GoalRatio != nil {
		holds = holds && f.Ratio != nil && *f.Ratio <= *f.GoalRatio
	}
	f.Holds = &holds
}

// measure is one name people may ask for. Some names share a run of the line.
type measure struct {
	name, about string
	limit       time.Duration // it ends by then, measured or not
	extra       bool          // only when asked for
	run         func(r *runner, want func(string) bool) error
	also        []string // further names the same run measures
}

func measures() []measure {
	return []measure{
		{name: "commit", about: "one durable commit through the API", limit: time.Minute, run: (*runner).commit},
		{name: "visible", about: "commit at one branch, visible at another", limit: 2 * time.Minute, run: (*runner).visible, also: []string{"wire"}},
		{name: "drain", about: "80,000 records written offline, until headquarters has them", limit: 150 * time.Second, run: (*runner).bulk, also: []string{"bootstrap", "wire"}},
		{name: "fleet", about: "50 branches at once", limit: 150 * time.Second, run: (*runner).fleet},
		{name: "faults", about: "after a cut, a kill, a restored copy", limit: 3 * time.Minute, run: (*runner).faults},
		{name: "memory", about: "resident memory of the processes", limit: 2 * time.Minute, run: (*runner).memory},
		{name: "merge", about: "two states of one record joined", limit: time.Minute, run: (*runner).rooms, also: []string{"reports"}},
		{name: "search", about: "the search box as it is typed, at 200,000 customers and 1,000,000 orders", limit: 30 * time.Minute, run: (*runner).search, extra: true},
		{name: "pages", about: "a branch's pages with 200,000 customers and 400,000 orders, headquarters' with 100,000 registrations", limit: 45 * time.Minute, run: (*runner).pages, extra: true},
		{name: "growth", about: "one change at headquarters as the group grows", limit: 20 * time.Minute, run: (*runner).growth, extra: true},
		{name: "match", about: "records matched, to 1,000,000, clusters exact after each", limit: 90 * time.Minute, run: (*runner).matching, extra: true},
	}
}

// wholeLimit is how long a run without names may take.
const wholeLimit = 12 * time.Minute

// Names are all names Run knows, with what they measure.
func Names() [][2]string {
	var out [][2]string
	for _, m := range measures() {
		out = append(out, [2]string{m.name, m.about})
		for _, a := range m.also {
			if !slices.ContainsFunc(out, func(x [2]string) bool { return x[0] == a }) {
				out = append(out, [2]string{a, also[a]})
			}
		}
	}
	return out
}

var also = map[string]string{
	"bootstrap": "a branch's new machine fetches its 80,000 records",
	"wire":      "bytes on the wire a record",
	"reports":   "the group's reports",
}

// Run measures what is named, all but search, pages, growth and match when nothing is. It blocks until
// all is measured or ctx ends. An unknown name is an *UnknownError, before
// anything runs; what cannot be measured does not keep the rest from being so.
func Run(ctx context.Context, c Config, names ...string) error {
	if c.Now == nil || c.Rand == nil || c.Emit == nil {
		return errors.New("bench: config needs Now, Rand and Emit")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	for _, n := range names {
		if !slices.ContainsFunc(Names(), func(x [2]string) bool { return x[0] == n }) {
			return &UnknownError{n}
		}
	}
	want := func(m string) bool { return len(names) == 0 || slices.Contains(names, m) }
	if len(names) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wholeLimit)
		defer cancel()
	}
	var errs []error
	for _, m := range measures() {
		asked := slices.ContainsFunc(append([]string{m.name}, m.also...), want)
		if !asked || m.extra && len(names) == 0 {
			continue
		}
		if err := runOne(ctx, c, m, want); err != nil {
			errs = append(errs, fmt.Errorf("bench: %s: %w", m.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// UnknownError is a name nothing is measured under.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string {
	var names []string
	for _, n := range Names() {
		names = append(names, n[0])
	}
	return fmt.Sprintf("there is no measure %q: %s", e.Name, strings.Join(names, ", "))
}

func runOne(ctx context.Context, c Config, m measure, want func(string) bool) (err error) {
	ctx, cancel := context.WithTimeout(ctx, m.limit)
	defer cancel()
	dir, err := os.MkdirTemp(c.Dir, "branchline-bench-")
	if err != nil {
		return err
	}
	r := &runner{Config: c, ctx: ctx, dir: dir}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return m.run(r, want)
}

// runner is one measure being run.
type runner struct {
	Config
	ctx context.Context
	dir string
}

func (r *runner) step(format string, args ...any) {
	if r.Step != nil {
		r.Step(fmt.Sprintf(format, args...))
	}
}

func (r *runner) emit(name string, value float64, unit string, opts ...option) error {
	f := Figure{Name: name, Value: value, Unit: unit, Load: load()}
	for _, o := range opts {
		o(&f)
	}
	f.judge()
	return r.Emit(f)
}

// folder makes a folder of its own for a site.
func (r *runner) folder(name string) (string, error) {
	d := filepath.Join(r.dir, name)
	return d, os.MkdirAll(d, 0o700)
}

// scale is n, or a tenth of it when quick.
func (r *runner) scale(n int) int {
	if r.Quick {
		return n / 10
	}
	return n
}

// await looks until done, every few milliseconds, at most for limit.
func (r *runner) await(what string, limit time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(r.ctx, limit)
	defer cancel()
	t := time.NewTicker(2 * time.Millisecond)
	defer t.Stop()
	for {
		ok, err := done()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %s: %w", what, limit, ctx.Err())
		case <-t.C:
		}
	}
}

// load is the load average of the last minute.
func load() float64 {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return -1
	}
	first, _, _ := bytes.Cut(b, []byte{' '})
	f, err := strconv.ParseFloat(string(first), 64)
	if err != nil {
		return -1
	}
	return f
}

// series are times taken one by one.
type series []time.Duration

// at is a quantile in milliseconds; 0 of none.
func (s series) at(q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	x := slices.Clone(s)
	slices.Sort(x)
	return ms(x[min(len(x)-1, int(q*float64(len(x))))])
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
