package golden

import (
	"crypto/sha256"
	stdsql "database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/hq/feed"
	"branchline/hq/match"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// maxCars bounds the plates and VINs a customer is known by: a fleet's first ones.
const maxCars = 32

// facts are what the matcher reads of one customer; its ties and their cars are part of them.
type facts struct {
	n      int64
	id     schema.RecordID
	live   bool
	values []string // in the order of match.CustomerFields
	keys   []Key    // what it states: same_as, ids of source systems
	sum    int64    // of all of it
}

func (f *facts) record() match.Record { return match.Record{ID: f.id.String(), Values: f.values} }

// readFacts reads customers' facts; a record that is none, or cannot be read, is not live.
func (g *Golden) readFacts(r store.ListReader, ns []int64) (map[int64]*facts, error) {
	out := make(map[int64]*facts, len(ns))
	created := map[int64]int64{}
	raw := map[int64]*branchlinev1.Customer{}
	byID := map[schema.RecordID]int64{}
	var ids []any
	err := r.In("SELECT n, id, kind, state, retired, created FROM record WHERE n", "", anys(ns), func(rows *stdsql.Rows) error {
		x := new(facts)
		var id, state []byte
		var kind schema.Kind
		var retired, made int64
		if err := rows.Scan(&x.n, &id, &kind, &state, &retired, &made); err != nil {
			return fmt.Errorf("read customers: %w", err)
		}
		x.id = schema.RecordID(id)
		out[x.n] = x
		if kind != schema.Customer || retired != 0 {
			return nil
		}
		m := new(branchlinev1.Customer)
		if err := messageOf(kind, state, m); err != nil {
			g.log.Error("customer cannot be read", "record", x.id.String(), "err", err)
			return nil
		}
		x.live, raw[x.n], created[x.n] = true, m, made
		byID[x.id] = x.n
		ids = append(ids, id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	cars, err := g.carsOf(r, ids)
	if err != nil {
		return nil, err
	}
	for n, m := range raw {
		out[n].fill(m, cars[out[n].id])
		out[n].finish(created[n])
	}
	return out, nil
}

// messageOf reads a record's shown message.
func messageOf(kind schema.Kind, state []byte, m proto.Message) error {
	raw, err := store.MessageOf(schema.KindOf(kind), state)
	if err == nil {
		err = proto.Unmarshal(raw, m)
	}
	return err
}

// known are the plates and VINs of the cars that a customer owns or drives.
type known struct{ plates, vins []string }

func (g *Golden) carsOf(r store.ListReader, customers []any) (map[schema.RecordID]*known, error) {
	type tied struct{ customer, vehicle schema.RecordID }
	var ties []tied
	err := r.In(fmt.Sprintf("SELECT customer, vehicle, state FROM record WHERE kind = %d AND retired = 0 AND vehicle IS NOT NULL AND customer", schema.Tie), "", customers, func(rows *stdsql.Rows) error {
		var c, v, state []byte
		if err := rows.Scan(&c, &v, &state); err != nil {
			return fmt.Errorf("read ties: %w", err)
		}
		m := new(branchlinev1.Tie)
		if err := messageOf(schema.Tie, state, m); err != nil {
			g.log.Error("tie cannot be read", "err", err)
			return nil
		}
		if m.GetRole() != branchlinev1.TieRole_PAYER_OF && m.GetRole() != branchlinev1.TieRole_SENDER {
			ties = append(ties, tied{schema.RecordID(c), schema.RecordID(v)})
		}
		return nil
	})
	if err != nil || len(ties) == 0 {
		return nil, err
	}
	slices.SortFunc(ties, func(a, b tied) int {
		if c := slices.Compare(a.customer[:], b.customer[:]); c != 0 {
			return c
		}
		return slices.Compare(a.vehicle[:], b.vehicle[:])
	})
	ties = slices.Compact(ties)
	var ids []any
	seen := map[schema.RecordID]bool{}
	for _, t := range ties {
		if !seen[t.vehicle] {
			seen[t.vehicle] = true
			ids = append(ids, t.vehicle[:])
		}
	}
	cars := map[schema.RecordID]*branchlinev1.Vehicle{}
	if err := r.In(fmt.Sprintf("SELECT id, state FROM record WHERE kind = %d AND retired = 0 AND id", schema.Vehicle), "", ids, func(rows *stdsql.Rows) error {
		var id, state []byte
		if err := rows.Scan(&id, &state); err != nil {
			return fmt.Errorf("read cars: %w", err)
		}
		m := new(branchlinev1.Vehicle)
		if err := messageOf(schema.Vehicle, state, m); err != nil {
			g.log.Error("car cannot be read", "record", schema.RecordID(id).String(), "err", err)
			return nil
		}
		cars[schema.RecordID(id)] = m
		return nil
	}); err != nil {
		return nil, err
	}
	out := map[schema.RecordID]*known{}
	for _, t := range ties {
		car := cars[t.vehicle]
		if car == nil {
			continue
		}
		k := out[t.customer]
		if k == nil {
			k = &known{}
			out[t.customer] = k
		}
		if v := car.GetVin(); v != "" && len(k.vins) < maxCars {
			k.vins = append(k.vins, v)
		}
		for _, p := range car.GetPlates() {
			if len(k.plates) < maxCars {
				k.plates = append(k.plates, p.GetPlate())
			}
		}
	}
	return out, nil
}

// fill takes the values and what is stated off the message.
func (f *facts) fill(m *branchlinev1.Customer, cars *known) {
	if cars == nil {
		cars = &known{}
	}
	list := func(n int, at func(int) string) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = at(i)
		}
		return out
	}
	id := hex.EncodeToString(m.GetIdHash())
	if len(m.GetIdHash()) < 16 {
		id = ""
	}
	if c := strings.TrimSpace(m.GetCreditCode()); id == "" && c != "" {
		id = "credit" + c
	}
	kind := ""
	switch m.GetType() {
	case branchlinev1.CustomerType_PERSON:
		kind = "person"
	case branchlinev1.CustomerType_COMPANY:
		kind = "company"
	}
	by := map[string]string{
		"name":        m.GetName(),
		"other_names": several(m.GetOtherNames()),
		"phones":      several(list(len(m.GetPhones()), func(i int) string { return m.GetPhones()[i].GetNumber() })),
		"last4":       m.GetIdLast(),
		"id_hash":     id,
		"address": several(list(len(m.GetAddresses()), func(i int) string {
			a := m.GetAddresses()[i]
			return strings.TrimSpace(strings.Join([]string{a.GetRegion(), a.GetCity(), a.GetDistrict(), a.GetStreet()}, " "))
		})),
		"email":    several(m.GetEmails()),
		"birthday": m.GetBirthday(),
		"plates":   several(cars.plates),
		"vins":     several(cars.vins),
		"type":     kind,
	}
	for _, c := range match.CustomerFields() {
		f.values = append(f.values, by[c.Column])
	}
	if id, err := schema.ParseRecordID(m.GetSameAs()); err == nil {
		f.keys = append(f.keys, Key{feed.KeySame, string(id[:]), true})
	}
	if len(m.GetIdHash()) >= 16 {
		f.keys = append(f.keys, Key{feed.KeyNationalID, string(m.GetIdHash()), true})
	}
	for _, s := range m.GetSourceIds() {
		if s.GetSource() != "" && s.GetId() != "" {
			f.keys = append(f.keys, Key{feed.KeySource, hashed(s.GetSource(), s.GetId()), true})
		}
	}
	f.keys = sortKeys(f.keys)
}

// several puts the values of one column together, in an order of their own: the
// record's is that of arrival times.
func several(list []string) string {
	list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return strings.TrimSpace(s) == "" })
	for i := range list {
		list[i] = strings.ReplaceAll(list[i], ";", " ")
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), "; ")
}

