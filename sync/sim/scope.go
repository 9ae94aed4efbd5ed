package sim

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/merge"
)

// scope is the auditor's own reading of who must hold what (DESIGN §8, with this
// issue's rule: a branch holds a customer or a car that it wrote, or that a record
// it wrote names).
type scope struct {
	books  *Books
	recs   map[schema.RecordID]*scoped
	groups map[string][]schema.RecordID
	holds  map[schema.RecordID]map[schema.BranchID]bool
}

type scoped struct {
	BookRecord
	k                        *schema.KindInfo
	customer, vehicle, order schema.RecordID
	group                    string // "": alone
}

// scopes holds I4 and I7.
func (w *World) scopes(b *Books, list []stored) {
	s := scope{books: b, recs: map[schema.RecordID]*scoped{}, groups: map[string][]schema.RecordID{}, holds: map[schema.RecordID]map[schema.BranchID]bool{}}
	for _, r := range b.Records {
		if err := s.read(r); err != nil {
			w.fail("I3", r.ID, "%v", err)
			return
		}
	}
	for _, c := range list {
		body, err := c.Body()
		if err != nil {
			w.fail("I2", zeroID, "%v", err)
			return
		}
		id, err := schema.RecordIDFromBytes(body.GetRecord())
		if err == nil && s.recs[id] != nil {
			s.wrote(c.ID.Branch, s.recs[id])
		}
	}
	for _, m := range w.machines {
		if m.proc == nil {
			continue
		}
		held, err := m.proc.Held()
		if err != nil {
			w.broke(err)
			return
		}
		s.compare(w, m, held)
		if w.stop() {
			return
		}
	}
}

func (s *scope) read(r BookRecord) error {
	k := schema.KindOf(r.Kind)
	st, err := merge.Decode(r.State)
	if err != nil {
		return err
	}
	m, err := st.Message(k)
	if err != nil {
		return err
	}
	x := &scoped{BookRecord: r, k: k}
	ref := func(f *schema.FieldInfo) schema.RecordID {
		if f == nil {
			return zeroID
		}
		id, err := schema.ParseRecordID(m.ProtoReflect().Get(f.Desc).String())
		if err != nil {
			return zeroID
		}
		return id
	}
	x.customer, x.vehicle, x.order = ref(k.Customer), ref(k.Vehicle), ref(k.Order)
	switch v := m.(type) {
	case *branchlinev1.Customer:
		// Who is one customer is the matcher's to say; Books has compared that with the records.
		if r.Group != 0 {
			x.group = fmt.Sprint("c", r.Group)
		}
	case *branchlinev1.Vehicle:
		if v.GetVin() != "" {
			x.group = "v" + v.GetVin()
		}
	}
	if x.group != "" {
		s.groups[x.group] = append(s.groups[x.group], r.ID)
	}
	s.recs[r.ID] = x
	return nil
}

func (s *scope) wrote(b schema.BranchID, r *scoped) {
	hold := func(id schema.RecordID) {
		if id == zeroID || b == schema.HQ {
			return
		}
		if s.holds[id] == nil {
			s.holds[id] = map[schema.BranchID]bool{}
		}
		s.holds[id][b] = true
	}
	if r.Kind == schema.Customer || r.Kind == schema.Vehicle {
		hold(r.ID)
	}
	hold(r.customer)
	hold(r.vehicle)
}

func (s *scope) entity(b schema.BranchID) schema.EntityID { return s.books.Entities[b] }

// holder tells whether b holds a customer or a car, by itself or by its group.
func (s *scope) holder(b schema.BranchID, id schema.RecordID) bool {
	x := s.recs[id]
	if x == nil {
		return false
	}
	members := []schema.RecordID{id}
	if x.group != "" {
		members = s.groups[x.group]
	}
	for _, m := range members {
		y := s.recs[m]
		if x.Kind == schema.Customer && (s.entity(y.Home) != s.entity(x.Home) || s.entity(b) != s.entity(y.Home)) {
			continue
		}
		if y.Home == b || s.holds[m][b] {
			return true
		}
	}
	return false
}

