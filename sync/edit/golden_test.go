package edit

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

var pins = schema.KindOf(schema.Pin)

// idOf is the id of the nth record of a test.
func idOf(n int) schema.RecordID {
	var id schema.RecordID
	id[15] = byte(n + 1)
	return id
}

func memberName(n int) string { return schema.ResourceName(schema.Customer, idOf(n)) }

func drawPhone(t *rapid.T) *branchlinev1.Phone {
	return &branchlinev1.Phone{
		Number: proto.String(rapid.SampledFrom([]string{
			"13812345678", "+86 138 1234 5678", "１３８１２３４５６７８", "手机13812345678", "13900001111", "021-62345678", "62345678", "说不清",
		}).Draw(t, "number")),
		Label: proto.String(rapid.SampledFrom([]string{"", "手机", "公司"}).Draw(t, "label")),
	}
}

func drawCustomer(t *rapid.T) *branchlinev1.Customer {
	c := &branchlinev1.Customer{Name: proto.String(rapid.SampledFrom([]string{"王伟", "王 伟", "王玮", "王偉", "Wang Wei", "ＷＡＮＧ ＷＥＩ"}).Draw(t, "name"))}
	for range rapid.IntRange(0, 2).Draw(t, "phones") {
		c.Phones = append(c.Phones, drawPhone(t))
	}
	for range rapid.IntRange(0, 2).Draw(t, "mails") {
		c.Emails = append(c.Emails, rapid.SampledFrom([]string{"a@b.cn", "A@b.cn", "c@d.cn"}).Draw(t, "mail"))
	}
	for range rapid.IntRange(0, 1).Draw(t, "addresses") {
		c.Addresses = append(c.Addresses, &branchlinev1.Address{
			City: proto.String("上海市"), Street: proto.String(rapid.SampledFrom([]string{"南京路 1 号", "南京路１号", "延安路2号"}).Draw(t, "street")),
		})
	}
	for range rapid.IntRange(0, 1).Draw(t, "others") {
		c.OtherNames = append(c.OtherNames, rapid.SampledFrom([]string{"阿伟", "大伟"}).Draw(t, "other"))
	}
	if rapid.Bool().Draw(t, "said") {
		c.ConsentMarketing = &branchlinev1.Consent{Given: proto.Bool(rapid.Bool().Draw(t, "given")), Day: proto.String("2026-01-02")}
	}
	if rapid.Bool().Draw(t, "born") {
		c.Birthday = proto.String(rapid.SampledFrom([]string{"1980-01-02", "1981-01-02"}).Draw(t, "birthday"))
	}
	return c
}

// drawMembers are registrations of several branches, some edited more than once.
func drawMembers(t *rapid.T) []Member {
	var out []Member
	for i := range rapid.IntRange(1, 6).Draw(t, "members") {
		a := author{branch: schema.BranchID(fmt.Sprintf("b%d", i)), at: schema.Tick(rapid.IntRange(1, 200).Draw(t, "at"))}
		s := a.change(t, nil, mustCreate(t, drawCustomer(t)), nil)
		if rapid.Bool().Draw(t, "again") {
			s = a.change(t, s, mustCreate(t, drawCustomer(t)), nil)
		}
		out = append(out, Member{memberName(i), s})
	}
	return out
}

// drawPin is a pin of the nth kind about one of the members.
func drawPin(t *rapid.T, hq *author, n, members int) Member {
	v := &branchlinev1.Customer{}
	field := rapid.SampledFrom([]string{"name", "phones", "birthday", "emails"}).Draw(t, "field")
	switch field {
	case "name":
		v.Name = proto.String(rapid.SampledFrom([]string{"王伟", "王纬"}).Draw(t, "name"))
	case "phones":
		v.Phones = []*branchlinev1.Phone{drawPhone(t)}
	case "birthday":
		v.Birthday = proto.String("1982-03-04")
	case "emails":
		v.Emails = []string{rapid.SampledFrom([]string{"a@b.cn", "x@y.cn"}).Draw(t, "mail")}
	}
	return makePin(t, hq, n, rapid.IntRange(0, members-1).Draw(t, "of"), field, v)
}

func makePin(t interface{ Fatal(...any) }, hq *author, n, member int, field string, v *branchlinev1.Customer) Member {
	id := idOf(member).String()
	b, err := Create(pins, &branchlinev1.Pin{Customer: &id, Field: &field, Value: v})
	if err != nil {
		t.Fatal(err)
	}
	return Member{schema.ResourceName(schema.Pin, idOf(100+n)), hq.change(t, nil, b, nil)}
}

