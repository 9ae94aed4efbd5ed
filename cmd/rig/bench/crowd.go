package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/cmd/rig/town"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/number"
	"branchline/schema/vin"
	edits "branchline/sync/edit"
	"branchline/sync/merge"
)

// crowd is a branch after six years: its customers with their cars and ties, an order every three
// minutes or so and a line of work on each, in the order in which they came. A fifth of the orders
// bring a new customer. The last fifty are open.
type crowd struct {
	customers, orders int
	names             *town.Counters
	rand              *rand.Rand
	from              time.Time
	step              time.Duration
	known             []guest // who have come so far
	house             *house  // writes what else a branch has; nil: nothing

	// Of the record being put.
	ids  *schema.IDs
	at   time.Time
	home schema.BranchID
	rev  int64
	page *wirev1.Page
}

// guest is who came and with what.
type guest struct {
	id, car     schema.RecordID
	name, phone string
	plate, vin  string
	order       string // the number of the last one
}

const (
	crowdYears = 6
	stillOpen  = 50
)

func (r *runner) crowd(customers, orders int) (*crowd, error) {
	names, err := town.NewCounters(r.Seed, customers)
	if err != nil {
		return nil, err
	}
	span := crowdYears * 365 * 24 * time.Hour
	c := &crowd{
		customers: customers, orders: orders, names: names, rand: rand.New(rand.NewPCG(r.Seed, 0x5ea7c4)),
		from: r.Now().Add(-span), step: span / time.Duration(orders),
	}
	c.ids = schema.NewIDs(func() time.Time { return c.at }, r.Rand)
	return c, nil
}

// settle writes all of it into an enrolled store as pages of headquarters' feed, a thousand records each: the path by
// which a branch's new machine gets all it holds, rows and index as an edit writes them, without a log of own changes.
func (c *crowd) settle(r *runner, st *store.Store) error {
	if c.page == nil {
		c.page = &wirev1.Page{Epoch: 7}
	}
	flush := func() error {
		c.page.LastRev, c.page.HqRev = c.rev, c.rev+1
		err := st.ApplyPage(r.ctx, c.page)
		c.page = &wirev1.Page{Epoch: 7}
		return err
	}
	for i := range c.orders {
		if err := c.visit(i); err != nil {
			return fmt.Errorf("crowd: %w", err)
		}
		if len(c.page.Rows) >= batchRows {
			if err := flush(); err != nil {
				return err
			}
		}
		if i%20_000 == 0 { // a page after the other leaves the journal no moment to begin anew
			if err := st.DB().Checkpoint(r.ctx); err != nil {
				return err
			}
		}
		if i%(c.orders/10) == 0 {
			r.step("writing a branch of %d customers and %d orders: %d %%", c.customers, c.orders, 100*i/c.orders)
		}
	}
	return flush()
}

// put is a record as headquarters tells it.
func (c *crowd) put(m proto.Message) (schema.RecordID, error) {
	id, err := c.ids.New()
	if err != nil {
		return id, err
	}
	k := schema.KindOfMessage(m)
	values, err := edits.Create(k, m)
	if err != nil {
		return id, err
	}
	c.rev++
	state, ok := merge.EncodeFresh(schema.Stamp{At: schema.TickAt(c.at), Branch: c.home, Inc: 7, Seq: schema.Seq(c.rev)}, &wirev1.ChangeBody{Values: values})
	if !ok {
		return id, fmt.Errorf("a fresh %s has no short form", k.Name)
	}
	c.page.Rows = append(c.page.Rows, &wirev1.Row{Row: wirev1.RowKind_RECORD, Rev: c.rev, Kind: uint32(k.Kind), Record: id[:], State: state, Home: string(c.home)})
	return id, nil
}

// visit is one order, and its customer and car where they are new.
func (c *crowd) visit(i int) error {
	c.at = c.from.Add(time.Duration(i) * c.step)
	day := c.at.UTC().Format(time.DateOnly)
	who := c.rand.IntN(max(1, len(c.known)))
	if c.home = "b1"; c.rand.IntN(5) == 0 {
		c.home = "b2"
	}
	if len(c.known)*c.orders <= i*c.customers {
		g, err := c.guest(len(c.known), day)
		if err != nil {
			return err
		}
		who = len(c.known)
		c.known = append(c.known, g)
	}
	g := &c.known[who]
	no, err := number.Number{Branch: c.home, Life: 'a', Day: day, Counter: 1 + i%9000}.Format()
	if err != nil {
		return err
	}
	g.order = no
	state := branchlinev1.OrderState_HANDED_OVER
	if i >= c.orders-stillOpen {
		state = branchlinev1.OrderState(2 + i%8)
	}
	order, err := c.put(&branchlinev1.ServiceOrder{
		Number: &no, Branch: proto.String(string(c.home)), Customer: proto.String(g.id.String()), Vehicle: proto.String(g.car.String()), Day: &day,
		State: &state, Plate: &g.plate, Vin: &g.vin, OpenedAt: proto.Int64(c.at.UnixMilli()), OdometerKm: proto.Int64(int64(1000 + c.rand.IntN(150_000))),
		Complaint: proto.String(pick(c.rand, complaints)), Adviser: proto.String("zm"),
	})
	if err != nil {
		return err
	}
	item, amount := pick(c.rand, works), int64(1000*(5+c.rand.IntN(200)))
	line, err := c.put(&branchlinev1.ServiceLine{
		Order: proto.String(order.String()), Item: &item, State: branchlinev1.LineState_LINE_DONE.Enum(), Amount: &amount, Currency: proto.String("CNY"),
	})
	if err != nil || c.house == nil {
		return err
	}
	return c.house.visit(i, order, line, g, day, amount)
}

