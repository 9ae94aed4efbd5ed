package town

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/han"
)

// Registration is one customer as one counter wrote it down.
type Registration struct {
	ID    string // branch/number
	Truth int    // who it is
	Day   string

	Name, Other, Phones, Last4, IDHash, Address, Email, Birthday, Plates, VINs string

	Type    string // person or company, as the counter ticked
	Company string // of a counter that has a column for it
}

// Counters make up any number of registrations: people and firms who register again and
// again, with slips of the pen; families with one telephone, address or car; contacts of
// firms who are customers themselves; affiliates; cars sold on; numbers given anew. Each
// customer is a function of the seed and its number alone.
type Counters struct {
	t    *Town
	seen int // customers
}

// NewCounters serves so many customers.
func NewCounters(seed uint64, customers int) (*Counters, error) {
	tab, err := readTables()
	if err != nil {
		return nil, fmt.Errorf("town: %w", err)
	}
	return &Counters{&Town{cfg: Config{Seed: seed}, tables: tab}, customers}, nil
}

// Customers is how many there are.
func (c *Counters) Customers() int { return c.seen }

// client is a customer as he is.
type client struct {
	company, latin       bool
	name, written        string // written: in Latin letters
	phones, plates, vins []string
	tail, token          string
	at                   abode
	old                  abode // before a move
	email, born          string
	contacts             []string
	city                 city
	times                int
}

type abode struct {
	city             city
	area, road       string
	house, flat, num int
}

// how a family hangs together: what client i has of client i-1.
func (c *Counters) kin(i int) bool { return i > 0 && c.t.dice("kin", i).chance(.13) }

func (c *Counters) firm(i int) bool { return c.t.dice("firm", i).chance(.11) }

// client makes the nth customer. Those he shares something with are made too, without
// what they share in turn.
func (c *Counters) client(i int, alone bool) client {
	d := c.t.dice("client", i)
	var p client
	p.company = c.firm(i)
	p.city = c.t.tables.cities[d.IntN(len(c.t.tables.cities))]
	p.at, p.old = c.abode(d, p.city), c.abode(d, p.city)
	p.phones = []string{mobile(d)}
	for range 1 + d.IntN(2)*d.IntN(2) {
		c.car(d, &p)
	}
	if p.company {
		c.firmOf(d, &p)
	} else {
		c.personOf(d, &p)
	}
	if alone || i < 20 {
		return p
	}
	switch x := d.Float64(); {
	case c.kin(i) && !p.company:
		c.relate(d, &p, i)
	case x < .05: // a car bought of somebody
		o := c.client(i-3-d.IntN(9), true)
		p.vins[0] = o.vins[0]
		if d.chance(.3) {
			p.plates[0] = o.plates[0]
		}
	case x < .07: // a number given anew
		o := c.client(i-2-d.IntN(9), true)
		p.phones[0] = o.phones[len(o.phones)-1]
	case p.company && x < .2: // an affiliate
		for j := i - 1; j > max(0, i-60); j-- {
			if !c.firm(j) {
				continue
			}
			o := c.client(j, true)
			stem := []rune(strings.TrimPrefix(o.name, strings.TrimSuffix(o.city.name, "市")))
			p.city, p.at = o.city, o.at
			c.firmNamed(d, &p, string(stem[:2]))
			break
		}
	case !p.company && x < .08: // a firm's contact as a customer of his own
		for j := i - 1; j > max(0, i-60); j-- {
			if c.firm(j) {
				o := c.client(j, true)
				p.name, p.latin = o.contacts[0], false
				p.written = romanised(d, p.name)
				p.phones[0] = o.phones[0]
				break
			}
		}
	}
	return p
}

