package golden_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/hq/golden"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// crowd writes registrations of some families, with slips.
func (g *rig) crowd(b *br, n int) (ids []schema.RecordID) {
	names := []string{"王伟", "李娜", "张敏", "刘洋", "陈静", "赵磊", "黄婷", "周杰", "吴刚", "徐丽"}
	for i := range n {
		id := g.id()
		ids = append(ids, id)
		k := i % (n*2/3 + 1)
		m := person(names[k%10]+[]string{"", "明", "华", "强", "军", "芳"}[k/10%6], fmt.Sprintf("138%04d%04d", k/7, k*31%10000))
		m.Addresses = []*branchlinev1.Address{{City: proto.String("上海市"), Street: proto.String(fmt.Sprintf("张江路%d号%d幢", k%97, k%13))}}
		if i%3 == 0 {
			m.Birthday = proto.String(fmt.Sprintf("19%02d-%02d-%02d", 50+k%40, 1+k%12, 1+k%28))
		}
		b.write(id, m, true)
	}
	b.send()
	return ids
}

func state(list []golden.Epoch, version string) string {
	at := slices.IndexFunc(list, func(e golden.Epoch) bool { return e.Version == version })
	if at < 0 {
		return ""
	}
	return list[at].State
}

// What a model would change is told of the groups as they will be, also right after a start
// with records that are not grouped yet.
func TestTrain_waitsForTheGroups(t *testing.T) {
	g := newRig(t, nil)
	g.crowd(g.branch("b01"), 60)
	g.restart()
	early := must(g.gold.Train(t.Context(), 60))(t)
	g.catch()
	late := must(g.gold.Train(t.Context(), 60))(t)
	if early.Before != late.Before || early.After != late.After || early.Changed != late.Changed {
		t.Errorf("%d customers would be %d with %d changes, and once all are grouped %d would be %d with %d", early.Before, early.After, early.Changed, late.Before, late.After, late.Changed)
	}
	if late.Before >= 60 {
		t.Errorf("%d customers of 60 registrations: nobody was joined, and nothing is tried", late.Before)
	}
}

// A trained model changes nothing before it is taken. Taken, with starts and edits in
// between, it makes what a headquarters has that had it from the beginning.
func TestTake_isAsIfItHadAlwaysBeenInUse(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 1))
		g := newRig(t, nil)
		b := g.branch("b01")
		ids := g.crowd(b, 100+r.IntN(60))
		g.say(false, ids[:1], ids[len(ids)*2/3+1:len(ids)*2/3+2])
		g.catch()
		before := g.derived()
		m, err := g.gold.Train(t.Context(), 3)
		check(t, err)
		if g.derived() != before || state(must(g.gold.Models(t.Context()))(t), m.Epoch.Version) != "proposed" {
			t.Fatal("training a model has changed something")
		}
		if err := g.gold.Take(t.Context(), "x"); !errors.Is(err, schema.ErrNotFound) {
			t.Fatalf("a model that is none was taken: %v", err)
		}
		groups := func() string { return g.rows("SELECT hex(id), grp FROM record ORDER BY id") }
		was := groups()
		check(t, g.gold.Take(t.Context(), m.Epoch.Version))
		if groups() != was {
			t.Fatal("taking a model has changed groups at once")
		}
		for i := range r.IntN(5) {
			must(g.gold.Work(t.Context()))(t)
			if r.IntN(2) == 0 {
				g.restart()
			}
			if r.IntN(2) == 0 {
				b.write(ids[i], person(fmt.Sprintf("王小%d", i), "13812345678"), false)
				b.send()
			}
		}
		g.catch()
		g.paired()
		g.checked()
		list := must(g.gold.Models(t.Context()))(t)
		if state(list, m.Epoch.Version) != "used" || len(list) != 2 {
			t.Fatalf("models %+v", list)
		}
		after := g.derived()
		// All of it made anew from nothing, under the same model.
		check(t, g.gold.Take(t.Context(), list[slices.IndexFunc(list, func(e golden.Epoch) bool { return e.Made == 0 })].Version))
		must(g.gold.Work(t.Context()))(t)
		check(t, g.gold.Take(t.Context(), m.Epoch.Version))
		g.catch()
		if d := differ(after, g.derived()); d != "" {
			t.Fatalf("made anew it is another:\n%s", d)
		}
		g.close()
	}
}
