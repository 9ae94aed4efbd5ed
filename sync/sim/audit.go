package sim

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"maps"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// audit is what the auditor remembers of a run.
type audit struct {
	// saved are the edits people were told of, by chain hash; order is theirs.
	saved map[schema.Hash]*edit
	order []*edit
	// sent are the packs each branch has ever handed to the road, by their SHA-256.
	sent map[schema.BranchID]map[[32]byte]bool
	// marks are the highest watermarks HQ has said since it was last put back.
	marks map[schema.Incarnation]schema.Seq
	// across counts records whose home went to another legal entity.
	across int
	// asked: something was lost while HQ's books could not be read.
	asked bool
	steps int
}

// edit is one acknowledged edit.
type edit struct {
	branch  schema.BranchID
	machine string
	id      schema.ChangeID
	name    schema.ChangeID // of the edit, the same wherever it comes in
	before  schema.Hash
	chain   schema.Hash
	record  schema.RecordID
	kind    schema.Kind
	// excused: at some moment no database had it any more.
	excused bool
}

func (a *audit) init() {
	a.saved, a.sent, a.marks = map[schema.Hash]*edit{}, map[schema.BranchID]map[[32]byte]bool{}, map[schema.Incarnation]schema.Seq{}
}

func (a *audit) wrote(w *World, m *machine, e Edit, s Saved) {
	if s.Change.Branch != m.code || s.Chain.IsZero() {
		w.fail("I6", s.ID, "%s saved a change as %s", m.name, s.Change)
		return
	}
	x := &edit{branch: m.code, machine: m.name, id: s.Change, name: s.Edit, before: s.Before, chain: s.Chain, record: s.ID, kind: e.Kind}
	m.logged.chains[s.Chain] = true
	a.saved[s.Chain] = x
	a.order = append(a.order, x)
}

func (a *audit) signed(b schema.BranchID, pack []byte) {
	if a.sent[b] == nil {
		a.sent[b] = map[[32]byte]bool{}
	}
	a.sent[b][sha256.Sum256(pack)] = true
}

// receipt notes what HQ says it has stored.
func (a *audit) receipt(x Word) {
	s, r := new(wirev1.Signed), new(wirev1.Receipt)
	if proto.Unmarshal(x.Data, s) != nil || proto.Unmarshal(s.GetBody(), r) != nil {
		return
	}
	inc := schema.Incarnation(r.GetIncarnation())
	a.marks[inc] = max(a.marks[inc], schema.Seq(r.GetWatermark()))
}

func (a *audit) hqRestored() { clear(a.marks) }

// hqOpened holds that HQ has stored all it ever said it had: a kill takes nothing
// of it away (I8).
func (a *audit) hqOpened(w *World) {
	if a.asked {
		a.lost(w)
	}
	if len(a.marks) == 0 {
		return
	}
	books, err := w.hub.proc.Books()
	if err != nil {
		w.broke(err)
		return
	}
	have := map[schema.Incarnation]schema.Seq{}
	for _, l := range books.Lives {
		have[l.Inc] = l.Watermark
	}
	for inc, mark := range a.marks {
		if have[inc] < mark {
			w.fail("I8", zeroID, "HQ said that it had %s up to %d; after a kill it has %d", inc, mark, have[inc])
			return
		}
	}
}

// lost excuses the edits that no database holds any more.
func (a *audit) lost(w *World) {
	if w.stop() {
		return
	}
	have := newKnown()
	for _, m := range w.machines {
		log, names := m.log, m.names
		if m.proc != nil {
			var err error
			if log, err = m.proc.Log(); err == nil {
				names, err = m.keeps()
			}
			if err != nil {
				w.broke(err)
				return
			}
		}
		if m.gone {
			continue
		}
		for _, c := range log {
			have.add(c.Sealed)
		}
		maps.Copy(have.names, names)
	}
	a.asked = w.hub.proc == nil
	if w.hub.proc != nil {
		books, err := w.hub.proc.Books()
		if err != nil {
			w.broke(err)
			return
		}
		list, err := books.changes()
		if err != nil {
			w.broke(err)
			return
		}
		for _, c := range list {
			have.add(c.Sealed)
		}
	} else {
		return // HQ's disk may have them: asked again when it runs
	}
	for _, e := range a.order {
		if !e.excused && !have.has(e) {
			e.excused = true
			w.note(e.record, "%s of %s is on no disk any more", e.id, e.machine)
		}
	}
}

