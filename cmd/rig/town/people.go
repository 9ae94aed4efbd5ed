package town

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// person is one customer as he is, not as he was written down.
type person struct {
	name    string
	female  bool
	company bool
	contact string // whom to ask for at a firm
	mobile  string
	second  string // another number, often ""
	city    int
	address *branchlinev1.Address
	born    string // day, "" when never told
	idTail  string
	home    int // branch
	away    int // another branch he goes to, -1 for none
	awayP   float64
	cars    []int
	// writtenAt is when each branch registered him, by branch; zero: not at all.
	writtenAt map[int]time.Time
	visited   map[int]int // orders by branch
}

var mobilePrefixes = strings.Fields("130 131 132 133 134 135 136 137 138 139 150 151 152 153 155 156 157 158 159 166 173 175 176 177 178 180 181 182 183 184 185 186 187 188 189 191 193 198 199")

var trades = strings.Fields("贸易 物流 建筑工程 科技 餐饮管理 广告 电子 服饰 装饰工程 食品 机电设备 信息技术 汽车租赁 医疗器械 文化传播")

func (t *Town) name(d dice, female bool) string {
	sums := t.tables.maleSum
	if female {
		sums = t.tables.femSums
	}
	n := t.tables.family[d.weighted(t.tables.familySums)] + t.tables.given[d.weighted(sums)]
	if d.chance(0.82) {
		n += t.tables.given[d.weighted(sums)]
	}
	return n
}

func mobile(d dice) string {
	return d.pick(mobilePrefixes) + fmt.Sprintf("%08d", d.IntN(100_000_000))
}

// settle makes the people and firms.
func (t *Town) settle() {
	t.people = make([]person, t.cfg.Customers)
	for i := range t.people {
		d := t.dice("person", i)
		p := &t.people[i]
		p.home, p.away = d.IntN(len(t.sites)), -1
		p.city = t.sites[p.home].city
		c := t.tables.cities[p.city]
		p.company = d.chance(0.06)
		p.female = d.chance(0.38)
		p.contact = t.name(d, p.female)
		p.mobile = mobile(d)
		p.address = &branchlinev1.Address{
			Region: proto.String(c.province), City: proto.String(c.name), District: proto.String(d.pick(c.areas)),
			Street: proto.String(fmt.Sprintf("%s%d号", d.pick(streets), 1+d.IntN(1200))),
		}
		if p.company {
			brand := t.tables.given[d.IntN(300)] + t.tables.given[d.IntN(300)]
			p.name = strings.TrimSuffix(c.name, "市") + brand + d.pick(trades) + "有限公司"
			p.second = c.landline(d)
		} else {
			p.name = p.contact
			p.contact = ""
			*p.address.Street += fmt.Sprintf("%s%d幢%d室", d.pick(estates), 1+d.IntN(40), 100*(1+d.IntN(18))+1+d.IntN(4))
			if d.chance(0.6) {
				age := 21 + int(d.NormFloat64()*11+17)
				if age < 19 || age > 85 {
					age = 40
				}
				p.born = dayOf(t.cfg.Today.AddDate(-age, 0, -d.IntN(365)))
			}
			if d.chance(0.4) {
				p.idTail = fmt.Sprintf("%03d", d.IntN(1000)) + d.pick(strings.Fields("0 1 2 3 4 5 6 7 8 9 X"))
			}
			if d.chance(0.1) {
				p.second = mobile(d)
			}
		}
		if len(t.sites) > 1 && d.chance(0.28) {
			t.sendAway(d, p)
		}
	}
}

// sendAway gives a person a second branch: nearly always one of the same city or company.
func (t *Town) sendAway(d dice, p *person) {
	home := t.sites[p.home]
	var sums []int
	sum := 0
	for b, s := range t.sites {
		w := 2
		switch {
		case b == p.home:
			w = 0
		case s.city == home.city:
			w = 10
		case s.entity == home.entity:
			w = 4
		}
		sum += w
		sums = append(sums, sum)
	}
	p.away = d.weighted(sums)
	p.awayP = 0.2 + 0.5*d.Float64()
}