func (c *Counters) personOf(d dice, p *client) {
	if d.chance(.04) {
		p.latin = true
		p.name = d.pick(latinGiven) + " " + d.pick(latinFamily)
		p.written = p.name
	} else {
		p.name = c.t.name(d, d.chance(.4))
		p.written = romanised(d, p.name)
	}
	p.tail = fmt.Sprintf("%03d", d.IntN(1000)) + d.pick(strings.Fields("0 1 2 3 4 5 6 7 8 9 X"))
	p.token = fmt.Sprintf("%016x", d.Uint64())
	p.born = fmt.Sprintf("%d-%02d-%02d", 1945+int(60*d.Float64()), 1+d.IntN(12), 1+d.IntN(28))
	p.email = strings.ToLower(strings.ReplaceAll(p.written, " ", d.pick([]string{"", ".", "_"}))) + fmt.Sprint(d.IntN(1000)) + "@" + d.pick([]string{"qq.com", "163.com", "126.com", "gmail.com", "outlook.com", "sina.com"})
	if d.chance(.35) {
		p.email = fmt.Sprint(100_000_000+d.IntN(900_000_000)) + "@qq.com"
	}
	if d.chance(.15) {
		p.phones = append(p.phones, mobile(d))
	}
	p.times = 1 + min(9, int(d.ExpFloat64()*1.1))
}

func (c *Counters) firmOf(d dice, p *client) {
	stem := c.t.tables.given[d.IntN(160)] + c.t.tables.given[d.IntN(160)]
	if d.chance(.3) {
		stem += c.t.tables.given[d.IntN(160)]
	}
	c.firmNamed(d, p, stem)
	p.phones = append(p.phones, p.city.landline(d))
	for range 1 + d.IntN(3) {
		p.contacts = append(p.contacts, c.t.name(d, d.chance(.4)))
	}
	const codes = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	for range 4 {
		p.tail += string(codes[d.IntN(len(codes))])
	}
	p.token = fmt.Sprintf("%016x", d.Uint64())
	p.times = 1 + min(24, int(d.ExpFloat64()*3))
	if d.chance(.25) { // a fleet, whose cars have numbers in a row
		v := p.vins[0][:14]
		for k := range 4 + d.IntN(20) {
			p.vins = append(p.vins, fmt.Sprintf("%s%03d", v, k))
			p.plates = append(p.plates, makePlate(d, p.city, d.pick([]string{"纯电", "汽油"})))
		}
	}
}

func (c *Counters) firmNamed(d dice, p *client, stem string) {
	trade := d.pick(trades)
	p.name = strings.TrimSuffix(p.city.name, "市") + stem + trade + d.pick([]string{"有限公司", "有限公司", "有限责任公司", "股份有限公司"})
	p.written = latinFirm(stem, trade)
}

var latinTrades = map[string]string{"贸易": "Trading", "物流": "Logistics", "科技": "Technology", "餐饮管理": "Catering", "广告": "Advertising", "电子": "Electronics", "食品": "Foods", "汽车租赁": "Car Rental", "医疗器械": "Medical Device", "建筑工程": "Construction"}

func latinFirm(stem, trade string) string {
	s := han.Pinyin(stem).Full()
	t := latinTrades[trade]
	if s == "" || t == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + " " + t + " Co., Ltd."
}

func (c *Counters) car(d dice, p *client) {
	p.plates = append(p.plates, makePlate(d, p.city, d.pick([]string{"纯电", "汽油", "汽油"})))
	p.vins = append(p.vins, makeVIN(d.pick([]string{"LSVAM41A", "LFVBA21C", "LGBXE31D", "LHGCR22E", "LBVHA41A", "WDDAB51A", "LRWYG11B"}), 2012+d.IntN(14), d.IntN(4_000_000)))
}

func (c *Counters) abode(d dice, at city) abode {
	return abode{at, d.pick(at.areas), d.pick(streets), 1 + d.IntN(40), 100*(1+d.IntN(30)) + 1 + d.IntN(8), 1 + d.IntN(1999)}
}