// known is a set of edits.
type known struct {
	chains map[schema.Hash]bool
	names  map[schema.ChangeID]bool
}

func newKnown() known { return known{map[schema.Hash]bool{}, map[schema.ChangeID]bool{}} }

func (k known) clone() known { return known{maps.Clone(k.chains), maps.Clone(k.names)} }

func (k known) has(e *edit) bool { return k.chains[e.chain] || k.names[e.name] }

// add adds a change's edit: its chain hash, that of the change it was re-issued
// from, and of what a rebuild offers, which has none, the name.
func (k known) add(s schema.Sealed) {
	k.chains[s.Chain] = true
	if s.Erased() {
		return
	}
	b, err := s.Body()
	if err != nil || b.GetOrigin() == nil {
		return
	}
	h, err := schema.HashFromBytes(b.GetOrigin().GetChain())
	switch {
	case err != nil:
	case h.IsZero():
		k.names[schema.StampOf(s.ID, 0, b).Edit()] = true
	default:
		k.chains[h] = true
	}
}

// verdict holds that HQ judges a branch by all it was given: no pack of an
// incarnation that it ends may stand in UP, or what it gives back is not all (I1).
func (a *audit) verdict(w *World, m *machine, raw []byte) {
	r := new(wirev1.HelloReply)
	if proto.Unmarshal(raw, r) != nil || len(r.GetAsk()) > 0 || len(r.GetLedgerWant()) > 0 {
		return
	}
	for _, p := range w.up.packs {
		h, _, _, _, err := schema.ParsePackHeader(p.Data)
		if err != nil || h.Branch != m.code || p.Branch != m.code || !p.out.IsZero() || !a.sent[m.code][sha256.Sum256(p.Data)] {
			continue
		}
		for _, v := range r.GetLives() {
			if v.GetResume() == wirev1.Resume_FORKED && v.GetIncarnation() == int64(h.Inc) {
				w.fail("I1", zeroID, "HQ ends %s of %s from %d on, and changes %d to %d of it stand in UP", h.Inc, m.name, v.GetFrom(), h.First, h.Last())
				return
			}
		}
	}
}

// cursorSeen is where a machine's cursor was last seen.
type cursorSeen struct {
	epoch schema.EpochID
	rev   schema.Rev
	inc   schema.Incarnation
}

// stepped looks at a machine after a word of HQ's.
func (a *audit) stepped(m *machine) {
	w := m.w
	if m.proc == nil || w.stop() {
		return
	}
	a.cursor(m)
	if w.hub.backed { // from now on its log may be less than all it had
		log, err := m.proc.Log()
		w.broke(err)
		for _, c := range log {
			m.logged.add(c.Sealed)
		}
	}
	if cut := m.proc.Line().Cut; cut > m.forgot {
		m.forgot = cut
		w.faults[Forget]++
	}
	// The records edited last are those with something pending.
	for i := len(m.touched) - 1; i >= 0 && i >= len(m.touched)-2; i-- {
		a.page(w, m, m.touched[i])
	}
	if a.steps++; a.steps%10 == 0 && len(m.touched) > 2 {
		a.page(w, m, m.touched[w.steady(len(m.touched))])
	}
}

// steady picks without drawing from the run's randomness: what the auditor looks
// at must not change what happens.
func (w *World) steady(n int) int { return int(uint64(w.audit.steps)*2654435761>>7) % n }

// cursor holds I8.
func (a *audit) cursor(m *machine) {
	l := m.proc.Line()
	epoch, rev, err := m.proc.Cursor()
	if err != nil {
		m.w.broke(err)
		return
	}
	now := cursorSeen{epoch, rev, l.Incarnation}
	if old := m.seen; old.inc == now.inc && old.epoch == now.epoch && now.rev < old.rev && !m.moving {
		m.w.fail("I8", zeroID, "%s: the cursor went back from %d to %d in epoch %s and incarnation %s", m.name, old.rev, now.rev, epoch, now.inc)
	}
	if m.seen.inc != 0 && m.seen.inc != now.inc && !m.w.hasTwin(m) {
		m.moving = false
	}
	m.seen = now
}

