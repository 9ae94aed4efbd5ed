package sim

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// people are everybody at every counter: what they make and edit. Each value they
// write bears a number of its own, so that it can be found again anywhere.
type people struct {
	w      *World
	token  int
	saved  int
	made   []thing
	stale  map[*machine]*branchlinev1.Record // a page that somebody has left open
	parts  map[schema.RecordID][]thing       // what was made for an order and goes where it goes
	wasted int
}

// thing is a record somebody made.
type thing struct {
	kind schema.Kind
	id   schema.RecordID
	at   schema.BranchID
}

func (p *people) next(what string) string {
	p.token++
	return fmt.Sprintf("%s%d", what, p.token)
}

// act is one thing done by somebody somewhere.
func (p *people) act() {
	w := p.w
	if w.stop() || w.end {
		return
	}
	m := w.machines[w.rng.IntN(len(w.machines))]
	if m.proc == nil {
		return
	}
	if w.chance(0.2) {
		p.together(m)
		return
	}
	p.write(m)
	if w.chance(0.15) { // a busy minute at one counter
		for range 2 + w.rng.IntN(6) {
			p.write(m)
		}
	}
}

// together has every branch that holds one record edit it within a moment.
func (p *people) together(m *machine) {
	w := p.w
	page := p.find(m, []schema.Kind{schema.Customer, schema.Vehicle}[w.rng.IntN(2)])
	if page == nil {
		return
	}
	id := recordOf(page)
	for _, o := range w.machines {
		for range 1 + w.rng.IntN(2) {
			w.after(w.upTo(40*time.Millisecond), func() {
				if o.proc == nil || w.stop() || w.end {
					return
				}
				now, err := o.proc.Get(id)
				if errors.Is(err, schema.ErrNotFound) {
					return
				}
				if err != nil {
					w.broke(err)
					return
				}
				p.editPage(o, now)
			})
		}
	}
}

func (p *people) write(m *machine) {
	if m.proc == nil || p.w.stop() {
		return
	}
	r := p.w.rng
	switch n := r.IntN(20); {
	case len(p.made) < 4 || n < 2:
		p.customer(m)
	case n < 4:
		p.vehicle(m)
	case n < 6:
		p.tie(m)
	case n < 8:
		p.order(m)
	case n < 9:
		p.reading(m)
	case n < 10:
		p.remark(m)
	case n < 13:
		p.counter(m)
	default:
		p.edit(m)
	}
}

// groupKeys are few, so that records of one person and one car meet.
const groupKeys = 4

func (p *people) customer(m *machine) {
	who := p.w.rng.IntN(groupKeys)
	id := make([]byte, 32)
	id[0], id[31] = byte(who+1), 7
	c := &branchlinev1.Customer{
		Type: branchlinev1.CustomerType_PERSON.Enum(), Name: proto.String(unlike(p.next("name"))), Preferences: []string{p.next("pref")}, Remark: proto.String(p.next("remark")),
	}
	if p.w.chance(0.7) {
		c.IdHash = id
	}
	p.put(m, Edit{Kind: schema.Customer, Message: c})
}

// unlike makes names of which no two are alike, so that few customers are one but those
// with an equal id or one car.
func unlike(text string) string {
	h := sha256.Sum256([]byte(text))
	for i := range h {
		h[i] = 'a' + h[i]%26
	}
	return string(h[:7]) + " " + string(h[7:16])
}

func (p *people) vehicle(m *machine) {
	v := &branchlinev1.Vehicle{Model: proto.String(p.next("model")), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String(p.next("P"))}}}
	if p.w.chance(0.7) {
		v.Vin = proto.String(fmt.Sprintf("LSVAA49J13204681%d", p.w.rng.IntN(groupKeys)))
	}
	p.put(m, Edit{Kind: schema.Vehicle, Message: v})
}

func (p *people) tie(m *machine) {
	c, v := p.find(m, schema.Customer), p.find(m, schema.Vehicle)
	if c == nil || v == nil {
		return
	}
	p.put(m, Edit{Kind: schema.Tie, Message: &branchlinev1.Tie{
		Customer: proto.String(idOf(c)), Vehicle: proto.String(idOf(v)), Role: branchlinev1.TieRole_OWNER.Enum(), From: proto.String("2026-11-01"),
	}})
}