func (f *facts) finish(created int64) {
	h := sha256.New()
	for _, v := range f.values {
		h.Write([]byte(v))
		h.Write([]byte{0})
	}
	for _, k := range f.keys {
		h.Write([]byte{byte(k.Kind)})
		h.Write([]byte(k.Value))
	}
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(created)))
	f.sum = int64(binary.BigEndian.Uint64(h.Sum(nil)))
}

// prepare gives customers taken apart under a model, as they were last looked at; who is
// not live is left out. The shelf is the worker's alone: who reads an older snapshot has
// none.
func (g *Golden) prepare(r store.ListReader, m *match.Model, s *shelf, ns []int64) (map[int64]*match.Prepared, error) {
	out := make(map[int64]*match.Prepared, len(ns))
	var missing []any
	for _, n := range ns {
		if p := s.get(m, n); p != nil {
			out[n] = p
		} else {
			missing = append(missing, n)
		}
	}
	err := r.In("SELECT n, id, facts FROM match_node WHERE n", "", missing, func(rows *stdsql.Rows) error {
		var n int64
		var id, packed stdsql.RawBytes
		if err := rows.Scan(&n, &id, &packed); err != nil {
			return fmt.Errorf("read facts: %w", err)
		}
		p, err := m.Prepare(match.Record{ID: schema.RecordID(id).String(), Values: unpackValues(packed)})
		if err != nil {
			return err
		}
		s.put(m, n, p)
		out[n] = p
		return nil
	})
	return out, err
}

// packValues puts values side by side, each behind its length.
func packValues(values []string) []byte {
	var out []byte
	for _, v := range values {
		out = append(binary.AppendUvarint(out, uint64(len(v))), v...)
	}
	return out
}

func unpackValues(b []byte) []string {
	var out []string
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		b = b[size:]
		out = append(out, string(b[:n]))
		b = b[n:]
	}
	return out
}

func anys(ns []int64) []any {
	out := make([]any, len(ns))
	for i, n := range ns {
		out[i] = n
	}
	return out
}