func (w *World) hasTwin(m *machine) bool {
	for _, o := range w.machines {
		if o != m && o.code == m.code {
			return true
		}
	}
	return false
}

// page holds I11 for one record: what a page shows has every own change in it that
// HQ has not refused. Joining such a change once more must change nothing.
func (a *audit) page(w *World, m *machine, id schema.RecordID) {
	if m.proc == nil || w.stop() {
		return
	}
	log, err := m.proc.Log()
	if err != nil {
		w.broke(err)
		return
	}
	refused, err := refusedAt(m)
	if err != nil {
		w.broke(err)
		return
	}
	h, held, err := m.proc.HeldOne(id)
	if err != nil {
		w.broke(err)
		return
	}
	var st *merge.State
	var enc []byte
	for _, c := range log {
		if c.Record != id || c.Erased() || refused[c.ID] {
			continue
		}
		b, err := c.Body()
		if err != nil {
			w.broke(err)
			return
		}
		if !held {
			if a.across > 0 {
				return // with what went to another company what hangs on it left the scope; I4 and I7 see to that at rest
			}
			w.fail("I11", id, "%s: the record of its own change %s is not held any more", m.name, c.ID)
			return
		}
		if st == nil {
			if st, err = merge.Decode(h.State); err != nil {
				w.broke(err)
				return
			}
			enc = st.Encode()
		}
		own, err := merge.FromChange(schema.StampOf(c.ID, c.At, b), b)
		if err != nil {
			w.broke(err)
			return
		}
		if h.Shared {
			own = own.Share(schema.KindOf(h.Kind))
		}
		if !shows(st, enc, own) {
			w.fail("I11", id, "%s: the page of %s lacks its own change %s (%s); shown %s", m.name, id, c.ID, describe(own), describe(st))
			return
		}
	}
	if held && w.steady(4) == 0 {
		a.rendered(w, m, h)
	}
}

// shows tells whether the state has every entry of the change. A ruling may have
// moved an entry's time to an earlier one.
func shows(st *merge.State, enc []byte, own *merge.State) bool {
	if bytes.Equal(merge.Join(st, own).Encode(), enc) {
		return true
	}
	for _, num := range own.Numbers() {
		for _, e := range own.Entries(num) {
			found := false
			for _, x := range st.Entries(num) {
				found = found || x.Place() == e.Place() && (x.Dead || bytes.Equal(x.Value, e.Value))
			}
			if !found {
				return false
			}
		}
	}
	return true
}

func refusedAt(m *machine) (map[schema.ChangeID]bool, error) {
	list, err := m.proc.Outcomes()
	if err != nil {
		return nil, err
	}
	out := map[schema.ChangeID]bool{}
	for _, o := range list {
		if k := o.GetKind(); k == wirev1.OutcomeKind_REFUSED_CHANGE || k == wirev1.OutcomeKind_DISCARDED || k == wirev1.OutcomeKind_NO_CHANGE {
			out[schema.ChangeID{Branch: m.code, Inc: schema.Incarnation(o.GetIncarnation()), Seq: schema.Seq(o.GetSeq())}] = true
		}
	}
	return out, nil
}

// rendered holds that a page is the fold of what the database holds.
func (a *audit) rendered(w *World, m *machine, h Held) {
	r, err := m.proc.Get(h.ID)
	if errors.Is(err, schema.ErrNotFound) {
		w.fail("I11", h.ID, "%s holds %s and has no page of it", m.name, h.ID)
		return
	}
	if err != nil {
		w.broke(err)
		return
	}
	k, body, err := schema.BodyOf(r)
	if err != nil {
		w.broke(err)
		return
	}
	st, err := merge.Decode(h.State)
	if err != nil {
		w.broke(err)
		return
	}
	want, err := st.Message(k)
	if err != nil {
		w.broke(err)
		return
	}
	if !proto.Equal(want, body) {
		w.fail("I11", h.ID, "%s: the page of %s is not what is held: %v, held %v", m.name, h.ID, body, want)
	}
}
