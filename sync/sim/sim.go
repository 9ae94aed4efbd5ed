// Package sim runs a headquarters and its branches on a simulated clock, network
// and disk, hurts them in every way the design names, heals everything and
// audits what is left (DESIGN §11).
//
// Rules:
//   - One goroutine, one seed. The same seed over the same parties gives the same
//     run, event by event; a failing seed is the bug report.
//   - The parties are known by interface only. They are called one step at a time
//     and never within one another; between two steps any of them may be killed,
//     copied or put back from a copy.
//   - The network may drop, delay, double and reorder. UP is ordered, a work queue,
//     holds 64 packs a branch and forgets all when it is deleted.
//   - An edit counts from the moment a person was told "saved", and is excused only
//     when no database that holds it is left.
//
// It promises that a Failure names the invariant, what was expected and the last
// events around it. It proves nothing about power cuts or about two things that
// happen at once within one process.
package sim

import (
	"container/heap"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"branchline/schema"
)

// Config says what is simulated. Rig and Dir are required.
type Config struct {
	Seed uint64
	Rig  Rig
	// Dir is a folder of the run's own; it is emptied at the end.
	Dir   string
	Shape Shape
	// Only, if not nil, leaves out every fault it does not name.
	Only []Fault
}

// Shape is how much happens; a zero field takes the default.
type Shape struct {
	Edits  int           // people's edits while faults are on: 50
	Faults int           // things done to machines, disks and UP: 14
	Span   time.Duration // simulated time of both: 60 s
	Heal   time.Duration // in which all must have come to rest, for each machine of a branch: 240 s
}

func (s Shape) withDefaults() Shape {
	if s.Edits == 0 {
		s.Edits = 50
	}
	if s.Faults == 0 {
		s.Faults = 14
	}
	if s.Span == 0 {
		s.Span = 60 * time.Second
	}
	if s.Heal == 0 {
		s.Heal = 240 * time.Second
	}
	return s
}

// Result is what a run came to.
type Result struct {
	Seed   uint64
	Events int
	Edits  int
	Faults map[Fault]int
	// Trace sums up everything that was noted: equal for equal runs.
	Trace  schema.Hash
	Failed *Failure // nil: every invariant held
}

// Failure is one broken invariant.
type Failure struct {
	Seed      uint64
	Invariant string // I1 to I11
	Text      string
	Trace     []string
}

func (f *Failure) Error() string {
	return fmt.Sprintf("seed %d breaks %s: %s\n%s", f.Seed, f.Invariant, f.Text, strings.Join(f.Trace, "\n"))
}

// epochStart is when every run begins.
var epochStart = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

// World is one run.
type World struct {
	cfg    Config
	shape  Shape
	rng    *rand.Rand
	rare   *rand.Rand // of what happens seldom
	now    time.Time
	queue  events
	serial uint64
	count  int
	end    bool // faults are over

	net      network
	up       up
	hub      hub
	machines []*machine
	people   people
	faults   map[Fault]int
	audit    audit
	trace    trace
	failed   *Failure
	broken   error // of the rig, not of the parties
}

// Run simulates one seed. The error is the rig's or the machine's: a disk that is
// full, a party that cannot be opened. What the parties did wrong is in the Result.
func Run(cfg Config) (res Result, err error) {
	if cfg.Rig == nil || cfg.Dir == "" {
		return res, errors.New("sim: Rig and Dir are needed")
	}
	w := &World{
		cfg: cfg, shape: cfg.Shape.withDefaults(), rng: rand.New(rand.NewPCG(cfg.Seed, 0x6272616e63680a)), rare: rand.New(rand.NewPCG(cfg.Seed, 0x726172650a)), now: epochStart, faults: map[Fault]int{},
	}
	w.audit.init()
	res.Seed = cfg.Seed
	defer func() {
		res.Events, res.Edits, res.Faults, res.Failed = w.count, w.people.saved, w.faults, w.failed
		res.Trace = w.trace.sum
		err = errors.Join(err, w.close())
	}()
	if err := w.found(); err != nil {
		return res, fmt.Errorf("sim: seed %d: %w", cfg.Seed, err)
	}
	w.plan()
	w.runUntil(epochStart.Add(w.shape.Span))
	w.heal()
	if w.failed == nil && w.broken == nil {
		w.auditAll()
	}
	if w.broken != nil {
		return res, fmt.Errorf("sim: seed %d: %w", cfg.Seed, w.broken)
	}
	return res, nil
}

var codes = []schema.BranchID{"aa", "bb", "cc", "dd"}

