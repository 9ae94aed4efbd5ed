package sim

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"branchline/schema"
)

// machine is a computer of a branch: a folder, a clock, at times a process and a link.
type machine struct {
	w        *World
	name     string
	code     schema.BranchID
	entity   schema.EntityID
	dir      string
	clone    bool // made from another's folder, or replaced
	replaced bool // another machine with another key is the branch
	gone     bool // put away for good
	put      bool // put away for now

	proc    Branch
	bootID  []byte
	boots   int
	skew    time.Duration // of the machine's clock
	stood   time.Duration // the same when the process began: what its timers count on from
	link    *wire         // nil: none
	cutTill time.Time
	tickAt  time.Time
	ticking bool

	log     []Logged                 // of the folder when the process ended
	names   map[schema.ChangeID]bool // what it told of beside, if it had forgotten changes
	logged  known                    // what the folder's log ever had
	forgot  schema.Seq               // how much it was seen to have forgotten
	copies  []folder
	moving  bool // the cursor may go back: a copy was put in place, or the branch is two machines
	seen    cursorSeen
	touched []schema.RecordID // records with own edits, the last at the end
}

// folder is a copy of a machine's folder.
type folder struct {
	dir     string
	at      time.Time
	log     []Logged
	names   map[schema.ChangeID]bool
	logged  known
	touched []schema.RecordID
}

// wire is one link, from its standing up to its fall.
type wire struct {
	m      *machine
	key    string // with which it was opened
	fallen bool
	roads  map[lane]*road
	asks   map[uint64]bool
}

func (x *wire) road(l lane) *road {
	r := x.roads[l]
	if r == nil {
		r = &road{}
		x.roads[l] = r
	}
	return r
}

var errLink = errors.New("no link")

// start begins the first process.
func (m *machine) start() { m.boot() }

// turn gives a machine that was put away its turn.
func (m *machine) turn() {
	m.put = false
	m.boot()
}

// boot starts a process if none runs and the machine is not put away.
func (m *machine) boot() {
	w := m.w
	if m.proc != nil || m.gone || m.put || w.stop() {
		return
	}
	m.boots++
	m.bootID = []byte(fmt.Sprintf("%s-%06d", m.name, m.boots))
	m.stood = m.skew
	n := m.boots
	p, err := w.cfg.Rig.OpenBranch(m.dir, m.code, m.bootID, w.ground(func() time.Time { return w.now.Add(m.skew) }), &line1{m, n})
	if err != nil {
		w.broke(fmt.Errorf("open %s: %w", m.name, err))
		return
	}
	m.proc = p
	m.reconnect()
	m.tick()
}

// crash ends the process between two steps.
func (m *machine) crash() error {
	if m.proc == nil {
		return nil
	}
	var err error
	if m.w.broken == nil {
		m.log, err = m.proc.Log()
		if err == nil {
			m.names, err = m.keeps()
		}
	}
	err = errors.Join(err, m.proc.Crash())
	m.proc = nil
	m.fall()
	return err
}

// keeps is what the database tells of own edits beside its log, if that is not all.
func (m *machine) keeps() (map[schema.ChangeID]bool, error) {
	if m.proc.Line().Cut == 0 {
		return nil, nil
	}
	names, err := m.proc.Keeps()
	if err != nil {
		return nil, err
	}
	for _, e := range m.w.audit.order {
		// What came by the feed, and never was in this log, is offered to nobody.
		if names[e.name] && !m.logged.has(e) {
			delete(names, e.name)
		}
	}
	return names, nil
}

// stop puts the machine away for now.
func (m *machine) stop() {
	m.w.broke(m.crash())
	m.put = true
}

// here is the time that the process's own timers see.
func (m *machine) here() time.Time { return m.w.now.Add(m.stood) }

// call is one step of the process.
func (m *machine) call(f func(p Branch)) {
	if m.proc == nil {
		return
	}
	f(m.proc)
	m.tick()
}

// tick does what the driver does after every input.
func (m *machine) tick() {
	if m.proc == nil {
		return
	}
	next := m.proc.Tick(m.here())
	if m.proc.Stalled(m.here()) {
		m.w.note(zeroID, "%s: the link is silent, built anew", m.name)
		m.fall()
		m.reconnect()
	}
	look := m.w.now.Add(2 * time.Second)
	if !next.IsZero() {
		if t := next.Add(-m.stood); t.Before(look) {
			look = t
		}
	}
	if !look.After(m.w.now) {
		look = m.w.now.Add(time.Microsecond)
	}
	if m.ticking && !look.Before(m.tickAt) {
		return
	}
	m.ticking, m.tickAt = true, look
	m.w.at(look, func() {
		if !m.ticking || !m.tickAt.Equal(look) {
			return
		}
		m.ticking = false
		m.tick()
	})
}

// reconnect tries until the link stands.
func (m *machine) reconnect() {
	w, boots := m.w, m.boots
	w.after(w.between(50*time.Millisecond, 300*time.Millisecond), func() {
		if m.proc == nil || m.link != nil || m.boots != boots {
			return
		}
		if w.hub.proc == nil || w.now.Before(m.cutTill) && !w.end {
			m.reconnect()
			return
		}
		m.link = &wire{m: m, key: m.proc.Key(), roads: map[lane]*road{}, asks: map[uint64]bool{}}
		m.call(func(p Branch) { p.LinkUp(m.here()) })
	})
}

