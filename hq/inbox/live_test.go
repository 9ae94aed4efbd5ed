package inbox_test

import (
	"testing"

	"branchline/hq/inbox"
	"branchline/schema"
)

// BenchmarkLive takes one change a pack, another branch holding its customer.
func BenchmarkLive(b *testing.B) {
	g := newRig(b)
	g.entity("e1")
	x, y := g.branch("b1", "e1"), g.branch("b2", "e1")
	c := g.id()
	x.write(c, customer("one"), create)
	x.send()
	y.write(g.id(), order(c, schema.RecordID{}), create)
	y.send()
	var packs [][]byte
	for range b.N {
		x.write(g.id(), order(c, schema.RecordID{}), create)
		packs = append(packs, x.pack(1))
	}
	b.ResetTimer()
	for _, p := range packs {
		must(g.in.Work(b.Context(), []inbox.Incoming{{Subject: x.code, Data: p}}))(b)
	}
}
