package town

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/vin"
)

// A design is a model the group sells and looks after.
type design struct {
	brand, name string
	variants    []string
	vds         string // places 1 to 8 of the VIN
	energy      string
	km, months  int // service interval, whichever comes first
	hour        int // labour rate, yuan
	weight      int
}

var designs = []design{
	{"远驰", "云途 A5", []string{"1.5L 手动舒适型", "1.5L CVT 豪华型"}, "LYCAA11B", "汽油", 7_500, 6, 260, 22},
	{"远驰", "云途 X7", []string{"1.5T DCT 精英型", "2.0T 8AT 四驱旗舰型"}, "LYCBX21C", "汽油", 10_000, 6, 300, 26},
	{"远驰", "云途 M8", []string{"2.0T 七座商务版", "2.0T 七座尊享版"}, "LYCCM31D", "汽油", 10_000, 6, 320, 8},
	{"远驰", "云途 X7 DM", []string{"1.5T 插电混动 120km", "1.5T 插电混动 200km"}, "LYCBH22E", "插电混动", 10_000, 12, 300, 12},
	{"星禾", "E3", []string{"410km 标准版", "510km 长续航版"}, "LXHEA41A", "纯电", 20_000, 12, 280, 16},
	{"星禾", "E6", []string{"605km 后驱版", "580km 四驱性能版"}, "LXHEC51A", "纯电", 20_000, 12, 340, 9},
	{"其他品牌", "轿车", []string{""}, "LZZAB11A", "汽油", 5_000, 6, 240, 7},
}

var colours = strings.Fields("珍珠白 曜石黑 星光银 极地灰 深海蓝 烈焰红 松石绿")

// car is one car as it is.
type car struct {
	owner, driver int // people; driver -1 when the owner drives
	design        int
	variant       string
	vin, plate    string
	built, sold   time.Time
	soldHere      bool
	engine        string
	colour        string
	daily         float64 // km a day
	lapsed        time.Time
	writtenAt     map[int]time.Time // by branch
	orders        int
}

// drive gives people their cars.
func (t *Town) drive() {
	var sums []int
	sum := 0
	for _, d := range designs {
		sum += d.weight
		sums = append(sums, sum)
	}
	plates := map[string]bool{}
	var carless []int
	for i := range t.people {
		p := &t.people[i]
		d := t.dice("garage", i)
		n := 1
		switch {
		case p.company:
			n = 1 + d.IntN(6)
		case d.chance(0.08):
			n = 0
			carless = append(carless, i)
		case d.chance(0.09):
			n = 2
		}
		for range n {
			p.cars = append(p.cars, len(t.cars))
			t.cars = append(t.cars, t.car(len(t.cars), i, d, sums, plates))
		}
	}
	// Some of those without a car drive another's: of one family, at one address.
	for _, i := range carless {
		d := t.dice("driver", i)
		c := &t.cars[d.IntN(max(1, len(t.cars)))]
		if o := &t.people[c.owner]; d.chance(0.5) && c.driver < 0 && o.home == t.people[i].home {
			c.driver = i
			if !o.company {
				t.people[i].address = o.address
			}
		}
	}
}

func (t *Town) car(n, owner int, d dice, sums []int, plates map[string]bool) car {
	p := &t.people[owner]
	c := car{owner: owner, driver: -1, design: d.weighted(sums), writtenAt: map[int]time.Time{}}
	m := designs[c.design]
	c.variant = d.pick(m.variants)
	age := int(8 * 365 * d.Float64() * (0.4 + 0.6*d.Float64()))
	c.sold = d.hour(t.cfg.Today.AddDate(0, 0, -age-1))
	c.built = c.sold.AddDate(0, 0, -20-d.IntN(120))
	c.soldHere = m.brand != "其他品牌" && d.chance(0.75)
	c.daily = 12 + 55*d.Float64()*d.Float64()
	if p.company {
		c.daily *= 1.8
	}
	c.vin = makeVIN(m.vds, c.built.Year(), n)
	c.engine = fmt.Sprintf("%c%07d", 'A'+rune(d.IntN(8)), d.IntN(10_000_000))
	c.colour = d.pick(colours)
	if d.chance(0.18) {
		c.lapsed = t.cfg.Today.AddDate(0, -1-d.IntN(20), 0)
	}
	for {
		c.plate = makePlate(d, t.tables.cities[p.city], m.energy)
		if !plates[c.plate] {
			plates[c.plate] = true
			return c
		}
	}
}

