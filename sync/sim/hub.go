package sim

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// hub is headquarters' machine: its process, and what the bus and the postman do
// around it.
type hub struct {
	w      *World
	dir    string
	ground Ground
	skew   time.Duration
	proc   HQ
	opens  int
	copies []hqCopy
	backed bool // it took a backup once
	waking bool
	// slowTill: packs are not worked off before.
	slowTill time.Time
	after    bool // the next commit is followed by a kill before anything is said
	beats    uint64
	probes   []*probe
	down     bool // ends by itself at healing at the latest
}

type hqCopy struct {
	dir string
	up  up
}

// probe is a hello that waits to hear whether another machine is the same branch.
type probe struct {
	code schema.BranchID
	boot string
	done bool
	say  func(other bool)
}

func (h *hub) open() {
	w := h.w
	if h.proc != nil || w.stop() {
		return
	}
	h.opens++
	p, err := w.cfg.Rig.OpenHQ(h.dir, h.ground)
	if err != nil {
		w.broke(fmt.Errorf("open headquarters: %w", err))
		return
	}
	h.proc, h.down = p, false
	p.Stream(w.up.id)
	w.audit.hqOpened(w)
	w.up.unhand()
	h.wake()
	w.note(zeroID, "HQ runs, epoch %s, rev %d", p.Epoch(), p.Rev())
}

// ensure has HQ run.
func (h *hub) ensure() { h.open() }

func (h *hub) crash() error {
	if h.proc == nil {
		return nil
	}
	err := h.proc.Crash()
	h.proc, h.after = nil, false
	for _, m := range h.w.machines {
		if m.link != nil {
			m.fall()
			m.tick()
			m.reconnect()
		}
	}
	h.probes = nil
	return err
}

// kill ends the process; it comes back after d.
func (h *hub) kill(d time.Duration) {
	h.w.broke(h.crash())
	h.down = true
	h.w.after(d, func() { h.open() })
}

// wake has packs that wait worked on soon.
func (h *hub) wake() {
	if h.waking || h.proc == nil {
		return
	}
	h.waking = true
	soon := h.w.between(200*time.Microsecond, 4*time.Millisecond)
	if h.w.chance(0.03) && h.w.allowed(SlowHQ) {
		h.w.faults[SlowHQ]++
		soon = h.w.between(100*time.Millisecond, 8*time.Second)
	}
	if t := h.slowTill.Sub(h.w.now); t > soon {
		soon = t
	}
	h.w.after(soon, func() {
		h.waking = false
		if h.proc == nil {
			return
		}
		if err := h.work(1+h.w.rng.IntN(64), func(*upPack) bool { return true }); err != nil {
			h.w.note(zeroID, "HQ: packs stay: %v", err)
			h.w.after(time.Second, h.wake)
		}
		if h.w.up.waiting() {
			h.wake()
		}
	})
}

// work has HQ work packs off.
func (h *hub) work(most int, only func(*upPack) bool) error {
	w := h.w
	batch := w.up.hand(most, only)
	if len(batch) == 0 {
		return nil
	}
	words, err := h.proc.Work(batch)
	if h.after {
		// Killed after the commit: nobody is told, and nothing was acked.
		h.after = false
		w.faults[CrashHQCommitted]++
		w.note(zeroID, "HQ is killed after a commit")
		h.kill(w.between(100*time.Millisecond, 3*time.Second))
		return nil
	}
	w.up.settle()
	slices.SortStableFunc(words, func(a, b Word) int {
		if a.To != b.To {
			return slices.Compare([]byte(a.To), []byte(b.To))
		}
		return slices.Compare(a.Data, b.Data)
	})
	for _, x := range words {
		h.receipt(x)
	}
	h.settleSoon()
	return err
}

func (h *hub) receipt(x Word) {
	h.w.audit.receipt(x)
	h.w.word(laneAck, x.To, true, func(m *machine) {
		m.call(func(p Branch) { p.OnReceipt(m.here(), x.Data) })
		h.w.audit.stepped(m)
	})
}

