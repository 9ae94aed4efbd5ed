package golden_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/hq/match"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// chapter is a step of a story: something a branch wrote, or something a steward does.
type chapter struct {
	pack    []byte // nil: a steward's
	code    schema.BranchID
	same    bool
	a, b    []schema.RecordID
	decided int // >0: this decision is withdrawn; the number of say so far
	undo    bool
}

// learnedFrom is a model learned from registrations of the same make as the test's.
func learnedFrom(seed int) func() (*match.Model, error) {
	return func() (*match.Model, error) {
		var recs []match.Record
		names := []string{"王伟", "李娜", "张敏", "刘洋", "陈静", "赵磊", "黄婷", "周杰", "吴刚", "徐丽"}
		for i := range 600 {
			k := i * (seed + 7)
			v := make([]string, len(match.CustomerFields()))
			v[0] = names[k%10] + []string{"", "明", "华", "强"}[k/10%4]
			v[2] = fmt.Sprintf("1381234%04d", k%450)
			v[5] = fmt.Sprintf("上海市静安区张江路%d号%d幢", k%50, k%7)
			v[7] = fmt.Sprintf("19%02d-%02d-%02d", 50+k%40, 1+k%12, 1+k%28)
			v[10] = "person"
			recs = append(recs, match.Record{ID: fmt.Sprint(i), Values: v})
		}
		return match.Learn(context.Background(), match.CustomerFields(), recs)
	}
}

// people draws customers of a few parties that share much, so that components chain.
func people(t *rapid.T) *branchlinev1.Customer {
	m := person(rapid.SampledFrom([]string{"王伟", "王玮", "王先生", "李娜", "Wang Wei", "王小明", "上海安康汽车租赁有限公司", "张敏华"}).Draw(t, "name"))
	if p := rapid.SampledFrom([]string{"13812340001", "13812340002", "138 1234 0002", "13564718290", ""}).Draw(t, "phone"); p != "" {
		m.Phones = []*branchlinev1.Phone{{Number: proto.String(p)}}
	}
	if d := rapid.SampledFrom([]string{"1980-01-02", "1980-02-01", "1975-05-05", ""}).Draw(t, "born"); d != "" {
		m.Birthday = proto.String(d)
	}
	if s := rapid.SampledFrom([]string{"张江路509号19幢1006室", "张江路509号", "新华大街1434号30幢2804室", ""}).Draw(t, "address"); s != "" {
		m.Addresses = []*branchlinev1.Address{{City: proto.String("上海市"), Street: proto.String(s)}}
	}
	if rapid.IntRange(0, 5).Draw(t, "source") == 0 {
		m.SourceIds = []*branchlinev1.SourceId{{Source: proto.String("dms"), Id: proto.String(fmt.Sprint(rapid.IntRange(1, 4).Draw(t, "source id")))}}
	}
	return m
}

