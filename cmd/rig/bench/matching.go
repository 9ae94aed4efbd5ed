package bench

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"branchline/cmd/rig/town"
	"branchline/hq/match"
)

// matching measures the matcher alone, on one processor and by the time it takes of it: made registrations one by one
// into an Engine, clusters exact after each, by the base model.
func (r *runner) matching(func(string) bool) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	m, err := match.Base()
	if err != nil {
		return err
	}
	if err := r.small(m); err != nil {
		return err
	}
	if err := r.grown(m); err != nil {
		return err
	}
	return r.onePhone(m)
}

// put takes records in. It gives what each took, and what all took of the processor, which
// other programs do not change; where that cannot be had, the same by the clock.
func (r *runner) put(e *match.Engine, records []match.Record) (took series, all time.Duration, err error) {
	took = make(series, len(records))
	begun := cpuTime()
	for i, x := range records {
		t := r.Now()
		if err := e.Put(x); err != nil {
			return nil, 0, err
		}
		took[i] = r.Now().Sub(t)
		all += took[i]
	}
	if used := cpuTime() - begun; used > 0 {
		all = used
	}
	return took, all, r.ctx.Err()
}

// small measures five sets of 5,000 records, of which the best counts: the others met a
// busy machine.
func (r *runner) small(m *match.Model) error {
	r.step("matching 5,000 records")
	best, p99 := 0.0, 0.0
	for k := range uint64(5) {
		c, order, err := counters(r.Seed+k, 5000)
		if err != nil {
			return err
		}
		rs := registrations(c, order)
		runtime.GC()
		took, spent, err := r.put(match.NewEngine(m), rs)
		if err != nil {
			return err
		}
		if v := float64(len(rs)) / spent.Seconds(); v > best {
			best, p99 = v, took.at(.99)
		}
	}
	return errors.Join(
		r.emit("match_5000", best, "records/s", goal(20_000), note("the first 5,000 records, clusters exact after each; the best of five sets")),
		r.emit("match_5000_p99", p99, "ms"))
}

// counters makes customers, and gives the first n of their registrations.
func counters(seed uint64, n int) (*town.Counters, [][2]int32, error) {
	c, err := town.NewCounters(seed, n*6/10)
	if err != nil {
		return nil, nil, err
	}
	order := c.Order()
	if len(order) < n {
		return nil, nil, fmt.Errorf("%d customers register %d times, not %d", c.Customers(), len(order), n)
	}
	return c, order[:n], nil
}

func registrations(c *town.Counters, order [][2]int32) []match.Record {
	out := make([]match.Record, len(order))
	for i, o := range order {
		x := c.Registration(int(o[0]), int(o[1]))
		out[i] = match.Record{ID: x.ID, Values: x.Values()}
	}
	return out
}

// grown measures the cost of a record as their number grows, the memory, and what the
// clusters are worth.
func (r *runner) grown(m *match.Model) error {
	const step = 10_000
	all := r.scale(1_000_000)
	c, order, err := counters(r.Seed, all)
	if err != nil {
		return err
	}
	e := match.NewEngine(m)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var first float64
	var last series
	var lately time.Duration
	for n := 0; n < all; n += step {
		r.step("matching %d of %d records", n, all)
		took, spent, err := r.put(e, registrations(c, order[n:n+step]))
		if err != nil {
			return err
		}
		us := float64(spent.Microseconds()) / step
		if n == 0 {
			first = us
			err = r.emit("match_cost_10k", us, "us")
		}
		if n+step == 100_000 {
			err = r.emit("match_cost_100k", us, "us")
		}
		if err != nil {
			return err
		}
		if n >= all-5*step {
			last, lately = append(last, took...), lately+spent
		}
	}
	us := float64(lately.Microseconds()) / float64(len(last))
	truth, got := map[string]string{}, map[string]string{}
	for _, o := range order {
		truth[c.Registration(int(o[0]), int(o[1])).ID] = fmt.Sprint(o[0])
	}
	for _, g := range e.Clusters() {
		for _, id := range g {
			got[id] = g[0]
		}
	}
	worth := match.Compare(truth, got)
	clear(got)
	clear(truth)
	var after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&after)
	err = errors.Join(
		r.emit("match_grown", 1e6/us, "records/s", goal(5_000), note("the last 50,000 of %d records", all)),
		r.emit("match_grown_p99", last.at(.99), "ms", goal(5)),
		r.emit("match_grown_max", last.at(1), "ms"),
		r.emit("match_cost_grown", us, "us"),
		r.emit("match_growth", us/first, "times", note("the cost of a record at %d records beside that at the first 10,000", all)),
		r.emit("match_memory", float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB", note("held for %d records, keys and clusters", all)),
		r.emit("match_f1", worth.F1(), "", note("pairwise; precision %.4f, recall %.4f, largest cluster %d", worth.Precision(), worth.Recall(), worth.Largest)))
	runtime.KeepAlive(e)
	return err
}

// onePhone measures records that all give one telephone, which the model has never seen:
// the last tenth beside the first.
func (r *runner) onePhone(m *match.Model) error {
	all := r.scale(1_000_000) / 10
	c, order, err := counters(r.Seed+9, all)
	if err != nil {
		return err
	}
	e := match.NewEngine(m)
	var first, last time.Duration
	const step = 1000
	for n := 0; n < all; n += step {
		r.step("one telephone for %d of %d records", n, all)
		rs := registrations(c, order[n:n+step])
		for i := range rs {
			rs[i].Values[2] = "13955501234"
		}
		_, spent, err := r.put(e, rs)
		if err != nil {
			return err
		}
		if n < all/10 {
			first += spent
		}
		if n >= all-all/10 {
			last += spent
		}
	}
	a, b := float64(first.Microseconds())/float64(all/10), float64(last.Microseconds())/float64(all/10)
	return errors.Join(
		r.emit("match_one_phone", b, "us", note("a record, where %d have one telephone that the model did not know; largest cluster %d, %d alarms", all, largest(e), len(e.Alarms()))),
		r.emit("match_one_phone_growth", b/a, "times", goal(4), note("beside the first tenth; ten times were quadratic")))
}

func largest(e *match.Engine) int {
	n := 0
	for _, g := range e.Clusters() {
		n = max(n, len(g))
	}
	return n
}
