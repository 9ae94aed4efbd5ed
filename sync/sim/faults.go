package sim

import (
	"fmt"
	"time"

	"branchline/schema"
)

// What happens to machines, disks, clocks and UP.
const (
	Cut              Fault = "cut link"
	CrashBranch      Fault = "crash branch"
	CrashHQ          Fault = "crash hq"
	CrashHQCommitted Fault = "crash hq after commit"
	DeleteUp         Fault = "delete up"
	FullUp           Fault = "up full"
	RestoreHQ        Fault = "restore hq"
	RestoreBranch    Fault = "restore branch"
	CloneBranch      Fault = "clone branch"
	Skew             Fault = "clock skew"
	Forge            Fault = "forge pack"
	SlowHQ           Fault = "hq slow"
)

// Faults are all there are; a batch must have seen every one fire (I10).
func Faults() []Fault {
	out := []Fault{Cut, CrashBranch, CrashHQ, CrashHQCommitted, DeleteUp, FullUp, RestoreHQ, RestoreBranch, CloneBranch, Skew, Forge, SlowHQ, Forget, Rebuild, LoseHQ, Across, Replace}
	for _, l := range lanes {
		for _, what := range []string{drop, delay, double, reorder} {
			out = append(out, Fault(what+" "+string(l)))
		}
	}
	return out
}

func (w *World) allowed(f Fault) bool {
	if w.end {
		return false
	}
	if w.cfg.Only == nil {
		return true
	}
	for _, o := range w.cfg.Only {
		if o == f {
			return true
		}
	}
	return false
}

// hurt does one thing to the world.
func (w *World) hurt() {
	if w.stop() || w.end {
		return
	}
	m := w.machines[w.rng.IntN(len(w.machines))]
	type act struct {
		f      Fault
		weight int
		can    bool
		do     func()
	}
	list := []act{
		{Cut, 6, m.proc != nil, func() {
			d := w.between(100*time.Millisecond, 20*time.Second)
			w.note(zeroID, "%s: link cut for %s", m.name, d.Round(time.Millisecond))
			m.cut(d)
		}},
		{CrashBranch, 4, m.proc != nil, func() {
			w.note(zeroID, "%s: killed", m.name)
			w.broke(m.crash())
			w.after(w.between(50*time.Millisecond, 5*time.Second), m.boot)
		}},
		{CrashHQ, 3, w.hub.proc != nil, func() {
			w.note(zeroID, "HQ is killed")
			w.hub.kill(w.between(50*time.Millisecond, 5*time.Second))
		}},
		{CrashHQCommitted, 2, w.hub.proc != nil && w.allowed(CrashHQCommitted), func() { w.hub.after = true }},
		{DeleteUp, 3, true, func() {
			w.note(zeroID, "UP is deleted with %d packs", len(w.up.packs))
			w.up.anew()
		}},
		{RestoreHQ, 2, w.hub.proc != nil && len(w.hub.copies) > 0, func() { w.hub.restore() }},
		{RestoreBranch, 3, len(m.copies) > 0, func() { m.dies() }},
		{CloneBranch, 2, m.proc != nil && !m.clone && len(m.copies) > 0 && len(w.machines) < 6, func() { m.double() }},
		{Skew, 2, true, func() { w.skew(m) }},
		{FullUp, 1, m.proc != nil && w.hub.proc != nil, func() { w.fill(m) }},
		{Forge, 2, m.proc != nil && w.hub.proc != nil, func() { w.forge(m) }},
	}
	total := 0
	for _, a := range list {
		if a.can && w.allowed(a.f) {
			total += a.weight
		}
	}
	if total == 0 {
		return
	}
	n := w.rng.IntN(total)
	for _, a := range list {
		if !a.can || !w.allowed(a.f) {
			continue
		}
		if n -= a.weight; n < 0 {
			if a.f != CrashHQCommitted && a.f != FullUp {
				w.faults[a.f]++
			}
			a.do()
			return
		}
	}
}

// dies puts an older copy in the folder's place, at times while HQ is slow and the
// last edits stand at its door.
func (m *machine) dies() {
	w := m.w
	if m.proc == nil || !w.allowed(SlowHQ) || !w.chance(0.4) {
		m.restore()
		return
	}
	w.faults[SlowHQ]++
	w.hub.slowTill = w.now.Add(w.between(300*time.Millisecond, 5*time.Second))
	w.people.write(m)
	w.people.write(m)
	w.after(w.between(5*time.Millisecond, 60*time.Millisecond), func() {
		if !w.end {
			m.restore()
		}
	})
}

