package sim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"branchline/schema"
)

// What happens seldom at a group, and to whole runs here: it is drawn from a stream
// of chance of its own, so that runs without it are as they were.
const (
	// Forget: a branch forgot changes that headquarters' backups hold.
	Forget Fault = "branch forgets"
	// Rebuild: headquarters was put back to before what a branch had forgotten.
	Rebuild Fault = "rebuild"
	// LoseHQ: headquarters' folder, keys and backups are gone; a new one adopts the branches.
	LoseHQ Fault = "headquarters lost"
	// Across: a record's home went to another legal entity.
	Across Fault = "home across companies"
	// Replace: a branch got a new machine, and the one before comes back with what it had not sent.
	Replace Fault = "machine replaced"
)

// planRare lays out what happens seldom: in four runs of ten nothing of it.
func (w *World) planRare() {
	kind := w.rare.IntN(10)
	at := func(from, to float64, f func()) {
		d := time.Duration((from + w.rare.Float64()*(to-from)) * float64(w.shape.Span))
		w.after(d, func() {
			if !w.end && !w.stop() {
				f()
			}
		})
	}
	if (kind == 4 || kind == 5 || kind == 9) && w.allowed(Across) {
		for range 6 {
			at(0.1, 1, w.people.across)
		}
	}
	if kind >= 6 && kind != 8 && w.allowed(Forget) {
		at(0.02, 0.15, w.hub.copy)
		at(0.2, 0.5, w.hub.backUp)
		at(0.5, 0.8, w.hub.backUp)
		at(0.6, 1, func() {
			if w.allowed(RestoreHQ) && w.hub.proc != nil && len(w.hub.copies) > 0 {
				w.faults[RestoreHQ]++
				w.hub.restore()
			}
		})
	}
	if (kind == 8 || kind == 9) && w.allowed(LoseHQ) {
		at(0.3, 0.95, w.loseHQ)
	}
	// Not where branches forget: what only a replaced machine could offer anew, after headquarters
	// was put back to before it, nobody asks it for.
	if turn := rand.New(rand.NewPCG(w.cfg.Seed, 0x7475726e0a)); (kind < 6 || kind == 8) && turn.IntN(4) == 0 && w.allowed(Replace) {
		w.after(time.Duration((0.2+0.7*turn.Float64())*float64(w.shape.Span)), func() {
			if !w.end && !w.stop() {
				w.replace(w.machines[turn.IntN(len(w.machines))], turn)
			}
		})
	}
}

// replace has a branch go on with a new machine while the old one is down with all
// it had. Nobody puts the old one back in its place: copies of it open no door.
func (w *World) replace(m *machine, turn *rand.Rand) {
	if w.hub.proc == nil || m.proc == nil || m.moving || w.hasTwin(m) || !m.proc.Line().Open {
		return
	}
	for range turn.IntN(4) {
		w.people.write(m)
	}
	w.faults[Replace]++
	w.note(zeroID, "%s gets a new machine", m.name)
	w.broke(m.crash())
	old := &machine{
		w: w, name: m.name + " before", code: m.code, entity: m.entity, dir: m.dir, clone: true, replaced: true, put: true, boots: 1 << 16, skew: m.skew,
		log: m.log, names: m.names, logged: m.logged, forgot: m.forgot, seen: m.seen, touched: m.touched,
	}
	m.dir += ".new"
	m.log, m.names, m.logged, m.forgot, m.seen, m.touched, m.copies, m.moving = nil, nil, newKnown(), 0, cursorSeen{}, nil, nil, true
	w.hub.copies = nil
	if w.stop() {
		return
	}
	w.broke(os.MkdirAll(m.dir, 0o700))
	w.broke(w.cfg.Rig.Replace(Founding{Branch: m.code, Entity: m.entity, Dir: m.dir}, w.hub.ground))
	w.machines = append(w.machines, old)
	w.hub.settleSoon()
	w.after(w.between(50*time.Millisecond, 5*time.Second), m.boot)
	if turn.IntN(2) == 0 { // somebody switches the old one on again
		w.after(w.between(50*time.Millisecond, 20*time.Second), func() {
			if !w.end {
				old.turn()
			}
		})
	}
}

// backUp has HQ take a backup, as the command does: below its watermarks branches
// may forget from now on.
func (h *hub) backUp() {
	if h.proc == nil {
		return
	}
	h.copy()
	if err := h.proc.BackedUp(); err != nil {
		h.w.broke(fmt.Errorf("back up: %w", err))
		return
	}
	h.backed = true
	h.w.note(zeroID, "HQ: backed up")
}

// across has somebody give the home of a record away to another company.
func (p *people) across() {
	w := p.w
	m := w.machines[w.rare.IntN(len(w.machines))]
	if m.proc == nil {
		return
	}
	page := p.find(m, []schema.Kind{schema.Customer, schema.Vehicle, schema.ServiceOrder}[w.rare.IntN(3)])
	if page == nil || page.GetHome() != string(m.code) {
		return
	}
	for _, i := range w.rare.Perm(len(w.machines)) {
		if o := w.machines[i]; o.entity != m.entity {
			id := recordOf(page)
			k, body, err := schema.BodyOf(page)
			if err != nil {
				w.broke(err)
				return
			}
			w.faults[Across]++
			w.audit.across++
			p.put(m, Edit{Kind: k.Kind, ID: id, Message: body, Etag: page.GetEtag(), Home: o.code})
			return
		}
	}
}

// loseHQ has headquarters burn down. People set up a new one, with other keys, and
// let every branch enrol again; copies of before open no door any more.
func (w *World) loseHQ() {
	for _, m := range w.machines {
		if m.clone {
			return // which of two machines goes on would be a person's choice
		}
	}
	w.faults[LoseHQ]++
	w.note(zeroID, "HQ is lost, all branches enrol at a new one")
	w.broke(w.hub.crash())
	var list []Founding
	for _, m := range w.machines {
		w.broke(m.crash())
		m.copies, m.moving = nil, true
		list = append(list, Founding{Branch: m.code, Entity: m.entity, Dir: m.dir})
	}
	w.hub.copies = nil
	w.up.anew()
	if w.stop() {
		return
	}
	w.broke(w.cfg.Rig.FoundAnew(w.hub.dir, list, w.hub.ground))
	w.audit.hqRestored()
	w.hub.down = true
	w.after(w.between(50*time.Millisecond, 2*time.Second), func() {
		w.hub.open()
		w.audit.lost(w)
	})
	for _, m := range w.machines {
		w.after(w.between(50*time.Millisecond, 5*time.Second), m.boot)
	}
}

// letIn has a person open a re-enrolment for a machine that headquarters does not
// know: a copy of before it was adopted.
func (w *World) letIn(m *machine) {
	if w.hub.proc == nil || m.proc == nil || w.stop() {
		return
	}
	w.note(zeroID, "a person lets %s enrol again", m.name)
	w.broke(w.hub.proc.ReEnrol(m.code))
}
