package town

import (
	"cmp"
	"slices"
	"time"
)

// window is how far back repair orders go.
const windowMonths = 24

type cause int

const (
	causeService cause = iota
	causeRepair
	causeBody
)

// visit is one repair order.
type visit struct {
	at     time.Time
	car    int
	branch int
	cause  cause
	lines  int
	nth    int // the car's nth visit
}

// visit sends the cars to the workshops: as many visits as the lines ask for, out of those their
// service intervals and faults give.
func (t *Town) visit() {
	if len(t.cars) == 0 {
		// A town too small to have a car by chance still has orders.
		var sums []int
		for i := range designs {
			sums = append(sums, i+1)
		}
		t.people[0].cars = []int{0}
		t.cars = append(t.cars, t.car(0, 0, t.dice("garage", 0), sums, map[string]bool{}))
	}
	want := max(1, t.cfg.Lines*10/36)
	start := t.cfg.Today.AddDate(0, -windowMonths, 0)
	var all []visit
	for i := range t.cars {
		all = append(all, t.visitsOf(i, start)...)
	}
	d := t.dice("visits", 0)
	for len(all) < want {
		i := d.IntN(len(t.cars))
		from := start
		if t.cars[i].sold.After(from) {
			from = t.cars[i].sold
		}
		span := t.cfg.Today.Sub(from)
		all = append(all, visit{at: d.hour(from.Add(time.Duration(d.Int64N(int64(span)) + 1))), car: i, cause: causeRepair})
	}
	d.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:want]
	for i := range all {
		if all[i].at.After(t.cfg.Today) {
			all[i].at = t.cfg.Today
		}
	}
	slices.SortStableFunc(all, func(a, b visit) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.car, b.car))
	})
	t.visits = all
	t.share(d)
	for i := range all {
		c := &t.cars[all[i].car]
		all[i].nth = c.orders
		c.orders++
		all[i].branch = t.where(d, all[i])
		p := &t.people[c.owner]
		if p.visited == nil {
			p.visited = map[int]int{}
		}
		p.visited[all[i].branch]++
	}
}

func (t *Town) visitsOf(i int, start time.Time) []visit {
	c := &t.cars[i]
	m := designs[c.design]
	d := t.dice("visits of", i)
	var out []visit
	add := func(at time.Time, why cause) {
		if at.After(start) && at.Before(t.cfg.Today) && (c.lapsed.IsZero() || at.Before(c.lapsed)) {
			out = append(out, visit{at: d.hour(at), car: i, cause: why})
		}
	}
	every := min(float64(m.months)*30.4, float64(m.km)/c.daily)
	for at := c.sold; at.Before(t.cfg.Today); {
		days := max(20, every*(0.8+0.6*d.Float64()))
		at = at.Add(time.Duration(days * 24 * float64(time.Hour)))
		add(at, causeService)
	}
	for at := start; at.Before(t.cfg.Today); {
		at = at.Add(time.Duration((30 + d.ExpFloat64()*500) * 24 * float64(time.Hour)))
		if at.After(c.sold) {
			why := causeRepair
			if d.chance(0.2) {
				why = causeBody
			}
			add(at, why)
		}
	}
	return out
}

// share gives the visits their lines, so that all together have exactly as many as asked for.
func (t *Town) share(d dice) {
	sum := 0
	for i := range t.visits {
		v := &t.visits[i]
		switch v.cause {
		case causeService:
			v.lines = d.between(3, 6)
		case causeRepair:
			v.lines = d.between(1, 4)
		case causeBody:
			v.lines = d.between(2, 5)
		}
		sum += v.lines
	}
	for i := 0; sum != t.cfg.Lines; i = (i + 1) % len(t.visits) {
		if v := &t.visits[i]; sum < t.cfg.Lines {
			v.lines++
			sum++
		} else if v.lines > 1 {
			v.lines--
			sum--
		}
	}
}

// where a car goes this time.
func (t *Town) where(d dice, v visit) int {
	p := &t.people[t.cars[v.car].owner]
	if p.away >= 0 && d.chance(p.awayP) {
		return p.away
	}
	return p.home
}