// unpin retires a pin.
func unpin(t interface{ Fatal(...any) }, hq *author, p Member) Member {
	return Member{p.Name, hq.change(t, p.State, mustCreate(t, &branchlinev1.Pin{RetiredAt: proto.Int64(1)}), nil)}
}

func view(t interface{ Fatal(...any) }, members, pins []Member) *branchlinev1.Record {
	w, err := Gather(customers, members, pins)
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Show()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func bytesOf(t interface{ Fatal(...any) }, r *branchlinev1.Record) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func shuffled[T any](t *rapid.T, in []T) []T {
	return rapid.Permutation(in).Draw(t, "order")
}

// The view is a pure function of members and pins: any order gives the same bytes,
// and so does a pin that came and went.
func TestWhole_AnyOrderAndAnyPinThatWentGiveTheSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t)
		hq := author{branch: schema.HQ, at: schema.Tick(rapid.IntRange(1, 400).Draw(t, "hq"))}
		var chosen []Member
		for i := range rapid.IntRange(0, 4).Draw(t, "pins") {
			chosen = append(chosen, drawPin(t, &hq, i, len(members)))
		}
		want := bytesOf(t, view(t, members, chosen))
		if got := bytesOf(t, view(t, shuffled(t, members), shuffled(t, chosen))); !bytes.Equal(got, want) {
			t.Fatalf("another order gives another view:\n%x\n%x", want, got)
		}
		extra := drawPin(t, &hq, 9, len(members))
		with := append(slices.Clone(chosen), extra)
		if rapid.Bool().Draw(t, "retire") {
			with[len(with)-1] = unpin(t, &hq, extra)
			if got := bytesOf(t, view(t, members, with)); !bytes.Equal(got, want) {
				t.Fatalf("a pin that went leaves a trace:\n%x\n%x", want, got)
			}
			return
		}
		k := len(members)
		stranger := makePin(t, &hq, 10, k+3, "name", &branchlinev1.Customer{Name: proto.String("别人")})
		if got := bytesOf(t, view(t, members, append(slices.Clone(chosen), stranger))); !bytes.Equal(got, want) {
			t.Fatal("a pin of another customer counts")
		}
	})
}

// Who refused is not asked again, whoever said yes elsewhere and later; all that was
// written down is kept, each value once, and says where it is from.
func TestWhole_KeepsAllAndNamesItsSources(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t)
		r := view(t, members, nil)
		c := r.GetCustomer()
		refused := false
		phones, mails, names := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for _, m := range members {
			for _, e := range liveEntries(m.State.Entries(customers.Field("consent_marketing").Number)) {
				var one branchlinev1.Customer
				if err := proto.Unmarshal(e.Value, &one); err != nil {
					t.Fatal(err)
				}
				refused = refused || !one.GetConsentMarketing().GetGiven()
			}
			for name, into := range map[string]map[string]bool{"phones": phones, "emails": mails, "name": names} {
				f := customers.Field(name)
				for _, e := range liveEntries(m.State.Entries(f.Number)) {
					into[alike(f, e.Value)] = true
				}
			}
		}
		if refused && (c.ConsentMarketing == nil || c.GetConsentMarketing().GetGiven()) {
			t.Fatalf("a refusal is not shown: %v", c)
		}
		if len(c.GetPhones()) != len(phones) || len(c.GetEmails()) != len(mails) {
			t.Fatalf("%d telephones of %d, %d addresses of %d: %v", len(c.GetPhones()), len(phones), len(c.GetEmails()), len(mails), c)
		}
		for name, want := range map[string]map[string]bool{"phones": phones, "emails": mails, "name": names} {
			for _, src := range sourcesOf(r, name) {
				delete(want, alikeOf(t, c, name, src))
				for _, l := range src.GetLost() {
					delete(want, alikeJSON(t, name, l.GetJson()))
				}
			}
			if len(want) > 0 {
				t.Fatalf("%s is neither shown nor listed: %v", name, want)
			}
		}
		for _, src := range r.GetSources() {
			told := append([]string{src.GetRecord()}, recordsOf(src)...)
			if src.GetBranch() == "" || src.GetAt() == 0 && src.GetChange() == "" || slices.Contains(told, "") {
				t.Fatalf("a value does not say where it is from: %v", src)
			}
		}
	})
}