// relate makes client i one of the family of the one before.
func (c *Counters) relate(d dice, p *client, i int) {
	o := c.client(i-1, true)
	if o.company {
		return
	}
	if d.chance(.6) && !o.latin && !p.latin {
		r, q := []rune(p.name), []rune(o.name)
		r[0] = q[0]
		if d.chance(.35) && len(r) == 3 && len(q) == 3 {
			r[1] = q[1]
		}
		if p.name = string(r); p.name == o.name {
			p.name += "平"
		}
		p.written = romanised(d, p.name)
	}
	if d.chance(.75) {
		p.city, p.at, p.old = o.city, o.at, o.old
	}
	if d.chance(.6) {
		p.phones[0] = o.phones[0]
	}
	if d.chance(.4) {
		p.vins[0], p.plates[0] = o.vins[0], o.plates[0]
	}
}

var (
	latinGiven  = strings.Fields("James John Robert Michael William David Richard Thomas Mary Linda Susan Karen Laura Sarah Alexander Daniel Anna Peter Paul Emma Oliver Sophie Marco Ivan Yuki Hiroshi")
	latinFamily = strings.Fields("Smith Johnson Williams Brown Jones Garcia Miller Davis Wilson Anderson Taylor Moore Clark Hall Walker Young King Wright Rossi Ivanov Tanaka Suzuki Mueller Schmidt Dubois Novak")
)

func romanised(d dice, name string) string {
	rs := han.Pinyin(name)
	if len(rs) == 0 {
		return name
	}
	title := func(s string) string {
		if s == "" {
			return s
		}
		return strings.ToUpper(s[:1]) + s[1:]
	}
	f, g := title(strings.Join(rs[0].Family, "")), title(strings.Join(rs[0].Given, ""))
	switch d.IntN(4) {
	case 0:
		return g + " " + f
	case 1:
		return f + ", " + g
	case 2:
		return strings.ToUpper(f + " " + g)
	}
	return f + " " + g
}

// Times is how often the nth customer registers.
func (c *Counters) Times(i int) int { return c.client(i, true).times }

// Registration is the kth of the nth customer.
func (c *Counters) Registration(i, k int) Registration {
	p := c.client(i, false)
	d := c.t.dice("counter", i*64+k)
	branch := d.IntN(60)
	r := Registration{
		ID: fmt.Sprintf("B%02d/%07d", branch, i*31+k), Truth: i,
		Day: fmt.Sprintf("%d-%02d-%02d", 2019+d.IntN(8), 1+d.IntN(12), 1+d.IntN(28)), Type: "person",
	}
	if r.Name = c.nameAt(d, &p); p.company {
		r.Type = "company"
		firm := r.Name
		switch x := d.Float64(); {
		case x < .22: // the contact stands where the name should
			r.Name, r.Company = d.pick(p.contacts), firm
			if d.chance(.5) {
				r.Type = "person"
			}
			r.Other = firm
		case x < .45:
			r.Company = firm
		}
	} else if d.chance(.08) && !p.latin {
		if r.Other = p.written; d.chance(.4) {
			r.Other = ""
			r.Name += " " + p.written
		}
	}
	if d.chance(.62) {
		if r.Last4 = p.tail; d.chance(.012) {
			r.Last4 = slipOne(d, p.tail)
		}
		if d.chance(.3) {
			r.Last4 = strings.ToLower(r.Last4)
		}
		if d.chance(.4) {
			r.IDHash = p.token
		}
	}
	r.Phones = c.phonesAt(d, &p)
	if d.chance(.8) {
		at := p.at
		if d.chance(.08) {
			at = p.old
		}
		r.Address = at.written(d)
	}
	if d.chance(.15) {
		r.Email = p.email
	}
	if p.born != "" && d.chance(.4) {
		if r.Birthday = p.born; d.chance(.03) {
			r.Birthday = slipOne(d, p.born)
		}
	}
	r.Plates, r.VINs = c.carsAt(d, &p)
	return r
}