// found makes the group: two or three branches of one legal entity and one of another.
func (w *World) found() error {
	n := 3 + w.rng.IntN(2)
	w.hub.w, w.net.w, w.people.w, w.up.w = w, w, w, w
	w.hub.dir = filepath.Join(w.cfg.Dir, "hq")
	w.hub.ground = w.ground(func() time.Time { return w.now.Add(w.hub.skew) })
	var list []Founding
	for i := range n {
		e := schema.EntityID("east")
		if i == n-1 {
			e = "west"
		}
		m := &machine{w: w, name: string(codes[i]), code: codes[i], entity: e, dir: filepath.Join(w.cfg.Dir, string(codes[i])), logged: newKnown()}
		w.machines = append(w.machines, m)
		list = append(list, Founding{Branch: m.code, Entity: e, Dir: m.dir})
	}
	for _, d := range append([]string{w.hub.dir}, dirsOf(list)...) {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	if err := w.cfg.Rig.Found(w.hub.dir, list, w.hub.ground); err != nil {
		return err
	}
	w.up.anew()
	w.hub.open()
	for _, m := range w.machines {
		m.start()
	}
	w.hub.beat()
	w.net.draw()
	return w.broken
}

func dirsOf(list []Founding) []string {
	var out []string
	for _, f := range list {
		out = append(out, f.Dir)
	}
	return out
}

// ground is what a process gets of the world. Each process has randomness of its
// own, so that what one draws does not move the others.
func (w *World) ground(now func() time.Time) Ground {
	r := rand.New(rand.NewPCG(w.rng.Uint64(), w.rng.Uint64()))
	return Ground{
		Now: now,
		Rand: func(b []byte) {
			for i := range b {
				b[i] = byte(r.Uint32())
			}
		},
		Number: r.Uint64,
	}
}

// plan lays out what people do and what goes wrong.
func (w *World) plan() {
	for range w.shape.Edits {
		w.after(w.upTo(w.shape.Span), func() { w.people.act() })
	}
	for range w.shape.Faults {
		w.after(w.upTo(w.shape.Span), w.hurt)
	}
	for t := 2 * time.Second; t < w.shape.Span; t += 5 * time.Second {
		w.after(t+w.upTo(3*time.Second), w.snapshot)
	}
	w.planRare()
}

// heal ends all faults, lets every machine have its turn, and waits for rest.
func (w *World) heal() {
	if w.stop() {
		return
	}
	w.end = true
	w.note(zeroID, "faults are over")
	w.net.calm()
	var clones []*machine
	for _, m := range w.machines {
		if m.clone {
			clones = append(clones, m)
		}
	}
	// Of two machines that are one branch a person lets one go on at a time: the
	// clone hands in its tail, then it is put away.
	for _, c := range clones {
		w.note(zeroID, "%s is put away until its turn", c.name)
		c.stop()
	}
	w.hub.ensure()
	w.rest()
	for _, c := range clones {
		o := w.original(c.code)
		if c.replaced {
			w.note(zeroID, "%s hands in what it has", c.name)
		} else {
			w.note(zeroID, "%s has its turn instead of %s", c.name, o.name)
			o.stop()
		}
		c.turn()
		w.rest()
		if w.stop() {
			return
		}
		w.note(zeroID, "%s is put away for good", c.name)
		c.stop()
		c.gone = true
		o.turn()
		w.rest()
	}
	if w.faults[Replace] > 0 {
		w.decide()
	}
	if w.stop() {
		return
	}
	w.stillness()
}

// decide has a person at headquarters go through what came of replaced machines:
// most of it counts, some is discarded, some is left lying.
func (w *World) decide() {
	left := map[schema.ChangeID]bool{}
	for !w.stop() {
		list, err := w.hub.proc.Quarantine()
		w.broke(err)
		list = slices.DeleteFunc(list, func(id schema.ChangeID) bool { return left[id] })
		if len(list) == 0 {
			break
		}
		for _, id := range list {
			what := w.rng.IntN(10)
			if what == 0 {
				left[id] = true
				continue
			}
			w.note(zeroID, "a person decides on %s, discard=%v", id, what == 1)
			w.broke(w.hub.proc.Decide(id, what == 1))
			break // others waited for it
		}
		w.hub.settleSoon()
	}
	w.rest()
}

func (w *World) original(b schema.BranchID) *machine {
	for _, m := range w.machines {
		if m.code == b && !m.clone {
			return m
		}
	}
	return nil
}

func (w *World) stop() bool { return w.failed != nil || w.broken != nil }

// rest lets the world run until nothing moves any more.
func (w *World) rest() {
	limit := w.now.Add(w.shape.Heal)
	for _, m := range w.machines {
		if !m.clone && !m.gone && !m.put {
			m.boot()
		}
	}
	calm := 0
	for rev := schema.Rev(-1); calm < 4; {
		if w.stop() {
			return
		}
		if w.now.After(limit) {
			w.fail("I1", zeroID, "nothing came to rest within %s: %s", w.shape.Heal, w.standing())
			return
		}
		w.runUntil(w.now.Add(time.Second))
		if w.stop() {
			return
		}
		if w.atRest() && w.hub.proc.Rev() == rev {
			calm++
		} else {
			calm = 0
		}
		if w.hub.proc != nil {
			rev = w.hub.proc.Rev()
		}
	}
}

func (w *World) atRest() bool {
	if w.hub.proc == nil || len(w.up.packs) > 0 || w.net.flying > 0 {
		return false
	}
	for _, m := range w.machines {
		if !m.put && !m.gone && !m.atRest() {
			return false
		}
	}
	return true
}

func (w *World) standing() string {
	var b strings.Builder
	fmt.Fprintf(&b, "UP holds %d, under way %d", len(w.up.packs), w.net.flying)
	for _, m := range w.machines {
		if m.proc != nil {
			l := m.proc.Line()
			fmt.Fprintf(&b, "; %s: %s, cursor %d of %d, mark %d of %d, hellos %d, rewinds %d", m.name, l.State, l.Cursor, w.hub.proc.Rev(), l.Mark, m.lastSeq(), l.Hellos, l.Rewinds)
		}
	}
	return b.String()
}

// stillness holds that at rest nothing is tried again (I9).
func (w *World) stillness() {
	type count struct{ hellos, rewinds int }
	before := map[*machine]count{}
	for _, m := range w.machines {
		if m.proc != nil {
			l := m.proc.Line()
			before[m] = count{l.Hellos, l.Rewinds}
		}
	}
	rev, packs := w.hub.proc.Rev(), w.net.packs
	w.runUntil(w.now.Add(12 * time.Second))
	if w.stop() {
		return
	}
	for _, m := range w.machines {
		if m.proc == nil {
			continue
		}
		l := m.proc.Line()
		if now := (count{l.Hellos, l.Rewinds}); now != before[m] {
			w.fail("I9", zeroID, "%s says hello or rewinds at rest: %+v, then %+v", m.name, before[m], now)
		}
	}
	if w.hub.proc.Rev() != rev || w.net.packs != packs {
		w.fail("I9", zeroID, "at rest HQ's rev moved from %d to %d, and %d packs were sent", rev, w.hub.proc.Rev(), w.net.packs-packs)
	}
}

func (w *World) close() error {
	var errs []error
	for _, m := range w.machines {
		errs = append(errs, m.crash())
	}
	errs = append(errs, w.hub.crash())
	list, err := os.ReadDir(w.cfg.Dir)
	errs = append(errs, err)
	for _, e := range list {
		errs = append(errs, os.RemoveAll(filepath.Join(w.cfg.Dir, e.Name())))
	}
	return errors.Join(errs...)
}

// Scheduling.

type event struct {
	at  time.Time
	n   uint64
	run func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].n < q[j].n
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return x
}

