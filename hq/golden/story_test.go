package golden_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/golden"
	"branchline/hq/match"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// grp is the id of a record's group, its own if it is in none.
func (g *rig) grp(id schema.RecordID) schema.RecordID {
	g.t.Helper()
	out := id
	check(g.t, g.st.Read(g.t.Context(), func(r *store.R) error {
		rec := must(store.RecOf(r, id))(g.t)
		if rec.Grp != 0 {
			out = must(store.RecByN(r, rec.Grp))(g.t).ID
		}
		return nil
	}))
	return out
}

func (g *rig) one(ids ...schema.RecordID) bool {
	g.t.Helper()
	for _, id := range ids[1:] {
		if g.grp(id) != g.grp(ids[0]) {
			return false
		}
	}
	return true
}

func TestGolden_WhatTheSimpleRulesJoined(t *testing.T) {
	id := func(m *branchlinev1.Customer, hash string) *branchlinev1.Customer { m.IdHash = []byte(hash); return m }
	source := func(m *branchlinev1.Customer, s, n string) *branchlinev1.Customer {
		m.SourceIds = []*branchlinev1.SourceId{{Source: proto.String(s), Id: proto.String(n)}}
		return m
	}
	const hash, other = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
	g := newRig(t, nil)
	defer g.close()
	b := g.branch("b01")
	for _, c := range []struct {
		what string
		a, b *branchlinev1.Customer
		want bool
	}{
		{"telephone and name, dressed otherwise", person("朱桃芝", "137 6189 4502"), person("朱　桃芝", "+8613761894502"), true},
		{"traditional and simplified", person("張偉", "13761894512"), person("张伟", "13761894512"), true},
		{"telephone and a name in Latin letters", person("Anna Brandt", "+49 561 1234567"), person("Anna Brandt", "+49 561 1234567"), true},
		{"telephone alone: a household", person("朱桃芝", "13761894522"), person("王强", "13761894522"), false},
		{"name alone", person("张伟", "13761894532"), person("张伟", "13564718290"), false},
		{"a name that says too little", person("王先生", "13761894542"), person("王先生", "13761894543"), false},
		{"a telephone nobody has", person("李伟", "13800000000"), person("李伟", "13800000000"), false},
		{"national id", id(person("齐桃芝", "13761894561"), hash), id(person("QI TAOZHI", "13761894562"), hash), true},
		{"another national id", id(person("王伟", "13761894571"), hash), id(person("王伟", "13564718299"), other), false},
		{"id of one source", source(person("秦风", "13761894581"), "dms", "7"), source(person("Qin", "13761894582"), "dms", "7"), true},
		{"same id of two sources", source(person("孟风", "13761894591"), "dms", "8"), source(person("崔风", "13761894592"), "erp", "8"), false},
		{"source and id run together", source(person("江风", "13761894601"), "dms1", "7"), source(person("童风", "13761894602"), "dms", "17"), false},
	} {
		x, y := g.id(), g.id()
		b.write(x, c.a, true)
		b.write(y, c.b, true)
		b.send()
		g.catch()
		if got := g.one(x, y); got != c.want {
			e := must(g.gold.Explain(t.Context(), x, y))(t)
			t.Errorf("%s: one %v: score %d, veto %v, %+v", c.what, got, e.Score, e.Veto, e.Lines)
		}
		// Each is looked at alone.
		for _, r := range []schema.RecordID{x, y} {
			b.write(r, &branchlinev1.Customer{RetiredAt: proto.Int64(1)}, false)
		}
		b.send()
		g.catch()
	}
	g.checked()
}