func (p *people) order(m *machine) {
	c, v := p.find(m, schema.Customer), p.find(m, schema.Vehicle)
	if c == nil || v == nil {
		return
	}
	id := p.put(m, Edit{Kind: schema.ServiceOrder, Message: &branchlinev1.ServiceOrder{
		Number: proto.String(p.next("N")), Customer: proto.String(idOf(c)), Vehicle: proto.String(idOf(v)), State: branchlinev1.OrderState_RECEIVED.Enum(), Day: proto.String("2026-11-21"),
	}})
	if id == zeroID {
		return
	}
	for range p.w.rng.IntN(3) {
		p.put(m, Edit{Kind: schema.ServiceLine, Message: &branchlinev1.ServiceLine{Order: proto.String(id.String()), Item: proto.String(p.next("line"))}})
	}
}

func (p *people) reading(m *machine) {
	if v := p.find(m, schema.Vehicle); v != nil {
		p.token++
		p.put(m, Edit{Kind: schema.OdometerReading, Message: &branchlinev1.OdometerReading{
			Vehicle: proto.String(idOf(v)), Km: proto.Int64(int64(p.token)), Day: proto.String("2026-11-21"),
		}})
	}
}

func (p *people) remark(m *machine) {
	if c := p.find(m, schema.Customer); c != nil {
		p.put(m, Edit{Kind: schema.Note, Message: &branchlinev1.Note{Customer: proto.String(idOf(c)), Text: proto.String(p.next("note"))}})
	}
}

// edit changes a record that the branch holds, often from a page that was opened a while ago.
func (p *people) edit(m *machine) {
	w := p.w
	kind := []schema.Kind{
		schema.Customer, schema.Customer, schema.Customer, schema.Vehicle, schema.Vehicle, schema.ServiceOrder, schema.Note,
		schema.Appointment, schema.Contact, schema.Claim, schema.CardUse, schema.ServiceLine,
	}[w.rng.IntN(12)]
	page := p.find(m, kind)
	if page == nil {
		return
	}
	if p.stale == nil {
		p.stale = map[*machine]*branchlinev1.Record{}
	}
	if old := p.stale[m]; old != nil && w.chance(0.3) {
		page = old
		delete(p.stale, m)
	} else if w.chance(0.3) {
		p.stale[m] = page
		return
	}
	p.editPage(m, page)
}

func (p *people) editPage(m *machine, page *branchlinev1.Record) {
	k, msg, err := schema.BodyOf(page)
	if err != nil {
		p.w.broke(err)
		return
	}
	id := recordOf(page)
	e := Edit{Kind: k.Kind, ID: id, Message: proto.Clone(msg), Etag: page.GetEtag()}
	if !p.change(m, page, &e) {
		return
	}
	if p.put(m, e) != zeroID && e.Home != "" {
		p.sendParts(m, id, e.Home)
	}
}

// sendParts moves the home of what was made for an order that has just gone there: of what this branch keeps.
func (p *people) sendParts(m *machine, order schema.RecordID, to schema.BranchID) {
	for _, t := range p.parts[order] {
		r, err := m.proc.Get(t.id)
		if errors.Is(err, schema.ErrNotFound) || err == nil && r.GetHome() != string(m.code) {
			continue
		}
		if err != nil {
			p.w.broke(fmt.Errorf("%s: page of %s: %w", m.name, t.id, err))
			return
		}
		k, msg, err := schema.BodyOf(r)
		if err != nil {
			p.w.broke(err)
			return
		}
		p.put(m, Edit{Kind: k.Kind, ID: t.id, Message: msg, Home: to})
	}
}

// change is what one person does to one page; false: nothing.
func (p *people) change(m *machine, page *branchlinev1.Record, e *Edit) bool {
	w := p.w
	pick := w.rng.IntN
	switch x := e.Message.(type) {
	case *branchlinev1.Customer:
		switch pick(6) {
		case 0:
			x.Name = proto.String(unlike(p.next("name")))
			e.Mask = []string{"name"}
		case 1:
			x.Remark = proto.String(p.next("remark"))
			e.Mask = []string{"remark"}
		case 2:
			x.Preferences = append(x.GetPreferences(), p.next("pref"))
			e.Mask = []string{"preferences"}
		case 3:
			if list := x.GetPreferences(); len(list) > 0 {
				list[pick(len(list))] = p.next("pref")
			} else {
				x.Preferences = []string{p.next("pref")}
			}
			e.Mask = []string{"preferences"}
		case 4:
			if list := x.GetPreferences(); len(list) > 1 {
				i := pick(len(list))
				x.Preferences = append(list[:i:i], list[i+1:]...)
				e.Mask = []string{"preferences"}
				break
			}
			x.PreferredChannel = proto.String(p.next("channel"))
			e.Mask = []string{"preferred_channel"}
		case 5:
			x.ConsentMarketing = &branchlinev1.Consent{Given: proto.Bool(w.chance(0.5)), Wording: proto.String(p.next("w"))}
			x.PreferredChannel = proto.String(p.next("channel"))
			e.Mask = []string{"consent_marketing", "preferred_channel"}
		}
	case *branchlinev1.Vehicle:
		switch pick(3) {
		case 0:
			x.Model = proto.String(p.next("model"))
			e.Mask = []string{"model"}
		case 1:
			x.Colour = proto.String(p.next("colour"))
			e.Mask = []string{"colour"}
		case 2:
			x.Plates = append(x.GetPlates(), &branchlinev1.PlateTerm{Plate: proto.String(p.next("P"))})
			e.Mask = []string{"plates"}
		}
	case *branchlinev1.ServiceOrder:
		if page.GetHome() != string(m.code) {
			return false
		}
		if pick(4) == 0 {
			e.Home = p.neighbour(m)
			return e.Home != ""
		}
		x.Complaint = proto.String(p.next("complaint"))
		e.Mask = []string{"complaint"}
	case *branchlinev1.ServiceLine:
		x.Item = proto.String(p.next("item"))
		e.Mask = []string{"item"}
		return page.GetHome() == string(m.code)
	case *branchlinev1.Note:
		x.RetiredReason = proto.String(p.next("reason"))
		e.Mask = []string{"retired_reason"}
	default:
		return p.changeCounter(m, page, e)
	}
	return true
}