// customer is the record a branch writes of a person. At his home it is what he said; elsewhere, or
// the second time at the same desk, a slip may come in.
func (t *Town) customer(i, branch int) *branchlinev1.Customer {
	p := &t.people[i]
	d := t.dice("registration", i*64+branch)
	m := &branchlinev1.Customer{Type: branchlinev1.CustomerType_PERSON.Enum()}
	name, phone := p.name, p.mobile
	if p.company {
		m.Type = branchlinev1.CustomerType_COMPANY.Enum()
		m.ContactName = proto.String(p.contact)
	}
	if branch != p.home {
		name, phone = slipName(d, p), slipPhone(d, p)
	} else if d.chance(0.02) {
		name = traditional(name)
	}
	m.Name = proto.String(name)
	m.Phones = append(m.Phones, &branchlinev1.Phone{Number: proto.String(writePhone(d, phone)), Label: proto.String("手机")})
	if p.second != "" && d.chance(0.8) {
		label := "家里"
		if p.company {
			label = "单位"
		}
		m.Phones = append(m.Phones, &branchlinev1.Phone{Number: proto.String(p.second), Label: proto.String(label)})
	}
	if d.chance(0.7) {
		m.Addresses = []*branchlinev1.Address{p.address}
	}
	if p.born != "" && d.chance(0.8) {
		m.Birthday = proto.String(p.born)
	}
	if p.idTail != "" && d.chance(0.7) {
		m.IdLast = proto.String(p.idTail)
	}
	m.Status = branchlinev1.CustomerStatus_POTENTIAL.Enum()
	if len(p.cars) > 0 {
		m.Status = branchlinev1.CustomerStatus_FORMAL.Enum()
		if len(p.cars) > 3 {
			m.Status = branchlinev1.CustomerStatus_KEY.Enum()
		}
		m.ValueClass = proto.Int32(int32(max(1, 4-len(p.cars)-d.IntN(2))))
	}
	t.consents(d, m, p.writtenAt[branch])
	m.Language = t.language(i, p)
	return m
}

// language is that of the few customers who said that they read another than the branch writes.
func (t *Town) language(i int, p *person) *branchlinev1.Language {
	d := t.dice("language", i)
	switch {
	case p.company:
		return nil
	case d.chance(0.02):
		return branchlinev1.Language_LANGUAGE_EN.Enum()
	case d.chance(0.02):
		return branchlinev1.Language_LANGUAGE_ZH_TW.Enum()
	}
	return nil
}

func (t *Town) consents(d dice, m *branchlinev1.Customer, at time.Time) {
	say := func(yes float64) *branchlinev1.Consent {
		return &branchlinev1.Consent{
			Given: proto.Bool(d.chance(yes)), Channel: proto.String(d.pick([]string{"counter", "wechat", "phone"})),
			Wording: proto.String("2024-1"), Day: proto.String(dayOf(at)),
		}
	}
	if d.chance(0.8) {
		m.ConsentMarketing = say(0.6)
	}
	if d.chance(0.3) {
		m.ConsentSharing = say(0.35)
	}
	if d.chance(0.5) {
		m.ConsentSurvey = say(0.8)
	}
}

// writePhone spells a number as one desk or another would.
func writePhone(d dice, n string) string {
	switch {
	case len(n) == 11 && d.chance(0.06):
		return n[:3] + " " + n[3:7] + " " + n[7:]
	case len(n) == 11 && d.chance(0.03):
		return n[:3] + "-" + n[3:7] + "-" + n[7:]
	case len(n) == 11 && d.chance(0.01):
		return "+86" + n
	}
	return n
}

// staff of a branch: what they do and what they are called.
type member struct {
	code, name string
	role       branchlinev1.Role
}

var desk = []branchlinev1.Role{
	branchlinev1.Role_ROLE_BRANCH_MANAGER, branchlinev1.Role_ROLE_ADVISER, branchlinev1.Role_ROLE_ADVISER, branchlinev1.Role_ROLE_ADVISER,
	branchlinev1.Role_ROLE_TECHNICIAN, branchlinev1.Role_ROLE_TECHNICIAN, branchlinev1.Role_ROLE_TECHNICIAN, branchlinev1.Role_ROLE_TECHNICIAN,
	branchlinev1.Role_ROLE_CLERK, branchlinev1.Role_ROLE_SALESPERSON, branchlinev1.Role_ROLE_SALESPERSON, branchlinev1.Role_ROLE_CUSTOMER_CARE,
}

// hire fills a branch's desk.
func (t *Town) hire(branch int) {
	var crew []member
	for i, r := range desk {
		d := t.dice("staff", branch*64+i)
		crew = append(crew, member{t.sites[branch].code + fmt.Sprintf("%02d", i+1), t.name(d, d.chance(0.4)), r})
	}
	t.staff = append(t.staff, crew)
}

// oneOf is one of a branch's people of a role.
func (t *Town) oneOf(d dice, branch int, role branchlinev1.Role) member {
	for i := d.IntN(len(desk)); ; i = (i + 1) % len(desk) {
		if desk[i] == role {
			return t.staff[branch][i]
		}
	}
}

func key(kind string, n, branch int) string {
	return kind + "/" + strconv.Itoa(n) + "@" + strconv.Itoa(branch)
}

// Member is somebody who works at a branch.
type Member struct {
	Code, Name string
	Role       branchlinev1.Role
}

// Crew is one of each of those who stand at a branch's counter and in its workshop: adviser, technician, clerk. It panics
// for a branch that is not there.
func (t *Town) Crew(branch int) []Member {
	var out []Member
	for _, r := range []branchlinev1.Role{branchlinev1.Role_ROLE_ADVISER, branchlinev1.Role_ROLE_TECHNICIAN, branchlinev1.Role_ROLE_CLERK} {
		i := slices.Index(desk, r)
		out = append(out, Member{t.staff[branch][i].code, t.staff[branch][i].name, r})
	}
	return out
}