// story draws what twelve branches write, and what stewards decide meanwhile: chapters of
// one lane are in order, lanes are not.
func story(t *rapid.T, g *rig, branches []*br, most int) [][]chapter {
	lanes := make([][]chapter, len(branches)+1)
	var customers, vehicles []schema.RecordID
	last := map[schema.RecordID]schema.ChangeID{}
	pick := func(l string) schema.RecordID { return rapid.SampledFrom(customers).Draw(t, l) }
	for range rapid.IntRange(most/2, most).Draw(t, "changes") {
		b := branches[rapid.IntRange(0, len(branches)-1).Draw(t, "branch")]
		switch what := rapid.IntRange(0, 11).Draw(t, "what"); {
		case what < 5 || len(customers) < 2:
			id := g.id()
			m := people(t)
			if len(customers) > 0 && rapid.IntRange(0, 7).Draw(t, "stated") == 0 {
				m.SameAs = proto.String(pick("same as").String())
			}
			last[id] = b.write(id, m, true)
			customers = append(customers, id)
		case what == 5:
			id := g.id()
			b.write(id, &branchlinev1.Vehicle{Vin: proto.String(rapid.SampledFrom([]string{"LFV3A23C0G3000001", "LSVAA49J132047371"}).Draw(t, "vin")), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A12345")}}}, true)
			vehicles = append(vehicles, id)
		case what == 6 && len(vehicles) > 0:
			b.write(g.id(), &branchlinev1.Tie{Customer: proto.String(pick("tied").String()), Vehicle: proto.String(rapid.SampledFrom(vehicles).Draw(t, "car").String()), Role: branchlinev1.TieRole_OWNER.Enum()}, true)
		case what == 7:
			id := pick("retired")
			b.write(id, &branchlinev1.Customer{RetiredAt: proto.Int64(rapid.SampledFrom([]int64{0, 1, 1}).Draw(t, "retire") * g.now.UnixMilli())}, false)
		default:
			id := pick("edited")
			m := people(t)
			last[id] = b.write(id, m, false, naming(2, last[id]), naming(4, last[id]))
		}
		if rapid.IntRange(0, 2).Draw(t, "end of pack") == 0 {
			at := slices.Index(branches, b)
			lanes[at] = append(lanes[at], chapter{code: b.code, pack: b.pack(100)})
		}
	}
	for i, b := range branches {
		if len(b.unsent) > 0 {
			lanes[i] = append(lanes[i], chapter{code: b.code, pack: b.pack(1000)})
		}
	}
	steward := &lanes[len(branches)]
	said := 0
	for range rapid.IntRange(0, 8).Draw(t, "decisions") {
		c := chapter{same: rapid.Bool().Draw(t, "same"), a: []schema.RecordID{pick("a")}, b: []schema.RecordID{pick("b")}}
		if rapid.IntRange(0, 3).Draw(t, "a cut") == 0 {
			c.b = append(c.b, pick("b"))
		}
		if said > 0 && rapid.IntRange(0, 2).Draw(t, "withdrawn") == 0 {
			c = chapter{decided: rapid.IntRange(1, said).Draw(t, "decision"), undo: rapid.IntRange(0, 2).Draw(t, "undo") == 0}
		} else {
			said++
		}
		*steward = append(*steward, c)
	}
	return lanes
}

// play tells a story to a headquarters; in order, lane after lane, or in any order, with
// everything twice now and then, groups made up and a start in between.
func (g *rig) play(t *rapid.T, lanes [][]chapter, inOrder bool) {
	next := make([]int, len(lanes))
	var said []schema.RecordID
	for {
		var open []int
		for i := range lanes {
			if next[i] < len(lanes[i]) {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			break
		}
		lane := open[0]
		if !inOrder {
			lane = rapid.SampledFrom(open).Draw(t, "lane")
		}
		c := lanes[lane][next[lane]]
		next[lane]++
		switch {
		case c.pack != nil:
			g.work(c.code, c.pack)
			if !inOrder && rapid.IntRange(0, 5).Draw(t, "twice") == 0 {
				g.work(c.code, c.pack)
			}
		case c.decided > 0:
			g.withdraw(said[c.decided-1], c.undo)
		default:
			said = append(said, g.say(c.same, c.a, c.b))
		}
		if !inOrder {
			switch rapid.IntRange(0, 9).Draw(t, "then") {
			case 0, 1, 2, 3:
				g.catch()
			case 4:
				must(g.gold.Work(g.t.Context()))(g.t)
			case 5:
				g.restart()
			}
		}
	}
	g.catch()
}

// Whatever the order and interleaving of records, new versions, retirements, decisions
// and withdrawals, groups, golden ids and questions are those of the facts that hold in
// the end, byte for byte; and those the in-memory engine makes of them.
func TestLaw_anyOrderSameGroups(t *testing.T) {
	site := newRig(t, oneModel)
	defer site.close()
	var branches []*br
	for i := range 12 {
		branches = append(branches, site.branch(fmt.Sprintf("b%02d", i)))
	}
	rapid.Check(t, func(rt *rapid.T) { anyOrder(t, rt, site, branches) })
}

// fresh are branches that have written nothing yet.
func fresh(list []*br) (out []*br) {
	for _, b := range list {
		c := *b
		out = append(out, &c)
	}
	return out
}

func anyOrder(t *testing.T, rt *rapid.T, site *rig, branches []*br) {
	g, w := site.copyOf(), site.copyOf()
	defer func() { g.close() }()
	defer func() { w.close() }()
	lanes := story(rt, g, fresh(branches), 50)
	g.play(rt, lanes, true)
	w.play(rt, lanes, false)
	for _, r := range []*rig{g, w} {
		r.paired()
		r.checked()
	}
	if a, b := g.derived(), w.derived(); a != b {
		rt.Fatalf("another order gave others:\n%s", differ(a, b))
	}
}

// oneModel is learned once.
var oneModel = sync.OnceValues(learnedFrom(1))

// differ are the lines that only one of the two has.
func differ(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	out := ""
	for _, l := range x {
		if !slices.Contains(y, l) {
			out += "- " + l + "\n"
		}
	}
	for _, l := range y {
		if !slices.Contains(x, l) {
			out += "+ " + l + "\n"
		}
	}
	return out
}

// The same where keys have so many holders that these stand in rows.
func TestLaw_anyOrderSameGroupsInRows(t *testing.T) {
	site := newRig(t, oneModel)
	defer site.close()
	branches := []*br{site.branch("b01")}
	rapid.Check(t, func(rt *rapid.T) {
		g, w := site.copyOf(), site.copyOf()
		defer func() { g.close() }()
		defer func() { w.close() }()
		b := fresh(branches)[0]
		n := rapid.IntRange(match.Long+10, match.Long+50).Draw(rt, "customers")
		var ids []schema.RecordID
		last := map[schema.RecordID]schema.ChangeID{}
		names := []string{"王伟", "王玮", "王娜", "王那", "张敏", "Wang Wei"}
		// So many that a telephone is somebody's own now, and nobody's then.
		if rapid.Bool().Draw(rt, "many names") {
			names = nil
			for i := range match.Long * 4 / 3 {
				names = append(names, string([]rune("王李张刘陈杨黄赵吴周徐孙")[i/12])+string([]rune("伟芳娜敏静丽强磊军洋勇艳")[i%12]))
			}
		}
		one := func() *branchlinev1.Customer {
			phones := []string{"13812340001", "13812340001", "13812340001", "13564718290"}
			if len(names) > match.Long {
				phones = []string{"13812340001", "13812340001", "13812340001", "13812340001", "13812340001", "13564718290", "13564718290; 13812340001"}
			}
			name := names[len(ids)%len(names)]
			if len(names) < match.Long || len(ids) >= n {
				name = rapid.SampledFrom(names).Draw(rt, "name")
			}
			return person(name, strings.Split(rapid.SampledFrom(phones).Draw(rt, "phone"), "; ")...)
		}
		var first, second [][]byte
		for range n {
			id := g.id()
			ids = append(ids, id)
			last[id] = b.write(id, one(), true)
			if rapid.IntRange(0, 9).Draw(rt, "end") == 0 {
				first = append(first, b.pack(1000))
			}
		}
		if len(b.unsent) > 0 {
			first = append(first, b.pack(1000))
		}
		for range rapid.IntRange(1, 40).Draw(rt, "changes") {
			id := rapid.SampledFrom(ids).Draw(rt, "who")
			if rapid.Bool().Draw(rt, "retires") {
				b.write(id, &branchlinev1.Customer{RetiredAt: proto.Int64(rapid.Int64Range(0, 1).Draw(rt, "retired"))}, false)
			} else {
				last[id] = b.write(id, one(), false, naming(2, last[id]), naming(4, last[id]))
			}
			if rapid.IntRange(0, 3).Draw(rt, "end") == 0 {
				second = append(second, b.pack(1000))
			}
		}
		if len(b.unsent) > 0 {
			second = append(second, b.pack(1000))
		}
		for _, p := range slices.Concat(first, second) {
			g.work(b.code, p)
		}
		g.catch()
		for _, p := range slices.Concat(first, second) {
			w.work(b.code, p)
			if rapid.IntRange(0, 3).Draw(rt, "later") > 0 {
				w.catch()
			}
		}
		w.catch()
		for _, r := range []*rig{g, w} {
			r.paired()
			r.checked()
		}
		if a, b := g.derived(), w.derived(); a != b {
			rt.Fatalf("another order gave others:\n%s", differ(a, b))
		}
	})
}
