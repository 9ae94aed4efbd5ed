package golden_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// registrations writes customers as dealers register them: four fifths are parties of
// their own, the others registered again with a slip or another telephone; two of five
// have a car.
func (g *rig) registrations(b *br, n int) (ids []schema.RecordID) {
	r := rand.New(rand.NewPCG(7, 9))
	var parties []*branchlinev1.Customer
	for i := range n {
		var m *branchlinev1.Customer
		if i > 10 && i%5 == 0 {
			m = proto.Clone(parties[r.IntN(len(parties))]).(*branchlinev1.Customer)
			switch r.IntN(3) {
			case 0:
				m.Phones[0].Number = proto.String(fmt.Sprintf("13%09d", r.IntN(1e9)))
			case 1:
				m.Addresses = nil
			}
		} else {
			m = somebody(r, fmt.Sprintf("13%09d", r.IntN(1e9)))
			parties = append(parties, m)
		}
		id := g.id()
		ids = append(ids, id)
		b.write(id, m, true)
		if i%5 < 2 {
			car := g.id()
			b.write(car, &branchlinev1.Vehicle{Plates: []*branchlinev1.PlateTerm{{Plate: proto.String(fmt.Sprintf("沪%c%05d", 'A'+r.IntN(8), r.IntN(100000)))}}}, true)
			b.write(g.id(), &branchlinev1.Tie{Customer: proto.String(id.String()), Vehicle: proto.String(car.String()), Role: branchlinev1.TieRole_OWNER.Enum()}, true)
		}
		if len(b.unsent) > 900 {
			b.send()
		}
	}
	b.send()
	return ids
}

// somebody is a person with a name, a home and the end of an id.
func somebody(r *rand.Rand, phone string) *branchlinev1.Customer {
	family := []rune("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤")
	given := []rune("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红鹏辉健波斌宇浩凯俊峰婷雪慧莹倩琳晶佳欣怡嘉子轩梓涵晨曦志国建文光海山仁波宁贵福生龙元全胜学祥才发武新利清飞彬富顺信昌成康星天达安岩中茂进林有坚和博诚先敬震振壮会思群豪心邦承乐绍功松善厚庆民友裕河哲江超亮政谦亨奇固之轮翰朗伯宏言若鸣朋斌梁栋维启克伦翔旭")
	roads := []string{"张江路", "新华大街", "漕溪北路", "望京街", "江南大道", "人民路", "建设路", "解放路", "中山路", "长江路", "黄河路", "北京路", "南京路", "和平路", "幸福路", "文化路"}
	name := string(family[min(r.IntN(len(family)), r.IntN(len(family)))]) + string(given[r.IntN(len(given))])
	if r.IntN(3) > 0 {
		name += string(given[r.IntN(len(given))])
	}
	m := person(name, phone)
	m.Addresses = []*branchlinev1.Address{{City: proto.String("上海市"), Street: proto.String(fmt.Sprintf("%s%d号%d幢%d室", roads[r.IntN(len(roads))], 1+r.IntN(900), 1+r.IntN(30), 101+r.IntN(900)))}}
	m.IdLast = proto.String(fmt.Sprintf("%04d", r.IntN(10000)))
	m.Type = branchlinev1.CustomerType_PERSON.Enum()
	return m
}

// oneTelephone writes customers who gave none, each with the shop's own number.
func (g *rig) oneTelephone(b *br, n int) (ids []schema.RecordID) {
	r := rand.New(rand.NewPCG(9, 9))
	for i := range n {
		m := somebody(r, "13955501234")
		if i%2 == 0 {
			m.Addresses, m.IdLast = nil, nil
		}
		id := g.id()
		ids = append(ids, id)
		if b.write(id, m, true); len(b.unsent) > 900 {
			b.send()
		}
	}
	b.send()
	return ids
}

// crowds writes customers who have much in common with thousands that the model does not
// know as common: a few names, streets and towns.
func (g *rig) crowds(b *br, n int) (ids []schema.RecordID) {
	r := rand.New(rand.NewPCG(8, 9))
	first := strings.Fields("Anna Bernd Carla Dieter Elif Franz Greta Hassan Ines Jonas Katja Luca Mara Nils Olga Petra Quentin Rosa Stefan Tilda Uwe Vera Wim Yara Zoran")
	last := strings.Fields("Abel Brandt Conrad Demir Ebert Fischer Graf Huber Iversen Jansen Keller Lorenz Meyer Novak Otto Peters Richter Schulz Thoma Ulrich Vogel Weber Yilmaz Zander")
	cities := strings.Fields("Aalen Bremen Celle Dessau Emden Fulda Gera Hamm Ilmenau Jena Kassel Lahr Mainz Neuss Oldenburg Passau")
	streets := strings.Fields("Birkenweg Dorfstrasse Hauptstrasse Industriestrasse Kirchgasse Lindenallee Marktplatz Ringstrasse Schulweg Talblick")
	of := func(l []string) string { return l[r.IntN(len(l))] }
	for i := range n {
		f, l := of(first), of(last)
		m := person(f+" "+l, fmt.Sprintf("+49 %d", 1000000000+r.IntN(899999999)))
		m.Type = branchlinev1.CustomerType_PERSON.Enum()
		m.Emails = []string{strings.ToLower(fmt.Sprintf("%s.%s%d@example.net", f, l, i))}
		m.Addresses = []*branchlinev1.Address{{City: proto.String(of(cities)), Street: proto.String(fmt.Sprintf("%s %d", of(streets), 1+r.IntN(180)))}}
		id := g.id()
		ids = append(ids, id)
		if b.write(id, m, true); len(b.unsent) > 900 {
			b.send()
		}
	}
	b.send()
	return ids
}

// BenchmarkGroup groups registrations behind the line, then changes one after the other.
func BenchmarkGroup(b *testing.B) {
	for _, of := range []struct {
		name string
		fill func(*rig, *br, int) []schema.RecordID
		n    int
	}{
		{"registrations", (*rig).registrations, 2_000},
		{"registrations", (*rig).registrations, 20_000},
		{"registrations", (*rig).registrations, 80_000},
		{"crowds", (*rig).crowds, 20_000},
		{"crowds", (*rig).crowds, 80_000},
		{"telephone", (*rig).oneTelephone, 20_000},
		{"telephone", (*rig).oneTelephone, 100_000},
	} {
		n := of.n
		b.Run(fmt.Sprintf("%s/%d", of.name, n), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				g := newRig(b, nil)
				x := g.branch("b01")
				ids := of.fill(g, x, n)
				b.StartTimer()
				began, used := time.Now(), processor()
				g.catch()
				b.ReportMetric(float64(n)/time.Since(began).Seconds(), "customers/s")
				b.ReportMetric(float64(n)/(processor()-used).Seconds(), "customers/cpu-s")
				const changes = 100
				var took, busy time.Duration
				for i := range changes {
					x.write(ids[i*(n/changes)], person(fmt.Sprintf("改名%d", i), fmt.Sprintf("139%08d", i)), false)
					x.send()
					began, used := time.Now(), processor()
					g.catch()
					took, busy = took+time.Since(began), busy+processor()-used
				}
				b.ReportMetric(float64(took.Microseconds())/changes/1000, "ms/change")
				b.ReportMetric(float64(busy.Microseconds())/changes/1000, "cpu-ms/change")
				b.ReportMetric(0, "ns/op")
				g.close()
			}
		})
	}
}

// processor is the time this process has had, on whatever machine it shares.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