// A group's id is that of its oldest registration. At a split the part with the oldest
// keeps it, and whatever an id was a group's once finds the group its record is in now.
func TestGolden_IdsStayStable(t *testing.T) {
	g := newRig(t, nil)
	defer g.close()
	b := g.branch("b01")
	ids := []schema.RecordID{}
	for i := range 5 {
		id := g.id()
		ids = append(ids, id)
		b.write(id, person(fmt.Sprintf("朱桃%c", []rune("芝兰竹菊梅")[i]), fmt.Sprintf("1376189450%d", i)), true)
		g.now = g.now.Add(time.Hour)
	}
	b.send()
	g.catch()
	if !slices.Equal([]schema.RecordID{g.grp(ids[0]), g.grp(ids[3])}, []schema.RecordID{ids[0], ids[3]}) {
		t.Fatal("strangers are one")
	}
	d1 := g.say(true, ids[3:4], ids[4:5])
	g.catch()
	if g.grp(ids[4]) != ids[3] {
		t.Fatalf("the group of the two youngest is %s", g.grp(ids[4]))
	}
	g.say(true, ids[1:2], ids[3:4])
	g.say(true, ids[2:3], ids[4:5])
	g.catch()
	if !g.one(ids[1:]...) || g.grp(ids[4]) != ids[1] {
		t.Fatalf("the group of four is %s", g.grp(ids[4]))
	}
	before := g.derived()
	cut := g.say(false, ids[1:3], ids[3:5])
	g.catch()
	if g.grp(ids[1]) != ids[1] || g.one(ids[1], ids[3]) {
		t.Fatalf("after the cut the oldest is in %s", g.grp(ids[1]))
	}
	if g.grp(ids[4]) != ids[3] || g.grp(ids[3]) != ids[3] {
		t.Fatalf("after the cut the other part is %s, not named after its own oldest", g.grp(ids[4]))
	}
	g.checked()
	g.withdraw(cut, false)
	g.catch()
	if after := g.derived(); after != before {
		t.Fatalf("a cut that was withdrawn leaves a trace:\n%s", differ(before, after))
	}
	g.withdraw(cut, true)
	g.restart()
	g.catch()
	if g.one(ids[1], ids[3]) {
		t.Fatal("a withdrawal that was taken back does not count")
	}
	g.withdraw(cut, false)
	g.withdraw(d1, false)
	g.catch()
	g.checked()
	list, next, err := g.gold.Events(t.Context(), &ids[4], "", 3)
	check(t, err)
	if len(list) != 3 || next == "" || len(list[2].Before) == 0 || list[0].Model == "" {
		t.Fatalf("events %+v", list)
	}
	rest, _, err := g.gold.Events(t.Context(), &ids[4], next, 100)
	check(t, err)
	if first := rest[len(rest)-1]; len(first.Before) != 2 || len(first.After) != 1 || first.After[0].ID != ids[3] || !slices.Equal(first.After[0].Members, ids[3:5]) {
		t.Fatalf("the first event %+v", first)
	}
}

// An edit names a member: made since a merge, it goes with its member when the merge is undone.
func TestGolden_EditsSinceAMergeStayWithTheirMember(t *testing.T) {
	g := newRig(t, nil)
	defer g.close()
	b := g.branch("b01")
	x, y := g.id(), g.id()
	b.write(x, person("朱桃芝", "13761894502"), true)
	b.write(y, person("朱桃芝", "13761894502"), true)
	b.send()
	g.catch()
	if !g.one(x, y) {
		t.Fatal("they are not one")
	}
	b.write(y, &branchlinev1.Customer{Remark: proto.String("calls at noon")}, false)
	b.send()
	g.say(false, []schema.RecordID{x}, []schema.RecordID{y})
	g.catch()
	if g.one(x, y) {
		t.Fatal("they are one still")
	}
	check(t, g.st.Read(t.Context(), func(r *store.R) error {
		for id, want := range map[schema.RecordID]string{x: "", y: "calls at noon"} {
			m := new(branchlinev1.Customer)
			check(t, proto.Unmarshal(must(store.MessageOf(schema.KindOf(schema.Customer), must(store.RecOf(r, id))(t).State))(t), m))
			if m.GetRemark() != want {
				t.Errorf("%s has the remark %q", id, m.GetRemark())
			}
		}
		return nil
	}))
}