// settleSoon has the work behind the line done and the branches poked.
func (h *hub) settleSoon() {
	h.w.after(h.w.between(500*time.Microsecond, 5*time.Millisecond), func() {
		if h.proc == nil {
			return
		}
		list, err := h.proc.Settle()
		if err != nil {
			h.w.broke(fmt.Errorf("HQ, behind the line: %w", err))
			return
		}
		slices.Sort(list)
		for _, b := range list {
			p, err := h.proc.Poke(b)
			if err != nil {
				h.w.broke(fmt.Errorf("HQ, poke for %s: %w", b, err))
				return
			}
			h.poke(b, p, true)
		}
	})
}

func (h *hub) poke(b schema.BranchID, p *wirev1.Poke, counted bool) {
	data, err := proto.Marshal(p)
	if err != nil {
		h.w.broke(err)
		return
	}
	h.w.word(lanePoke, b, counted, func(m *machine) {
		m.call(func(x Branch) { x.OnPoke(m.here(), data) })
		if len(p.GetPage()) > 0 {
			h.w.audit.stepped(m)
		}
	})
}

// beat is HQ's heartbeat, to every link.
func (h *hub) beat() {
	h.w.after(2*time.Second, func() {
		h.beat()
		if h.proc == nil {
			return
		}
		h.beats++
		told := map[schema.BranchID]bool{}
		for _, m := range h.w.machines {
			if m.link != nil && !told[m.code] {
				told[m.code] = true
				h.poke(m.code, &wirev1.Poke{Epoch: int64(h.proc.Epoch()), Beat: h.beats}, false)
			}
		}
	})
}

// ask is a request that has arrived.
func (h *hub) ask(x *wire, verb string, data []byte, answer func([]byte, error)) {
	w, code, opens, key := h.w, x.m.code, h.opens, x.key
	serve := func(other bool) {
		if h.proc == nil || h.opens != opens {
			return
		}
		if verb == "hello" {
			if err := h.proc.BeforeHello(func() error { return h.drain(code) }); err != nil {
				if h.proc != nil {
					answer(nil, err)
				}
				return
			}
		}
		b, err := h.proc.Ask(Request{Branch: code, Key: key, Verb: verb, Data: data, OtherBoot: other})
		if err != nil && verb != "pull" {
			w.note(zeroID, "HQ refuses %s of %s: %v", verb, x.m.name, err)
		}
		if verb == "hello" {
			if err == nil {
				w.noteHello(x.m, b)
				w.audit.verdict(w, x.m, b)
			}
			h.settleSoon()
		}
		if h.after && verb == "hello" {
			h.after = false
			w.faults[CrashHQCommitted]++
			w.note(zeroID, "HQ is killed after a hello")
			h.kill(w.between(100*time.Millisecond, 3*time.Second))
			return
		}
		answer(b, err)
	}
	switch verb {
	case "hello":
		req := new(wirev1.HelloRequest)
		if err := proto.Unmarshal(data, req); err != nil {
			answer(nil, err)
			return
		}
		h.askOthers(x, string(req.GetBoot()), serve)
		return
	case "beat":
		b := new(wirev1.Beat)
		if proto.Unmarshal(data, b) == nil {
			if !x.m.replaced {
				h.heard(code, string(b.GetBoot()))
			}
		}
	}
	serve(false)
}

// drain works off what stands in UP of a branch.
func (h *hub) drain(code schema.BranchID) error {
	for n := 0; h.proc != nil; n++ {
		if h.w.up.pendingOf(code) == 0 {
			return nil
		}
		if n > 2*upPacks {
			return errors.New("packs of the branch stay in UP")
		}
		if err := h.work(64, func(*upPack) bool { return true }); err != nil {
			return err
		}
	}
	return errLink
}

func (u *up) pendingOf(b schema.BranchID) int {
	n := 0
	for _, p := range u.packs {
		if p.Branch == b && (p.out.IsZero() || u.w.now.Sub(p.out) >= ackWait) {
			n++
		}
	}
	return n
}