func (c *Counters) nameAt(d dice, p *client) string {
	if p.company {
		n := p.name
		switch x := d.Float64(); {
		case x < .10:
			return strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(n, strings.TrimSuffix(p.city.name, "市")), "有限公司"), "有限责任公司")
		case x < .18:
			return strings.TrimPrefix(n, strings.TrimSuffix(p.city.name, "市"))
		case x < .28 && strings.HasPrefix(n, strings.TrimSuffix(p.city.name, "市")):
			at := strings.TrimSuffix(p.city.name, "市")
			return at + "市" + strings.TrimPrefix(n, at)
		case x < .34:
			return traditional(n)
		case x < .42 && p.written != "":
			return p.written
		case x < .44:
			rs := []rune(n)
			j := 1 + d.IntN(len(rs)-3)
			rs[j], rs[j+1] = rs[j+1], rs[j]
			return string(rs)
		}
		return n
	}
	rs := []rune(p.name)
	switch x := d.Float64(); {
	case p.latin && x < .1:
		return "Mr. " + p.name
	case p.latin && x < .25:
		g, f, _ := strings.Cut(p.name, " ")
		return f + ", " + g
	case p.latin && x < .3:
		return slipOne(d, p.name)
	case p.latin:
		return p.name
	case x < .04:
		for j := len(rs) - 1; j >= 0; j-- {
			if o, ok := alike[rs[j]]; ok {
				rs[j] = o
				break
			}
		}
		return string(rs)
	case x < .055 && len(rs) == 3:
		rs[1+d.IntN(2)] = []rune(d.pick(c.t.tables.given[:200]))[0]
		return string(rs)
	case x < .10:
		return traditional(p.name)
	case x < .15:
		return p.written
	case x < .18:
		return string(rs[:1]) + d.pick([]string{"先生", "女士", "总", "老师"})
	case x < .21:
		return p.name + d.pick([]string{"先生", " VIP", "女士", "(本人)"})
	case x < .24:
		return string(rs[:1]) + d.pick([]string{" ", "　"}) + string(rs[1:])
	case x < .247 && len(rs) == 3:
		return string([]rune{rs[0], rs[2], rs[1]})
	}
	return p.name
}

func (c *Counters) phonesAt(d dice, p *client) string {
	n := d.pick(p.phones)
	switch x := d.Float64(); {
	case x < .05:
		return ""
	case x < .065:
		return d.pick([]string{"13800000000", "11111111111", "13800138000", "4008201234", "00000000", "12345678901", "95511"})
	case x < .10:
		n = mobile(d) // a number of a time
	case x < .13:
		return strings.Join(p.phones, "/")
	case x < .15:
		n = slipOne(d, n)
	}
	switch x := d.Float64(); {
	case len(n) == 11 && x < .15:
		return n[:3] + "-" + n[3:7] + "-" + n[7:]
	case len(n) == 11 && x < .3:
		return n[:3] + " " + n[3:7] + " " + n[7:]
	case x < .4:
		return d.pick([]string{"+86", "86-", "0086", "手机"}) + n
	case strings.Contains(n, "-") && x < .6:
		return n[strings.IndexByte(n, '-')+1:]
	case strings.Contains(n, "-") && x < .75:
		return n + d.pick([]string{"转", "-", " ext "}) + fmt.Sprint(100+d.IntN(900))
	}
	return n
}

func (a abode) written(d dice) string {
	area := strings.TrimSuffix(a.area, "区")
	switch x := d.Float64(); {
	case x < .2:
		return fmt.Sprintf("%s%s弄%d-%d", area+a.road, fmt.Sprint(a.num), a.house, a.flat)
	case x < .35:
		return fmt.Sprintf("%s%s%s%d号%d号楼%d", strings.TrimSuffix(a.city.name, "市"), a.area, a.road, a.num, a.house, a.flat)
	case x < .5:
		return fmt.Sprintf("%s%d号", a.road, a.num)
	case x < .55:
		return traditional(fmt.Sprintf("%s%s%s%d号%d幢%d室", a.city.name, a.area, a.road, a.num, a.house, a.flat))
	case x < .57:
		return fmt.Sprintf("%s%s%s%d号%d幢%d室", a.city.name, a.area, a.road, 1+d.IntN(1999), a.house, a.flat)
	}
	return fmt.Sprintf("%s%s%s%d号%d%s%d室", a.city.name, a.area, a.road, a.num, a.house, d.pick([]string{"幢", "栋"}), a.flat)
}

