package golden_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// The shop's own number, typed for everybody who would not give his, makes nobody one with
// his namesakes, and no component of those whose names are alike. It says who is one while
// few have it.
func TestOneTelephone_underManyNames(t *testing.T) {
	g := newRig(t, nil)
	defer g.close()
	b := g.branch("b01")
	family, given := []rune("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"), []rune("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平")
	var few, many []*branchlinev1.Customer
	for i := range 600 {
		k := i % 300 // each name twice
		m := person(string(family[k%20])+string(given[k/15]), "13955501234")
		if k < 60 {
			few = append(few, m)
		} else {
			many = append(many, m)
		}
	}
	ones := func() string {
		return strings.TrimSpace(g.rows("SELECT COUNT(*) FROM match_edge WHERE min(strangers, sharers) >= 0 AND a < b"))
	}
	write := func(list []*branchlinev1.Customer) (retire func()) {
		var ids []func()
		for _, m := range list {
			id := g.id()
			b.write(id, m, true)
			ids = append(ids, func() { b.write(id, &branchlinev1.Customer{RetiredAt: proto.Int64(g.now.UnixMilli())}, false) })
		}
		b.send()
		g.catch()
		return func() {
			for _, f := range ids {
				f()
			}
			b.send()
			g.catch()
		}
	}
	write(few)
	alone := ones()
	if groups := g.rows("SELECT COUNT(DISTINCT grp) FROM record WHERE grp IS NOT NULL"); alone == "0" || groups == "0\n" {
		t.Fatalf("of %d customers with one telephone and half as many names %s pairs are one, in %s groups", len(few), alone, groups)
	}
	retire := write(many)
	if got := ones(); got != "0" {
		t.Errorf("among %d customers of 300 names one telephone makes %s pairs one", len(few)+len(many), got)
	}
	if got := g.rows("SELECT COUNT(*) FROM record WHERE grp IS NOT NULL"); got != "0\n" {
		t.Errorf("and %s are in groups", got)
	}
	g.paired()
	g.checked()
	retire()
	if got := ones(); got != alone {
		t.Errorf("when most have gone %s pairs are one, not the %s there were", got, alone)
	}
	g.paired()
	g.checked()
}
