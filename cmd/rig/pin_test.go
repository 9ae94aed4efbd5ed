package rig

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// goldenBytes is what a site shows of a golden customer and where it says it is from, as bytes. Left out is what belongs to the
// site: who asked, how far the site's own last edit is, and names of staff.
func goldenBytes(t *testing.T, r *branchlinev1.Record) []byte {
	t.Helper()
	out := &branchlinev1.Record{Name: r.GetName(), Body: r.GetBody(), Group: r.GetGroup(), UpdateTime: r.GetUpdateTime()}
	for _, s := range r.GetSources() {
		s = proto.CloneOf(s)
		s.Actor = ""
		out.Sources = append(out.Sources, s)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (g *group) golden(b schema.BranchID, id schema.RecordID) *branchlinev1.Record {
	g.t.Helper()
	r, err := g.Site(b).Node().Store().Golden(g.t.Context(), id)
	g.must(err)
	return r
}

func (g *group) goldenAtHQ(id schema.RecordID) *branchlinev1.Record {
	g.t.Helper()
	r, err := g.HQ().Server().API().Records.GetRecord(owner(g.t.Context(), access.HQ), &branchlinev1.GetRecordRequest{Name: schema.ResourceName(schema.Customer, id), Golden: true})
	g.must(err)
	return r
}

func (g *group) pin(of schema.RecordID, field string, v *branchlinev1.Customer) (*branchlinev1.Record, error) {
	id := of.String()
	return g.HQ().Server().API().Records.CreateRecord(owner(g.t.Context(), access.HQ), &branchlinev1.CreateRecordRequest{
		Record: &branchlinev1.Record{Body: &branchlinev1.Record_Pin{Pin: &branchlinev1.Pin{Customer: &id, Field: &field, Value: v}}},
	})
}

func (g *group) unpin(r *branchlinev1.Record) {
	g.t.Helper()
	_, err := g.HQ().Server().API().Records.UpdateRecord(owner(g.t.Context(), access.HQ), &branchlinev1.UpdateRecordRequest{
		Record: &branchlinev1.Record{
			Name: r.GetName(), Etag: r.GetEtag(), Body: &branchlinev1.Record_Pin{Pin: &branchlinev1.Pin{RetiredAt: proto.Int64(1_700_000_000_000)}},
		},
		UpdateMask: []string{"retired_at"},
	})
	g.must(err)
}

// inFolder tells whether a site's folder holds a text anywhere.
func inFolder(t *testing.T, dir, text string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		found = found || bytes.Contains(b, []byte(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// One person is registered at two branches of one company and at one of another. A steward chooses values of the first
// company's: its branches show them as headquarters does, byte for byte; the other company's branch never hears of them.
// Undone, every site shows what it showed before.
func TestPin_GoesWhereItsRegistrationGoes(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	person := func(name string, phones ...string) *branchlinev1.Customer {
		c := &branchlinev1.Customer{Name: &name, IdHash: bytes.Repeat([]byte{7}, 32), Type: branchlinev1.CustomerType_PERSON.Enum()}
		for _, p := range phones {
			c.Phones = append(c.Phones, &branchlinev1.Phone{Number: proto.String(p)})
		}
		return c
	}
	one := g.put("b1", store.Edit{Message: person("王小明", "13817264531", "021-62345678")})
	two := g.put("b2", store.Edit{Message: person("王晓明", "+86 138 1726 4531", "13900001111")})
	g.converge()
	g.until("one golden customer", func() bool { return len(g.goldenAtHQ(one).GetGroup()) == 2 })
	g.converge()
	everywhere := func(when string) []byte {
		t.Helper()
		hq := goldenBytes(t, g.goldenAtHQ(one))
		if !bytes.Equal(hq, goldenBytes(t, g.golden("b1", one))) || !bytes.Equal(hq, goldenBytes(t, g.golden("b2", one))) {
			t.Errorf("%s: headquarters and the branches show another golden customer:\n%v\n%v\n%v", when, g.goldenAtHQ(one), g.golden("b1", one), g.golden("b2", one))
		}
		return hq
	}
	before := everywhere("before")
	if p := g.golden("b1", two).GetCustomer().GetPhones(); len(p) != 3 {
		t.Fatalf("b1 shows %v", p)
	}

	const secret = "王小明先生-PINNED"
	var pins []*branchlinev1.Record
	choose := func() {
		t.Helper()
		pins = nil
		for field, v := range map[string]*branchlinev1.Customer{"name": {Name: proto.String(secret)}, "phones": {Phones: []*branchlinev1.Phone{{Number: proto.String("13900001111")}}}} {
			p, err := g.pin(two, field, v)
			g.must(err)
			pins = append(pins, p)
		}
		g.converge()
	}
	choose()
	everywhere("pinned")
	r := g.golden("b1", one)
	if c := r.GetCustomer(); c.GetName() != secret || c.GetPhones()[0].GetNumber() != "13900001111" || len(c.GetPhones()) != 3 {
		t.Errorf("b1 shows %v", c)
	}
	for _, s := range r.GetSources() {
		if s.GetField() == "name" && (s.GetPin() == "" || s.GetBranch() != "hq" || s.GetRecord() != schema.ResourceName(schema.Customer, two) || len(s.GetLost()) != 2) {
			t.Errorf("b1 says of the name: %v", s)
		}
	}
	for _, p := range pins {
		g.unpin(p)
	}
	g.converge()
	if !bytes.Equal(everywhere("unpinned"), before) {
		t.Error("unpinned, it is not shown as before")
	}
	choose()

	// The other company comes to know the same person: its branch never hears of what was chosen.
	far := g.put("b3", store.Edit{Message: person("王小明", "13817264531", "13711112222")})
	g.converge()
	g.until("one golden customer of three", func() bool { return len(g.goldenAtHQ(one).GetGroup()) == 3 })
	g.converge()
	if c := g.goldenAtHQ(far).GetCustomer(); c.GetName() != secret || len(c.GetPhones()) != 4 {
		t.Errorf("headquarters shows %v", c)
	}
	if c := g.golden("b3", far); c.GetCustomer().GetName() != "王小明" || len(c.GetGroup()) > 1 || inFolder(t, g.Site("b3").Dir, secret) {
		t.Errorf("the other company's branch heard of it: %v", c)
	}
	if !inFolder(t, g.Site("b1").Dir, secret) {
		t.Error("the test would not see it in a folder")
	}
	// What only the other company knows is not pinned to a registration of this one, and stays there.
	theirs := &branchlinev1.Customer{Phones: []*branchlinev1.Phone{{Number: proto.String("137 1111 2222")}}}
	if _, err := g.pin(one, "phones", theirs); !errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), far.String()) {
		t.Errorf("another company's telephone: %v", err)
	}
	_, err := g.pin(far, "phones", theirs)
	g.must(err)
	g.converge()
	if c := g.golden("b3", far).GetCustomer(); c.GetPhones()[0].GetNumber() != "137 1111 2222" || inFolder(t, g.Site("b1").Dir, "137 1111 2222") {
		t.Errorf("b3 shows %v", c)
	}
	for field, v := range map[string]*branchlinev1.Customer{
		"consent_marketing": {ConsentMarketing: &branchlinev1.Consent{Given: proto.Bool(true)}}, "same_as": {SameAs: proto.String(one.String())},
		"name": {Birthday: proto.String("1980-01-02")}, "birthday": {Birthday: proto.String("yesterday")}, "phones": {Phones: []*branchlinev1.Phone{{}}}, "shoe": {Name: proto.String("x")},
	} {
		if _, err := g.pin(one, field, v); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%s: %v", field, err)
		}
	}

	// A branch writes no pins, and its edit of a pinned field is kept as its own registration's value.
	if _, err := g.Site("b1").Node().Server().API().Records.CreateRecord(owner(t.Context(), access.Node), &branchlinev1.CreateRecordRequest{
		Record: &branchlinev1.Record{Body: &branchlinev1.Record_Pin{Pin: &branchlinev1.Pin{
			Customer: proto.String(one.String()), Field: proto.String("name"), Value: &branchlinev1.Customer{Name: proto.String("x")},
		}}},
	}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a branch pins: %v", err)
	}
	g.put("b1", store.Edit{ID: one, Message: &branchlinev1.Customer{Name: proto.String("王小名")}, Mask: []string{"name"}, Etag: g.golden("b1", one).GetEtag()})
	if c := g.golden("b1", one).GetCustomer(); c.GetName() != secret || g.get("b1", one).GetCustomer().GetName() != "王小名" {
		t.Errorf("after an edit b1 shows %v and keeps %v", c, g.get("b1", one).GetCustomer())
	}
	g.converge()
	for _, p := range pins {
		g.unpin(p)
	}
	g.converge()
	for _, r := range []*branchlinev1.Record{g.golden("b1", one), g.golden("b2", one)} {
		if r.GetCustomer().GetName() != "王小名" {
			t.Errorf("unpinned after the edit: %v", r)
		}
	}
}