// guest is a new customer with a car and the tie between them.
func (c *crowd) guest(i int, day string) (g guest, err error) {
	reg := c.names.Registration(i, 0)
	g = guest{name: reg.Name, plate: c.plate(), vin: c.vin()}
	m := &branchlinev1.Customer{Type: branchlinev1.CustomerType_PERSON.Enum(), Name: &g.name}
	if reg.Type == "company" {
		m.Type = branchlinev1.CustomerType_COMPANY.Enum()
	}
	for p := range strings.FieldsFuncSeq(reg.Phones, func(r rune) bool { return r == '/' || r == ';' }) {
		m.Phones = append(m.Phones, &branchlinev1.Phone{Number: proto.String(p)})
	}
	if len(m.Phones) > 0 {
		g.phone = m.Phones[0].GetNumber()
	}
	if reg.Address != "" {
		m.Addresses = []*branchlinev1.Address{{Street: proto.String(reg.Address)}}
	}
	if g.id, err = c.put(m); err != nil {
		return g, err
	}
	if g.car, err = c.put(&branchlinev1.Vehicle{
		Vin: &g.vin, Plates: []*branchlinev1.PlateTerm{{Plate: &g.plate, From: &day}}, Brand: proto.String("大众"), Model: proto.String(pick(c.rand, models)),
	}); err != nil {
		return g, err
	}
	_, err = c.put(&branchlinev1.Tie{
		Customer: proto.String(g.id.String()), Vehicle: proto.String(g.car.String()), Role: branchlinev1.TieRole_OWNER.Enum(), From: &day,
	})
	return g, err
}

// plate is one of a branch in Shanghai: five of six are of the town, every fifth is an electric car's.
func (c *crowd) plate() string {
	where := "沪"
	if c.rand.IntN(6) == 0 {
		where = pick(c.rand, []string{"苏", "浙", "皖", "鲁", "豫", "京", "粤"})
	}
	s := where + pick(c.rand, []string{"A", "A", "A", "B", "B", "C", "D", "E", "F", "G"})
	if c.rand.IntN(5) == 0 {
		s += pick(c.rand, []string{"D", "F"})
	}
	n := c.rand.IntN(100_000)
	if c.rand.IntN(3) == 0 {
		return s + fmt.Sprintf("%04d%s", n%10_000, pick(c.rand, strings.Split("ABCDEFGHJKLMNPQRSTUVWXYZ", "")))
	}
	return s + fmt.Sprintf("%05d", n)
}

// vin has a check digit that fits.
func (c *crowd) vin() string {
	s := pick(c.rand, []string{"LSVAM41A", "LSVCH61A", "LFV2A21K", "LVSHCAMB", "LGXCE6CB"}) + "0" + pick(c.rand, []string{"K", "L", "M", "N", "P", "R"}) + "2" + fmt.Sprintf("%06d", c.rand.IntN(1_000_000))
	if d, ok := vin.CheckDigit(s); ok {
		s = s[:8] + string(d) + s[9:]
	}
	return s
}

func pick(r *rand.Rand, of []string) string { return of[r.IntN(len(of))] }

var (
	models     = strings.Fields("途观L 帕萨特 朗逸 途岳 迈腾 速腾 探岳 宝来 途昂 ID.4")
	complaints = strings.Fields("保养 左前轮异响 空调不冷 刹车有异响 冷车抖动 发动机故障灯亮 更换轮胎 转向沉 年检前检查 蓄电池亏电 漏油 前杠刮擦")
	works      = strings.Fields("更换机油机滤 更换空调滤芯 更换空气滤芯 四轮定位 更换前制动片 更换后制动片 更换制动液 更换火花塞 清洗节气门 更换蓄电池 更换雨刮片 轮胎换位 前保险杠喷漆 左前门钣金 空调系统清洗 更换防冻液 更换变速箱油 检查底盘 更换左前减振器 读取故障码")
)