// entitled tells whether b must hold r, and whether stripped.
func (s *scope) entitled(b schema.BranchID, r *scoped) (yes, shared bool) {
	if r.k.Everywhere || r.Home == b {
		return true, false
	}
	shared = r.Home != schema.HQ && s.entity(r.Home) != s.entity(b)
	if shared && !shareable(r.k) {
		return false, false
	}
	subjects := []schema.RecordID{r.customer, r.vehicle}
	if r.Kind == schema.Customer || r.Kind == schema.Vehicle {
		subjects = append(subjects, r.ID)
	}
	if o := s.recs[r.order]; o != nil {
		if o.Home == b {
			return true, shared
		}
		subjects = append(subjects, o.customer, o.vehicle)
	}
	for _, id := range subjects {
		if id != zeroID && s.holder(b, id) {
			return true, shared
		}
	}
	return false, false
}

// shareable: any technician of the group may see something of the kind (DESIGN §8 a).
func shareable(k *schema.KindInfo) bool {
	switch k.Kind {
	case schema.Vehicle, schema.ServiceOrder, schema.ServiceLine, schema.OdometerReading:
		return true
	}
	return false
}

// personal: the kinds that tell of a person, or of their money.
func personal(k *schema.KindInfo) bool { return !shareable(k) && !k.Everywhere }

func (s *scope) compare(w *World, m *machine, held []Held) {
	seen := map[schema.RecordID]bool{}
	for _, h := range held {
		seen[h.ID] = true
		r := s.recs[h.ID]
		name := fmt.Sprintf("%s %s", schema.KindOf(h.Kind).Name, h.ID)
		if r == nil {
			w.fail("I4", h.ID, "%s holds %s, which HQ does not have", m.name, name)
			return
		}
		yes, shared := s.entitled(m.code, r)
		if !yes {
			inv := "I4"
			if personal(schema.KindOf(h.Kind)) {
				inv = "I7"
			}
			w.fail(inv, h.ID, "%s holds %s of %s, which is out of its scope", m.name, name, r.Home)
			return
		}
		want := r.State
		if shared {
			st, err := merge.Decode(want)
			if err != nil {
				w.fail("I3", h.ID, "%v", err)
				return
			}
			// What its own company wrote in it is nobody's secret from it.
			want = st.ShareWith(r.k, func(b schema.BranchID) bool { return b != schema.HQ && s.entity(b) == m.entity }).Encode()
		}
		if h.Shared != shared || h.Home != r.Home {
			w.fail("I4", h.ID, "%s holds %s as shared=%v of %s, HQ's is shared=%v of %s", m.name, name, h.Shared, h.Home, shared, r.Home)
			return
		}
		if !bytes.Equal(h.State, want) {
			have, err := merge.Decode(h.State)
			if err != nil {
				w.fail("I4", h.ID, "%s: %s: %v", m.name, name, err)
				return
			}
			x, err := merge.Decode(want)
			if err != nil {
				w.fail("I4", h.ID, "%s: %s: %v", m.name, name, err)
				return
			}
			w.fail("I4", h.ID, "%s holds another %s than HQ (pending=%v):\n  %s\n  %s", m.name, name, h.Pending, describe(have), describe(x))
			return
		}
	}
	for id, r := range s.recs {
		if seen[id] {
			continue
		}
		if yes, _ := s.entitled(m.code, r); yes {
			w.fail("I4", id, "%s lacks %s %s of %s", m.name, r.k.Name, id, r.Home)
			return
		}
	}
}

// pages holds I11 once more, for every record a branch ever edited.
func (w *World) pages() {
	for _, m := range w.machines {
		if m.proc == nil {
			continue
		}
		for _, id := range m.touched {
			w.audit.page(w, m, id)
		}
	}
}

// maxFolder is far above what these runs need: some tens of records.
const maxFolder = 96 << 20

// bounded holds I9 for the disks.
func (w *World) bounded() {
	dirs := []string{w.hub.dir}
	for _, m := range w.machines {
		dirs = append(dirs, m.dir)
	}
	for _, d := range dirs {
		list, err := os.ReadDir(d)
		if err != nil {
			w.broke(err)
			return
		}
		size := int64(0)
		for _, e := range list {
			if fi, err := e.Info(); err == nil {
				size += fi.Size()
			}
		}
		if size > maxFolder {
			w.fail("I9", zeroID, "folder %s has %d bytes", filepath.Base(d), size)
			return
		}
	}
}