func (w *World) at(t time.Time, run func()) {
	w.serial++
	heap.Push(&w.queue, event{t, w.serial, run})
}

func (w *World) after(d time.Duration, run func()) { w.at(w.now.Add(d), run) }

func (w *World) runUntil(t time.Time) {
	for !w.stop() && len(w.queue) > 0 && !w.queue[0].at.After(t) {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		w.count++
		e.run()
	}
	if w.now.Before(t) {
		w.now = t
	}
}

// upTo is a random duration below d.
func (w *World) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

func (w *World) between(a, b time.Duration) time.Duration { return a + w.upTo(b-a+1) }

func (w *World) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// broke notes that the rig failed, which is nobody's invariant.
func (w *World) broke(err error) {
	if err != nil && w.broken == nil {
		w.broken = err
	}
}

var zeroID schema.RecordID

// trace is the last things that happened.
type trace struct {
	lines []line
	sum   schema.Hash
}

type line struct {
	at     time.Time
	record schema.RecordID
	text   string
}

const (
	traceKept  = 4000
	traceShown = 80
)

// note writes a line about a record, or about all of them.
func (w *World) note(id schema.RecordID, format string, args ...any) {
	t := &w.trace
	if len(t.lines) >= 2*traceKept {
		t.lines = append(t.lines[:0], t.lines[traceKept:]...)
	}
	text := fmt.Sprintf(format, args...)
	t.lines = append(t.lines, line{w.now, id, text})
	t.sum = schema.NextChain(t.sum, sha256.Sum256(fmt.Appendf(nil, "%d %s", w.now.UnixNano(), text)))
}

// fail notes the first broken invariant, with the last events around the record.
func (w *World) fail(invariant string, id schema.RecordID, format string, args ...any) {
	if w.failed != nil {
		return
	}
	f := &Failure{Seed: w.cfg.Seed, Invariant: invariant, Text: fmt.Sprintf(format, args...)}
	for i := len(w.trace.lines) - 1; i >= 0 && len(f.Trace) < traceShown; i-- {
		l := w.trace.lines[i]
		if l.record == id || l.record == zeroID {
			f.Trace = append(f.Trace, fmt.Sprintf("  %8.3fs %s", l.at.Sub(epochStart).Seconds(), l.text))
		}
	}
	for i, j := 0, len(f.Trace)-1; i < j; i, j = i+1, j-1 {
		f.Trace[i], f.Trace[j] = f.Trace[j], f.Trace[i]
	}
	w.failed = f
}