// fall ends the link, if one stands. What is under way to the branch is lost; of
// what is under way to HQ some may still arrive.
func (m *machine) fall() {
	if m.link == nil {
		return
	}
	m.link.fallen = true
	m.link = nil
	if m.proc != nil {
		m.proc.LinkDown(m.here())
	}
}

// cut breaks the link for a while.
func (m *machine) cut(d time.Duration) {
	m.cutTill = m.w.now.Add(d)
	if m.link != nil {
		m.fall()
		m.tick()
		m.reconnect()
	}
}

// line1 is the road of one process.
type line1 struct {
	m     *machine
	boots int
}

// Pack implements Road.
func (l *line1) Pack(token uint64, pack []byte) error {
	m, w := l.m, l.m.w
	x := m.link
	if x == nil || m.boots != l.boots {
		return errLink
	}
	w.audit.signed(m.code, pack)
	w.net.packs++
	w.net.send(lanePack, x.road(lanePack), true, func() {
		if x.fallen && w.chance(0.6) {
			return
		}
		if w.hub.proc == nil {
			return
		}
		seq, err := w.up.put(m.code, pack)
		stream := w.up.id
		w.hub.wake()
		w.net.send(laneDoor, x.road(laneDoor), true, func() {
			if x.fallen || m.boots != l.boots {
				return
			}
			m.call(func(p Branch) { p.OnDoor(m.here(), token, stream, seq, err) })
		})
	})
	return nil
}

// askLimit is how long a request waits for its answer.
const askLimit = 65 * time.Second

// Ask implements Road.
func (l *line1) Ask(id uint64, verb string, req []byte) error {
	m, w := l.m, l.m.w
	x := m.link
	if x == nil || m.boots != l.boots {
		return errLink
	}
	x.asks[id] = true
	answer := func(b []byte, err error) {
		if x.fallen || m.boots != l.boots || !x.asks[id] {
			return
		}
		delete(x.asks, id)
		m.call(func(p Branch) { p.OnAnswer(m.here(), id, b, err) })
		if verb != "beat" {
			w.audit.stepped(m)
		}
	}
	counted := verb != "beat"
	w.net.send(laneRequest, x.road(laneRequest), counted, func() {
		if x.fallen && w.chance(0.6) || w.hub.proc == nil {
			return
		}
		w.hub.ask(x, verb, req, func(b []byte, err error) {
			w.net.send(laneReply, x.road(laneReply), counted, func() { answer(b, err) })
		})
	})
	w.after(askLimit, func() { answer(nil, errors.New("no answer in time")) })
	return nil
}

// word is something HQ said on a subject of the branch: all its links hear it.
func (w *World) word(l lane, to schema.BranchID, counted bool, deliver func(m *machine)) {
	for _, m := range w.machines {
		x := m.link
		if m.code != to || x == nil {
			continue
		}
		w.net.send(l, x.road(l), counted, func() {
			if !x.fallen {
				deliver(m)
			}
		})
	}
}

func (m *machine) lastSeq() schema.Seq {
	if m.proc == nil {
		return 0
	}
	log, err := m.proc.Log()
	m.w.broke(err)
	inc := m.proc.Line().Incarnation
	last := schema.Seq(0)
	for _, c := range log {
		if c.ID.Inc == inc {
			last = max(last, c.ID.Seq)
		}
	}
	return last
}

func (m *machine) atRest() bool {
	if m.proc == nil {
		return false
	}
	l := m.proc.Line()
	if m.replaced {
		return l.Salvage && l.Mark == m.lastSeq()
	}
	return l.Open && l.Full && !l.FullPass && l.Cursor == m.w.hub.proc.Rev() && l.Mark == m.lastSeq()
}

// snapshot copies one folder, or HQ's, for a later fault to put back.
func (w *World) snapshot() {
	if w.stop() || w.end {
		return
	}
	if w.chance(0.4) {
		w.hub.copy()
		return
	}
	m := w.machines[w.rng.IntN(len(w.machines))]
	if m.proc == nil || m.replaced {
		return
	}
	log, err := m.proc.Log()
	w.broke(err)
	names, err := m.keeps()
	w.broke(err)
	f := folder{dir: fmt.Sprintf("%s.copy%d", m.dir, w.serial), at: w.now, log: log, names: names, logged: m.logged.clone(), touched: append([]schema.RecordID(nil), m.touched...)}
	w.broke(copyDir(m.dir, f.dir, nil))
	m.copies = append(m.copies, f)
	w.note(zeroID, "%s: folder copied", m.name)
}

// copyDir copies the files of a folder but those named, which are left as they
// are. SQLite's shared memory is made anew by whoever opens the copy.
func copyDir(from, to string, but []string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	keep := func(name string) bool {
		for _, b := range but {
			if name == b {
				return true
			}
		}
		return false
	}
	old, err := os.ReadDir(to)
	if err != nil {
		return err
	}
	for _, e := range old {
		if keep(e.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	list, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.IsDir() || strings.HasSuffix(e.Name(), "-shm") || keep(e.Name()) {
			continue
		}
		if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(err, src.Close())
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, src.Close(), dst.Close())
}