// carsAt are the cars a visit was about: mostly one.
func (c *Counters) carsAt(d dice, p *client) (plates, vins string) {
	k := d.IntN(len(p.vins))
	var pl, vs []string
	for j := range p.vins {
		if j != k && !d.chance(.12) || len(vs) > 3 {
			continue
		}
		v, n := p.vins[j], p.plates[j]
		switch x := d.Float64(); {
		case x < .12:
			v = v[9:]
		case x < .14:
			v = slipOne(d, v)
		}
		switch x := d.Float64(); {
		case x < .12:
			n = strings.ToLower(n)
		case x < .24:
			n = string([]rune(n)[:2]) + d.pick([]string{"·", "-", " "}) + string([]rune(n)[2:])
		case x < .28:
			n = string([]rune(n)[1:])
		}
		vs, pl = append(vs, v), append(pl, n)
	}
	if d.chance(.68) {
		plates = strings.Join(pl, ";")
	}
	if d.chance(.75) {
		vins = strings.Join(vs, ";")
	}
	return plates, vins
}

// slipOne changes one character or exchanges two neighbours.
func slipOne(d dice, s string) string {
	rs := []rune(s)
	if len(rs) < 3 {
		return s
	}
	i := d.IntN(len(rs) - 1)
	if d.chance(.4) {
		rs[i], rs[i+1] = rs[i+1], rs[i]
	} else if rs[i] >= '0' && rs[i] <= '9' {
		rs[i] = rune('0' + d.IntN(10))
	} else {
		rs[i] = rune('A' + d.IntN(24))
	}
	return string(rs)
}

// Order is a mixed order of all registrations, as customer and number.
func (c *Counters) Order() [][2]int32 {
	var out [][2]int32
	for i := range c.seen {
		for k := range c.Times(i) {
			out = append(out, [2]int32{int32(i), int32(k)})
		}
	}
	d := c.t.dice("order", 0)
	d.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// Values are what a registration says, in the order of the columns customers are matched by.
func (r Registration) Values() []string {
	return []string{r.Name, r.Other, r.Phones, r.Last4, r.IDHash, r.Address, r.Email, r.Birthday, r.Plates, r.VINs, r.Type}
}

// Customer is the registration as a desk's form takes it: without what no form lets pass.
func (r Registration) Customer() *branchlinev1.Customer {
	m := &branchlinev1.Customer{Name: proto.String(r.Name), Type: branchlinev1.CustomerType_PERSON.Enum()}
	if r.Type == "company" {
		m.Type = branchlinev1.CustomerType_COMPANY.Enum()
	}
	if r.Other != "" {
		m.OtherNames = []string{r.Other}
	}
	if r.Phones != "" {
		for p := range strings.SplitSeq(r.Phones, "/") {
			m.Phones = append(m.Phones, &branchlinev1.Phone{Number: proto.String(p)})
		}
	}
	if r.Address != "" {
		m.Addresses = []*branchlinev1.Address{{Street: proto.String(r.Address)}}
	}
	if _, err := time.Parse(time.DateOnly, r.Birthday); err == nil {
		m.Birthday = proto.String(r.Birthday)
	}
	if r.Email != "" {
		m.Emails = []string{r.Email}
	}
	return m
}

// Family are the pairs of customers who are of one family, the later first.
func (c *Counters) Family() [][2]int {
	var out [][2]int
	for i := 20; i < c.seen; i++ {
		if c.kin(i) && !c.firm(i) && !c.firm(i-1) {
			out = append(out, [2]int{i, i - 1})
		}
	}
	return slices.Clip(out)
}