// An event is one thing to write at a branch.
type event struct {
	at   time.Time
	what what
	n    int
}

type what int

const (
	writeStaff what = iota
	writeCustomer
	writeVehicle
	writeOwner
	writeDriver
	writeVisit
)

// schedule lays every branch's writing out in time: who is not registered yet is, before his first
// order.
func (t *Town) schedule() {
	t.events = make([][]event, len(t.sites))
	open := t.cfg.Today.AddDate(-9, 0, 0)
	for b := range t.sites {
		for i := range desk {
			t.events[b] = append(t.events[b], event{open.Add(time.Duration(i) * time.Minute), writeStaff, i})
		}
	}
	for i := range t.people {
		d := t.dice("first seen", i)
		p := &t.people[i]
		p.writtenAt = map[int]time.Time{}
		for _, c := range p.cars {
			if t.cars[c].soldHere {
				t.registerCar(c, p.home, t.cars[c].sold)
			}
		}
		if len(p.cars) == 0 || !t.cars[p.cars[0]].soldHere && t.cars[p.cars[0]].orders == 0 {
			t.register(i, p.home, d.hour(t.cfg.Today.AddDate(0, 0, -1-d.IntN(windowMonths*30))))
		}
	}
	for i, v := range t.visits {
		t.registerCar(v.car, v.branch, v.at)
		t.events[v.branch] = append(t.events[v.branch], event{v.at, writeVisit, i})
	}
	for i := range t.people {
		p := &t.people[i]
		if len(p.writtenAt) == 0 {
			t.register(i, p.home, t.cars[p.cars[0]].sold)
		}
	}
	for i := range t.people {
		for b := range t.sites {
			if at, ok := t.people[i].writtenAt[b]; ok {
				t.events[b] = append(t.events[b], event{at, writeCustomer, i})
			}
		}
	}
	for i := range t.cars {
		for b := range t.sites {
			if at, ok := t.cars[i].writtenAt[b]; ok {
				t.events[b] = append(t.events[b], event{at, writeVehicle, i}, event{at, writeOwner, i})
			}
		}
	}
	// A driver is tied where he and the car are both known.
	for i := range t.cars {
		c := &t.cars[i]
		if c.driver < 0 {
			continue
		}
		home := t.people[c.driver].home
		carAt, ok := c.writtenAt[home]
		if manAt := t.people[c.driver].writtenAt[home]; ok {
			if carAt.Before(manAt) {
				carAt = manAt
			}
			t.events[home] = append(t.events[home], event{carAt, writeDriver, i})
		}
	}
	for b := range t.events {
		slices.SortStableFunc(t.events[b], func(x, y event) int {
			return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.what, y.what), cmp.Compare(x.n, y.n))
		})
	}
	t.count()
}

// register notes that a branch knows a person from that moment, or from an earlier one.
func (t *Town) register(i, branch int, at time.Time) {
	if was, ok := t.people[i].writtenAt[branch]; !ok || at.Before(was) {
		t.people[i].writtenAt[branch] = at
	}
}

// registerCar is register for a car and its owner. The hour of a visit may lie before
// that of the sale on the same day.
func (t *Town) registerCar(c, branch int, at time.Time) {
	if was, ok := t.cars[c].writtenAt[branch]; ok && !at.Before(was) {
		return
	}
	t.register(t.cars[c].owner, branch, at)
	t.cars[c].writtenAt[branch] = at
}

func (t *Town) count() {
	x := Totals{Customers: len(t.people), Cars: len(t.cars), Orders: len(t.visits)}
	for i := range t.people {
		x.Registrations += len(t.people[i].writtenAt)
		if len(t.people[i].visited) > 1 {
			x.Visitors++
		}
	}
	for i := range t.cars {
		x.Vehicles += len(t.cars[i].writtenAt)
	}
	for _, v := range t.visits {
		x.Lines += v.lines
	}
	t.totals = x
}