func recordsOf(src *branchlinev1.FieldSource) (out []string) {
	for _, l := range src.GetLost() {
		out = append(out, l.GetRecord())
	}
	for _, a := range src.GetAlso() {
		out = append(out, a.GetRecord())
	}
	return out
}

func sourcesOf(r *branchlinev1.Record, field string) (out []*branchlinev1.FieldSource) {
	for _, s := range r.GetSources() {
		if s.GetField() == field {
			out = append(out, s)
		}
	}
	return out
}

func alikeOf(t *rapid.T, c *branchlinev1.Customer, field string, src *branchlinev1.FieldSource) string {
	f := customers.Field(field)
	raws, err := rawValues(customers, f, c.ProtoReflect().Get(f.Desc))
	if err != nil {
		t.Fatal(err)
	}
	return alike(f, raws[max(src.GetIndex(), 0)])
}

func alikeJSON(t *rapid.T, field, json string) string {
	f := customers.Field(field)
	m := customers.New()
	if f.Desc.IsList() {
		json = "[" + json + "]"
	}
	if err := protojson.Unmarshal([]byte(`{"`+field+`":`+json+`}`), m); err != nil {
		t.Fatal(err)
	}
	raws, err := rawValues(customers, f, m.ProtoReflect().Get(f.Desc))
	if err != nil {
		t.Fatal(err)
	}
	return alike(f, raws[0])
}

// The latest pin of a field decides it; a pin follows its member when the group is
// split; the parts come out as if they had never been one.
func TestWhole_PinsDecideAndFollowTheirMember(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t)
		hq := author{branch: schema.HQ, at: 1}
		var chosen []Member
		for i := range rapid.IntRange(1, 4).Draw(t, "pins") {
			chosen = append(chosen, drawPin(t, &hq, i, len(members)))
		}
		r := view(t, members, chosen)
		last := map[string]*branchlinev1.Pin{}
		name := map[string]string{}
		for _, p := range chosen {
			m, err := p.State.Message(pins)
			if err != nil {
				t.Fatal(err)
			}
			last[m.(*branchlinev1.Pin).GetField()], name[m.(*branchlinev1.Pin).GetField()] = m.(*branchlinev1.Pin), p.Name
		}
		for field, p := range last {
			src := sourcesOf(r, field)[0]
			_, raw := PinnedValue(p)
			f := customers.Field(field)
			raws, err := rawValues(customers, f, r.GetCustomer().ProtoReflect().Get(f.Desc))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(raws[0], raw) || src.GetPin() != name[field] || src.GetBranch() != "hq" || src.GetRecord() != schema.ResourceName(schema.Customer, parse(t, p.GetCustomer())) {
				t.Fatalf("%s is not the pinned one: %v", field, src)
			}
		}
		if len(members) < 2 {
			return
		}
		cut := rapid.IntRange(1, len(members)-1).Draw(t, "cut")
		for _, part := range [][]Member{members[:cut], members[cut:]} {
			mine := slices.DeleteFunc(slices.Clone(chosen), func(p Member) bool {
				m, _ := p.State.Message(pins)
				id := m.(*branchlinev1.Pin).GetCustomer()
				return !slices.ContainsFunc(part, func(x Member) bool { return x.Name == "customers/"+id })
			})
			if !bytes.Equal(bytesOf(t, view(t, part, chosen)), bytesOf(t, view(t, part, mine))) {
				t.Fatal("a pin counts for a part its member is not in")
			}
		}
	})
}

func parse(t *rapid.T, id string) schema.RecordID {
	out, err := schema.ParseRecordID(id)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// An edit of a golden view leaves alone what it sends back, however often and in
// whatever spelling the members hold it, and takes all spellings of what it replaces.
func TestWhole_AnEditTreatsSpellingsAsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t)
		hq := author{branch: schema.HQ, at: 1}
		var chosen []Member
		if rapid.Bool().Draw(t, "pinned") {
			chosen = append(chosen, drawPin(t, &hq, 1, len(members)))
		}
		w, err := Gather(customers, members, chosen)
		if err != nil {
			t.Fatal(err)
		}
		r := view(t, members, chosen)
		same, err := w.Update(r.GetCustomer(), []string{"name", "phones", "emails", "addresses", "birthday", "other_names"}, r.GetEtag())
		if err != nil || !same.Empty() {
			t.Fatalf("sending back what was shown is an edit: %v %v", same, err)
		}
		phones := r.GetCustomer().GetPhones()
		if len(phones) == 0 || len(chosen) > 0 {
			return
		}
		i := rapid.IntRange(0, len(phones)-1).Draw(t, "which")
		edited := proto.CloneOf(r.GetCustomer())
		edited.Phones[i] = &branchlinev1.Phone{Number: proto.String("13711112222")}
		c, err := w.Update(edited, []string{"phones"}, r.GetEtag())
		if err != nil {
			t.Fatal(err)
		}
		own := author{branch: "own", at: 900}
		after := view(t, append(slices.Clone(members), Member{memberName(50), own.change(t, nil, nil, c)}), nil)
		if got := after.GetCustomer().GetPhones(); len(got) != len(phones) || got[len(got)-1].GetNumber() != "13711112222" {
			t.Fatalf("%v edited to %v", phones, got)
		}
	})
}