func TestGolden_ContradictionsAreShownAndDifferentHolds(t *testing.T) {
	g := newRig(t, nil)
	defer g.close()
	b := g.branch("b01")
	var ids []schema.RecordID
	for i, name := range []string{"朱桃芝", "孙国强", "李梅花"} {
		ids = append(ids, g.id())
		b.write(ids[i], person(name, fmt.Sprintf("1376189450%d", i)), true)
	}
	b.send()
	same1 := g.say(true, ids[:1], ids[1:2])
	same2 := g.say(true, ids[1:2], ids[2:])
	g.catch()
	if !g.one(ids...) {
		t.Fatal("what was said is not heeded")
	}
	try := must(g.gold.Try(t.Context(), branchlinev1.Verdict_DIFFERENT, ids[:1], ids[2:]))(t)
	if len(try.Before) != 1 || len(try.After) != 2 || !slices.Contains(try.Contradicts, same1) && !slices.Contains(try.Contradicts, same2) {
		t.Fatalf("tried: %+v", try)
	}
	diff := g.say(false, ids[:1], ids[2:])
	g.catch()
	if g.one(ids[0], ids[2]) {
		t.Fatal("different does not hold")
	}
	var after []string
	for _, x := range try.After {
		after = append(after, fmt.Sprint(x.Members))
	}
	for _, id := range ids {
		if !slices.ContainsFunc(after, func(s string) bool { return strings.Contains(s, g.grp(id).String()) }) {
			t.Errorf("what was tried is not what came: %v", after)
		}
	}
	list, _, open, err := g.gold.Questions(t.Context(), nil, "", 10)
	check(t, err)
	at := slices.IndexFunc(list, func(q golden.Question) bool { return q.Contradiction })
	if at < 0 || open != len(list) {
		t.Fatalf("no contradiction among %d questions: %+v", open, list)
	}
	said := must(g.gold.Contradicted(t.Context(), nil))(t)
	if !slices.Contains(said, diff) || len(said) != 2 {
		t.Fatalf("contradicting decisions: %v", said)
	}
	g.checked()
}

// A record that was in a sale: the car's new owner is another customer.
func TestGolden_ACarSoldOn(t *testing.T) {
	g := newRig(t, nil)
	defer g.close()
	b := g.branch("b01")
	x, y, car := g.id(), g.id(), g.id()
	b.write(x, person("朱桃芝", "13761894502"), true)
	b.write(y, person("孙国强", "13564718290"), true)
	b.write(car, &branchlinev1.Vehicle{Vin: proto.String("LFV3A23C0G3000001"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A12345")}}}, true)
	tie := func(c schema.RecordID, from string) schema.RecordID {
		id := g.id()
		b.write(id, &branchlinev1.Tie{Customer: proto.String(c.String()), Vehicle: proto.String(car.String()), Role: branchlinev1.TieRole_OWNER.Enum(), From: proto.String(from)}, true)
		return id
	}
	tie(x, "2020-01-01")
	tie(y, "2024-01-01")
	b.send()
	g.catch()
	if g.one(x, y) {
		t.Error("who sold a car and who bought it are one")
	}
	g.checked()
}

// A group larger than one party is raises an alarm and is asked about before all others.
func TestGolden_WhatSwallowsRaisesAnAlarm(t *testing.T) {
	g := newRig(t, nil)
	defer g.close()
	b := g.branch("b01")
	var ids []schema.RecordID
	for range match.Alarm + 2 {
		id := g.id()
		ids = append(ids, id)
		b.write(id, person("朱桃芝", "13761894502"), true)
	}
	b.send()
	g.catch()
	if !g.one(ids...) {
		t.Fatal("they are not one group under this model")
	}
	alarms := func() (out []store.Alarm) {
		check(t, g.st.Read(t.Context(), func(r *store.R) (err error) {
			out, err = store.Alarms(r)
			return err
		}))
		return slices.DeleteFunc(out, func(a store.Alarm) bool { return a.What != store.AlarmSwallows })
	}
	list, _, _, err := g.gold.Questions(t.Context(), nil, "", 10)
	check(t, err)
	if len(alarms()) != 1 || len(list) == 0 || !list[0].Alarm || len(list[0].GroupA) != match.Alarm+2 {
		t.Fatalf("alarms %v, questions %+v", alarms(), list)
	}
	g.checked()
	for _, id := range ids[:10] {
		b.write(id, &branchlinev1.Customer{RetiredAt: proto.Int64(1)}, false)
	}
	b.send()
	g.catch()
	if len(alarms()) != 0 {
		t.Fatal("the alarm stands still")
	}
}