// restore puts an older copy in the folder's place. Mostly nobody says so.
func (m *machine) restore() {
	w := m.w
	if len(m.copies) == 0 {
		return // they open no door any more
	}
	c := m.copies[w.rng.IntN(len(m.copies))]
	w.broke(m.crash())
	if w.stop() {
		return
	}
	w.broke(copyDir(c.dir, m.dir, nil))
	m.log, m.names, m.logged, m.forgot, m.moving = c.log, c.names, c.logged.clone(), 0, true
	m.touched = append([]schema.RecordID(nil), c.touched...)
	said := w.chance(0.3)
	w.note(zeroID, "%s: the copy of %.3fs is put back, said=%v", m.name, c.at.Sub(epochStart).Seconds(), said)
	w.audit.lost(w)
	if w.chance(0.3) && len(w.hub.copies) > 0 && w.allowed(RestoreHQ) {
		// Both sides put back: what only one of them had is the other's to give.
		w.after(w.between(4*time.Second, 20*time.Second), func() {
			if !w.end && w.hub.proc != nil {
				w.faults[RestoreHQ]++
				w.hub.restore()
			}
		})
	}
	w.after(w.between(50*time.Millisecond, 3*time.Second), func() {
		down := m.proc == nil
		m.boot()
		if said && down && m.proc != nil {
			w.broke(m.proc.SayRestored())
		}
	})
}

// double makes a second machine of a branch from a copy of its folder.
func (m *machine) double() {
	w := m.w
	c := m.copies[w.rng.IntN(len(m.copies))]
	n := 0
	for _, x := range w.machines {
		if x.code == m.code {
			n++
		}
	}
	d := &machine{
		w: w, name: fmt.Sprintf("%s'%d", m.code, n), code: m.code, entity: m.entity, dir: fmt.Sprintf("%s.clone%d", m.dir, n), clone: true,
		touched: append([]schema.RecordID(nil), c.touched...), moving: true, logged: c.logged.clone(),
	}
	m.moving = true
	w.broke(copyDir(c.dir, d.dir, nil))
	if w.stop() {
		return
	}
	w.note(zeroID, "%s: made from the copy of %s of %.3fs", d.name, m.name, c.at.Sub(epochStart).Seconds())
	w.machines = append(w.machines, d)
	d.boot()
}

// skew sets a machine's clock wrong, or right again.
func (w *World) skew(m *machine) {
	year := 365 * 24 * time.Hour
	d := []time.Duration{0, -7 * time.Minute, 7 * time.Minute, -year, year, year}[w.rng.IntN(6)]
	if w.chance(0.1) {
		w.hub.skew = d
		w.note(zeroID, "HQ's clock is off by %s", d)
		return
	}
	m.skew = d
	w.note(zeroID, "%s: clock off by %s", m.name, d)
}

// fill has a burst of small packs meet an HQ that works none off for a while, so
// that UP has no room for the branch.
func (w *World) fill(m *machine) {
	n := 0
	for _, p := range w.up.packs {
		if p.Branch == m.code {
			n++
		}
	}
	junk := []byte("no pack")
	for ; n < upPacks; n++ {
		if _, err := w.up.put(m.code, junk); err != nil {
			break
		}
	}
	w.note(zeroID, "%s: UP has no room", m.name)
	w.people.write(m)
	w.after(w.between(time.Millisecond, 200*time.Millisecond), w.hub.wake)
}

// forge has a branch sign a pack of another's changes and send it on its own road
// and on the other's.
func (w *World) forge(m *machine) {
	v := w.machines[w.rng.IntN(len(w.machines))]
	if v.code == m.code || v.proc == nil {
		return
	}
	log, err := v.proc.Log()
	w.broke(err)
	inc := v.proc.Line().Incarnation
	var after schema.Seq
	var chain schema.Hash
	for _, c := range log {
		if c.ID.Inc == inc {
			after, chain = c.ID.Seq, c.Chain
		}
	}
	pack, err := w.cfg.Rig.Forge(m.dir, m.code, v.code, inc, after, chain)
	if err != nil {
		w.broke(fmt.Errorf("forge: %w", err))
		return
	}
	w.note(zeroID, "%s forges a pack of %s", m.name, v.name)
	for _, b := range []schema.BranchID{m.code, v.code} {
		if _, err := w.up.put(b, pack); err == nil {
			w.hub.wake()
		}
	}
}