func TestGather_WhatIsNoPinCountsForNothing(t *testing.T) {
	a, hq := author{branch: "pd"}, author{branch: schema.HQ, at: 50}
	members := []Member{{memberName(0), a.change(t, nil, mustCreate(t, &branchlinev1.Customer{
		Name: proto.String("甲"), ConsentMarketing: &branchlinev1.Consent{Given: proto.Bool(false)},
	}), nil)}}
	want := bytesOf(t, view(t, members, nil))
	for i, x := range []struct {
		field string
		v     *branchlinev1.Customer
	}{
		{"consent_marketing", &branchlinev1.Customer{ConsentMarketing: &branchlinev1.Consent{Given: proto.Bool(true)}}},
		{"name", &branchlinev1.Customer{Birthday: proto.String("1980-01-01")}},
		{"name", &branchlinev1.Customer{Name: proto.String("乙"), Birthday: proto.String("1980-01-01")}},
		{"name", &branchlinev1.Customer{Name: proto.String("")}},
		{"phones", &branchlinev1.Customer{Phones: []*branchlinev1.Phone{{Number: proto.String("1")}, {Number: proto.String("2")}}}},
		{"same_as", &branchlinev1.Customer{SameAs: proto.String(idOf(4).String())}},
		{"id_hash", &branchlinev1.Customer{IdHash: []byte("x")}},
		{"retired_at", &branchlinev1.Customer{RetiredAt: proto.Int64(4)}},
		{"nothing", &branchlinev1.Customer{Name: proto.String("乙")}},
	} {
		if got := bytesOf(t, view(t, members, []Member{makePin(t, &hq, i, 0, x.field, x.v)})); !bytes.Equal(got, want) {
			t.Errorf("%s %v counts", x.field, x.v)
		}
	}
}

// Spellings of one value, and values that only look alike.
func TestAlike(t *testing.T) {
	phone := func(s string) *branchlinev1.Customer {
		return &branchlinev1.Customer{Phones: []*branchlinev1.Phone{{Number: &s}}}
	}
	for _, c := range []struct {
		field string
		a, b  *branchlinev1.Customer
		want  bool
	}{
		{"phones", phone("13812345678"), phone("+86 138-1234-5678"), true},
		{"phones", phone("13812345678"), phone("手机：１３８１２３４５６７８"), true},
		{"phones", phone("021-62345678"), phone("(021)6234 5678"), true},
		{"phones", phone("021-62345678"), phone("010-62345678"), false},
		{"phones", phone("021-62345678转1"), phone("021-62345678转2"), false},
		{"name", &branchlinev1.Customer{Name: proto.String("WANG  Wei")}, &branchlinev1.Customer{Name: proto.String("Wang wei")}, true},
		{"name", &branchlinev1.Customer{Name: proto.String("王 伟")}, &branchlinev1.Customer{Name: proto.String("王伟")}, true},
		{"name", &branchlinev1.Customer{Name: proto.String("王偉")}, &branchlinev1.Customer{Name: proto.String("王伟")}, false},
		{"birthday", &branchlinev1.Customer{Birthday: proto.String("1980-01-02")}, &branchlinev1.Customer{Birthday: proto.String("1980-02-01")}, false},
	} {
		f := customers.Field(c.field)
		a, err := rawValues(customers, f, c.a.ProtoReflect().Get(f.Desc))
		if err != nil {
			t.Fatal(err)
		}
		b, err := rawValues(customers, f, c.b.ProtoReflect().Get(f.Desc))
		if err != nil {
			t.Fatal(err)
		}
		if got := alike(f, a[0]) == alike(f, b[0]); got != c.want {
			t.Errorf("%v and %v: alike %v", c.a, c.b, got)
		}
	}
}