// askOthers probes for another run of the branch's program than the one that says
// hello, on another machine or, when the hello comes late, on its own: at once when
// no link of such a run stands, else within two seconds.
func (h *hub) askOthers(x *wire, boot string, say func(other bool)) {
	w := h.w
	others := false
	for _, m := range w.machines {
		others = others || m.code == x.m.code && m.link != nil && !m.replaced && string(m.bootID) != boot
	}
	if !others {
		say(false)
		return
	}
	p := &probe{code: x.m.code, boot: boot}
	p.say = func(other bool) {
		if !p.done {
			p.done = true
			h.probes = slices.DeleteFunc(h.probes, func(q *probe) bool { return q == p })
			w.note(zeroID, "HQ asked whether another machine is %s: %v", p.code, other)
			say(other)
		}
	}
	h.probes = append(h.probes, p)
	h.beats++
	h.poke(p.code, &wirev1.Poke{Epoch: int64(h.proc.Epoch()), Beat: h.beats, Probe: true}, true)
	w.after(2*time.Second, func() { p.say(false) })
}

func (h *hub) heard(b schema.BranchID, boot string) {
	for _, p := range slices.Clone(h.probes) {
		if p.code == b && p.boot != boot {
			p.say(true)
		}
	}
}

func (w *World) noteHello(m *machine, raw []byte) {
	r := new(wirev1.HelloReply)
	if proto.Unmarshal(raw, r) != nil {
		return
	}
	if len(r.GetAsk()) > 0 || len(r.GetLedgerWant()) > 0 {
		w.note(zeroID, "hello of %s: HQ asks back %d hashes, %d ledger entries", m.name, len(r.GetAsk()), len(r.GetLedgerWant()))
		return
	}
	text := ""
	if l := r.GetLives(); len(l) > 0 && l[0].GetResume() == wirev1.Resume_REFUSE {
		w.after(w.between(time.Second, 10*time.Second), func() { w.letIn(m) })
	}
	for _, l := range r.GetLives() {
		if l.GetResume() == wirev1.Resume_REBUILD {
			w.faults[Rebuild]++
		}
		text += fmt.Sprintf(" %s %s from %d", schema.Incarnation(l.GetIncarnation()), l.GetResume(), l.GetFrom())
		if l.GetNewIncarnation() != 0 {
			text += fmt.Sprintf(" new %s", schema.Incarnation(l.GetNewIncarnation()))
		}
	}
	w.note(zeroID, "hello of %s: %s %s%s full=%v cursor=%d %s", m.name, r.GetGate(), r.GetLine(), text, r.GetFullPass(), r.GetCursor().GetRev(), r.GetReason())
}

// copy keeps a copy of HQ's folder and of what stands in UP.
func (h *hub) copy() {
	w := h.w
	if h.proc == nil {
		return
	}
	c := hqCopy{dir: fmt.Sprintf("%s.copy%d", h.dir, w.serial), up: w.up}
	c.up.packs = nil
	for _, p := range w.up.packs {
		q := *p
		c.up.packs = append(c.up.packs, &q)
	}
	w.broke(copyDir(h.dir, c.dir, nil))
	h.copies = append(h.copies, c)
	w.note(zeroID, "HQ: folder copied at rev %d", h.proc.Rev())
}

// restore puts an older copy in HQ's place and tells nobody. What stands in UP is
// as it was, gone, or as old as the copy; the ledger is the present one or the old.
func (h *hub) restore() {
	w := h.w
	if len(h.copies) == 0 {
		return // burnt since
	}
	c := h.copies[w.rng.IntN(len(h.copies))]
	if w.chance(0.4) {
		c = h.copies[0]
	}
	w.broke(h.crash())
	if w.stop() {
		return
	}
	var keep []string
	if w.chance(0.5) {
		keep = w.cfg.Rig.HQKeeps()
	}
	w.broke(copyDir(c.dir, h.dir, keep))
	what := w.rng.IntN(3)
	switch what {
	case 1:
		w.up.anew()
	case 2:
		w.up = c.up
		w.up.packs = nil
		for _, p := range c.up.packs {
			q := *p
			w.up.packs = append(w.up.packs, &q)
		}
	}
	w.note(zeroID, "HQ: the copy %s is put back, ledger kept=%v, UP %s", filepath.Base(c.dir), keep != nil, []string{"stays", "is anew", "is as old"}[what])
	w.audit.hqRestored()
	h.down = true
	w.after(w.between(50*time.Millisecond, 2*time.Second), func() {
		h.open()
		w.audit.lost(w)
	})
}