// neighbour is another branch of the same legal entity.
func (p *people) neighbour(m *machine) schema.BranchID {
	for _, i := range p.w.rng.Perm(len(p.w.machines)) {
		if o := p.w.machines[i]; o.entity == m.entity && o.code != m.code {
			return o.code
		}
	}
	return ""
}

// find opens the page of a record of the kind that the branch holds.
func (p *people) find(m *machine, k schema.Kind) *branchlinev1.Record {
	r := p.w.rng
	for range 8 {
		if len(p.made) == 0 {
			return nil
		}
		t := p.made[r.IntN(len(p.made))]
		if t.kind != k {
			continue
		}
		rec, err := m.proc.Get(t.id)
		if errors.Is(err, schema.ErrNotFound) {
			continue
		}
		if err != nil {
			p.w.broke(fmt.Errorf("%s: page of %s: %w", m.name, t.id, err))
			return nil
		}
		return rec
	}
	return nil
}

func idOf(r *branchlinev1.Record) string { return recordOf(r).String() }

func recordOf(r *branchlinev1.Record) schema.RecordID {
	_, id, err := schema.ParseName(r.GetName())
	if err != nil {
		return zeroID
	}
	return id
}

// put saves an edit and tells the line; the auditor looks at once whether the page shows it.
func (p *people) put(m *machine, e Edit) schema.RecordID {
	w := p.w
	s, err := m.proc.Put(e)
	switch {
	case errors.Is(err, schema.ErrConflict), errors.Is(err, schema.ErrNotFound), errors.Is(err, schema.ErrForbidden), errors.Is(err, schema.ErrInvalid):
		p.wasted++
		w.note(e.ID, "%s: edit refused: %v", m.name, err)
		return zeroID
	case err != nil:
		w.broke(fmt.Errorf("%s: put: %w", m.name, err))
		return zeroID
	case s.NoChange:
		p.wasted++
		return s.ID
	}
	p.saved++
	if e.ID == zeroID {
		p.made = append(p.made, thing{e.Kind, s.ID, m.code})
		p.partOf(e, s.ID, m.code)
	}
	w.note(s.ID, "%s saved %s: %s %s %v", m.name, s.Change, schema.KindOf(e.Kind).Name, s.ID, e.Mask)
	m.touch(s.ID)
	w.audit.wrote(w, m, e, s)
	m.call(func(b Branch) { b.Wake(m.here()) })
	w.audit.page(w, m, s.ID)
	return s.ID
}

func (m *machine) touch(id schema.RecordID) {
	for i, t := range m.touched {
		if t == id {
			m.touched = append(m.touched[:i], m.touched[i+1:]...)
			break
		}
	}
	m.touched = append(m.touched, id)
}

// partOf notes what was made for an order and goes where it goes.
func (p *people) partOf(e Edit, id schema.RecordID, at schema.BranchID) {
	var order string
	switch x := e.Message.(type) {
	case *branchlinev1.ServiceLine:
		order = x.GetOrder()
	case *branchlinev1.Inspection:
		order = x.GetOrder()
	case *branchlinev1.Claim:
		order = x.GetOrder()
	}
	if of, err := schema.ParseRecordID(order); err == nil {
		if p.parts == nil {
			p.parts = map[schema.RecordID][]thing{}
		}
		p.parts[of] = append(p.parts[of], thing{e.Kind, id, at})
	}
}