const yearCodes = "ABCDEFGHJKLMNPRSTVWXY123456789" // 1980 and 2010 are A

// makeVIN puts together a number with its check digit; n makes it unique.
func makeVIN(vds string, year, n int) string {
	v := fmt.Sprintf("%s0%c%c%06d", vds, yearCodes[(year-1980)%30], "ACDHN"[n/1_000_000%5], n%1_000_000)
	c, ok := vin.CheckDigit(v)
	if !ok {
		return v // a VDS of this file holds a letter that no number has; the tests look
	}
	return v[:8] + string(c) + v[9:]
}

const plateLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ"

func makePlate(d dice, c city, energy string) string {
	head := c.plate + string(c.letters[d.IntN(len(c.letters))])
	switch energy {
	case "纯电":
		return head + d.pick([]string{"D", "D", "D", "A", "B"}) + fmt.Sprintf("%05d", d.IntN(100_000))
	case "插电混动":
		return head + d.pick([]string{"F", "F", "G"}) + fmt.Sprintf("%05d", d.IntN(100_000))
	}
	b := []byte(fmt.Sprintf("%05d", d.IntN(100_000)))
	for range d.IntN(3) {
		b[d.IntN(5)] = plateLetters[d.IntN(len(plateLetters))]
	}
	return head + string(b)
}

// odometer is the true reading at a moment, in kilometres.
func (c *car) odometer(at time.Time) int64 {
	return 9 + int64(c.daily*at.Sub(c.sold).Hours()/24)
}

// vehicle is the record a branch writes of a car.
func (t *Town) vehicle(i, branch int) *branchlinev1.Vehicle {
	c := &t.cars[i]
	m := designs[c.design]
	d := t.dice("vehicle", i*64+branch)
	number, plate := c.vin, c.plate
	checked := true
	if branch != t.people[c.owner].home {
		switch x := d.Float64(); {
		case x < 0.015: // two places changed round
			b := []byte(number)
			j := d.between(11, 15)
			b[j], b[j+1] = b[j+1], b[j]
			number = string(b)
		case x < 0.03:
			number = ""
		case x < 0.05:
			plate = string([]rune(plate)[1:])
		}
		checked = vin.Check(number).Checked()
	}
	v := &branchlinev1.Vehicle{
		Brand: proto.String(m.brand), Model: proto.String(m.name), Energy: proto.String(m.energy), Colour: proto.String(c.colour),
		ModelYear:    proto.Int32(int32(c.built.Year())),
		Plates:       []*branchlinev1.PlateTerm{{Plate: proto.String(plate), From: proto.String(dayOf(c.sold.AddDate(0, 0, 3)))}},
		RegisteredOn: proto.String(dayOf(c.sold.AddDate(0, 0, 3))),
		SoldOn:       proto.String(dayOf(c.sold)),
		EngineNumber: proto.String(c.engine),
	}
	if number != "" {
		v.Vin, v.VinChecked = proto.String(number), proto.Bool(checked)
	}
	if c.variant != "" {
		v.Variant = proto.String(c.variant)
	}
	if c.soldHere {
		v.BuiltOn = proto.String(dayOf(c.built))
		v.SellingDealer = proto.String(t.sites[t.people[c.owner].home].name)
		v.ProductionNumber = proto.String("P" + c.vin[9:])
		v.Warranties = []*branchlinev1.Warranty{{Name: proto.String("整车包修"), From: proto.String(dayOf(c.sold)), Months: proto.Int32(36), Km: proto.Int64(100_000)}}
		if m.energy != "汽油" {
			v.Warranties = append(v.Warranties, &branchlinev1.Warranty{
				Name: proto.String("三电质保"), From: proto.String(dayOf(c.sold)), Months: proto.Int32(96), Km: proto.Int64(150_000),
			})
		}
	}
	return v
}
