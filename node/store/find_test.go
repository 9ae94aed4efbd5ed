package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/index"
	"branchline/schema/sql"
)

const today = "2026-11-21" // of openAt's clock

// crowd is a branch with people of one name, each near to today in another way.
type crowd struct {
	*bench
	rev int64
	ids map[string]schema.RecordID
}

func newCrowd(t *testing.T) *crowd {
	return &crowd{bench: open(t, "pd", 11), ids: map[string]schema.RecordID{}}
}

// from is a record that another branch made.
func (c *crowd) from(home, name string, m proto.Message) {
	c.rev++
	id := c.mint()
	c.page(&wirev1.Page{HqRev: 1000, LastRev: c.rev, Rows: []*wirev1.Row{recordRow(c.rev, id, schema.KindOfMessage(m).Kind, home, foreignState(c.t, home, 5, c.rev, c.now, m))}})
	c.ids[name] = id
}

func (c *crowd) own(name string, m proto.Message) { c.ids[name] = c.put(Edit{Message: m}).ID }

func (c *crowd) ref(name string) *string { return proto.String(c.ids[name].String()) }

func (c *crowd) car(name, plate, vin, owner string) {
	c.own(name, &branchlinev1.Vehicle{Vin: &vin, Plates: []*branchlinev1.PlateTerm{{Plate: &plate}}})
	if owner != "" {
		c.own(name+"-"+owner, &branchlinev1.Tie{Customer: c.ref(owner), Vehicle: c.ref(name), Role: branchlinev1.TieRole_OWNER.Enum()})
	}
}

func (c *crowd) order(customer, number, day string, state branchlinev1.OrderState) *branchlinev1.ServiceOrder {
	return &branchlinev1.ServiceOrder{Customer: c.ref(customer), Number: &number, Day: &day, State: &state}
}

// finds are the names of what a query finds, in order.
func (c *crowd) finds(q string, kinds ...schema.Kind) []string {
	c.t.Helper()
	hits, _, err := c.Search(c.t.Context(), Asked{Query: q, Kinds: kinds, Limit: 20, Today: today})
	if err != nil {
		c.t.Fatal(err)
	}
	var out []string
	for _, h := range hits {
		for name, id := range c.ids {
			if strings.HasSuffix(h.Record.GetName(), id.String()) {
				out = append(out, name)
			}
		}
	}
	return out
}

// The order that package index states.
func TestSearch_Order(t *testing.T) {
	c := newCrowd(t)
	c.own("王伟", customer("王伟"))
	c.own("王伟甲", customer("王伟甲")) // an open order here
	c.own("王伟乙", customer("王伟乙")) // one at another branch
	c.own("王伟丙", customer("王伟丙")) // an appointment today
	c.own("王伟丁", customer("王伟丁")) // was here last month
	c.own("王伟戊", customer("王伟戊")) // was here last week
	c.own("王伟己", customer("王伟己")) // an appointment tomorrow, which is not today
	c.from("xh", "王伟庚", customer("王伟庚"))
	c.own("小王伟", customer("小王伟"))
	c.own("王伟辛", &branchlinev1.Customer{Name: proto.String("王伟辛"), RetiredAt: proto.Int64(1)})
	c.own("o1", c.order("王伟甲", "PDa-261120-0001-X", "2026-11-20", branchlinev1.OrderState_IN_WORK))
	c.from("xh", "o2", c.order("王伟乙", "XHa-261120-0001-X", "2026-11-20", branchlinev1.OrderState_IN_WORK))
	c.own("o3", c.order("王伟丁", "PDa-261021-0001-X", "2026-10-21", branchlinev1.OrderState_HANDED_OVER))
	c.own("o4", c.order("王伟戊", "PDa-261114-0001-X", "2026-11-14", branchlinev1.OrderState_HANDED_OVER))
	c.own("a1", &branchlinev1.Appointment{Customer: c.ref("王伟丙"), Day: proto.String(today), State: branchlinev1.AppointmentState_APPOINTMENT_CONFIRMED.Enum()})
	c.own("a2", &branchlinev1.Appointment{Customer: c.ref("王伟己"), Day: proto.String("2026-11-22"), State: branchlinev1.AppointmentState_APPOINTMENT_BOOKED.Enum()})
	people := []string{"王伟", "王伟丙 王伟甲", "王伟乙", "王伟戊", "王伟丁", "王伟己", "王伟庚", "小王伟", "王伟辛"}
	for q, want := range map[string][]string{
		"王伟":      people,
		"王偉":      people,
		"wangwei": people,
		"ww":      {"王伟"},
	} {
		got := c.finds(q, schema.Customer)
		if q == "ww" {
			got = got[:min(1, len(got))]
		}
		at := 0
		for _, w := range want { // names in one string are of one place, in either order
			set := strings.Fields(w)
			if at+len(set) > len(got) || !sameSet(set, got[at:at+len(set)]) {
				t.Errorf("%q finds %v, want %v", q, got, want)
				break
			}
			at += len(set)
		}
	}
	// A letter is enough for those who are near; the rest is not looked through, and that is said.
	hits, more, err := c.Search(t.Context(), Asked{Query: "w", Kinds: []schema.Kind{schema.Customer}, Limit: 20, Today: today})
	if err != nil || len(hits) < 3 || !more {
		t.Errorf("w finds %d, more %v, %v", len(hits), more, err)
	}
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Of what many have, those that cannot be among the rows given back are not read: a tail of four digits is the end of so
// many telephones, inside of so many plates and at the end of so many numbers.
func TestSearch_ReadsNoMoreThanCanBeShown(t *testing.T) {
	c := newCrowd(t)
	for i := range 20 {
		c.own(fmt.Sprint("phone", i), customer(fmt.Sprint("王", i), fmt.Sprintf("139%04d8888", i)))
	}
	read := func(q string) int64 {
		t.Helper()
		var asked sql.Tally
		for range 2 { // once to read what is near, which is kept
			asked = sql.Tally{}
			hits, more, err := c.Search(sql.Counted(t.Context(), &asked), Asked{Query: q, Limit: 8, Today: today})
			if err != nil || len(hits) != 8 || !more || hits[0].Matched != index.ByPhone {
				t.Fatalf("%q: %d hits, more %v, %v", q, len(hits), more, err)
			}
		}
		return asked.Rows.Load()
	}
	before := read("8888")
	const cars = 150
	for i := range cars {
		c.car(fmt.Sprint("car", i), fmt.Sprintf("沪%c8888%d", 'A'+rune(i/10), i%10), "", "")
	}
	// The index names them, those that end in 8 twice; nothing more is asked of them.
	if more := read("8888") - before; more > cars*5/4 {
		t.Errorf("%d more rows read for %d cars that cannot be among the first eight", more, cars)
	}
	if got := c.finds("沪A8888"); len(got) != 10 {
		t.Errorf("the cars are not found: %v", got)
	}
	before = read("139")
	for i := range 300 {
		c.own(fmt.Sprint("more", i), customer(fmt.Sprint("李", i), fmt.Sprintf("139%08d", i)))
	}
	if more := read("139") - before; more > 2*160 {
		t.Errorf("%d more rows read for 300 more numbers that begin alike", more)
	}
}

// What a number most likely is, by its shape.
func TestSearch_ByTheShapeOfTheQuery(t *testing.T) {
	c := newCrowd(t)
	c.own("phone", customer("赵一", "13966648888"))
	c.own("phone5", customer("钱二", "13966688888"))
	c.own("phone6", customer("孙三", "13900006278"))
	c.own("name", customer("贵A贸易"))
	c.car("plate", "沪A48888", "LSVAM41A0K2111111", "")
	c.car("plate5", "沪B88888", "LSVAM41A0K2222222", "")
	c.car("vin", "沪C12345", "LSVAM41A0K2006278", "")
	c.own("vinphone", customer("李四", "13905006278"))
	c.own("order", &branchlinev1.ServiceOrder{Number: proto.String("PDa-261121-0042-K")})
	c.own("other", &branchlinev1.ServiceOrder{Number: proto.String("PDa-261121-8888-5")})
	c.own("pay", &branchlinev1.Payment{
		Number: proto.String("P-261121-0042"), Customer: c.ref("phone"), Method: branchlinev1.PayMethod_METHOD_CASH.Enum(),
		Purpose: branchlinev1.PayPurpose_PURPOSE_DEPOSIT.Enum(), Amount: proto.Int64(100), Currency: proto.String("CNY"),
	})
	for q, want := range map[string]string{
		"8888":              "phone5", // the later of two
		"88888":             "plate5",
		"006278":            "vin",
		"K2006278":          "vin",
		"LSVAM41A0K2006278": "vin",
		"沪A4":               "plate",
		"a4888":             "plate",
		"4888":              "plate", // nobody's phone ends so
		"1396664":           "phone",
		"13966648888":       "phone",
		"PDa-261121-0042-K": "order",
		"pda-2611":          "other", // the higher number is the later one
		"PDA-261121-0042":   "order",
		"0042-k":            "order",
		"P-261121-00":       "pay",
		"贵A":                "name",
	} {
		if got := c.finds(q); len(got) == 0 || got[0] != want {
			t.Errorf("%q finds %v, want %s first", q, got, want)
		}
	}
	if got := c.finds("8888"); !slices.Contains(got, "plate") || !slices.Contains(got, "phone") {
		t.Errorf("8888 finds %v", got)
	}
}

// Several words are conditions on one customer, or on a customer and his car.
func TestSearch_Combined(t *testing.T) {
	c := newCrowd(t)
	c.own("王一", customer("王一", "13911118888"))
	c.own("王二", customer("王二", "13922229999"))
	c.own("李三", customer("李三", "13933338888"))
	c.own("张三", customer("张三", "13801234567"))
	c.own("吴四", customer("吴四", "13801234568"))
	c.car("京A", "京A12345", "LSVAM41A0K2006278", "王二")
	c.car("京B", "京B54321", "LSVAM41A0K2006279", "李三")
	for q, want := range map[string][]string{
		"王 8888":       {"王一"},
		"王8888":        {"王一"},
		"8888 王":       {"王一"},
		"wang 8888":    {"王一"},
		"wang 京A":      {"王二", "京A"},
		"京A 王":         {"王二", "京A"},
		"zs 1380":      {"张三"},
		"9999 京A":      {"王二", "京A"},
		"006278 wang":  {"王二", "京A"},
		"wang 8888 京A": {},
		"li 京A":        {},
		"王 9999 12345": {"王二", "京A"},
	} {
		if got := c.finds(q, schema.Customer, schema.Vehicle); !sameSet(got, want) {
			t.Errorf("%q finds %v, want %v", q, got, want)
		}
	}
	// Who may not see names does not learn them from a car that is found by its owner's.
	hits, _, err := c.Search(t.Context(), Asked{Query: "wang 京A", Limit: 20, Today: today, Fits: func(k *schema.KindInfo, _ func(*schema.FieldInfo) bool, matched string) bool {
		return k.Kind != schema.Customer || matched != index.ByName
	}})
	if err != nil || len(hits) != 0 {
		t.Errorf("found %v by a hidden name, %v", hits, err)
	}
}

// A name with the beginning of a plate finds its owner, however many cars begin so and however many people bear the name.
func TestSearch_CombinedOfWhatManyHave(t *testing.T) {
	c := newCrowd(t)
	c.own("丁一", customer("丁一"))
	c.car("京A", "京A49786", "", "丁一")
	for i := range index.MaxFound + 50 {
		c.car(fmt.Sprint("car", i), fmt.Sprintf("京A4%04d", i), "", "")
	}
	few := c.finds("ding 京A4")
	for i := range index.MaxFound + 50 {
		c.own(fmt.Sprint("丁", i), customer("丁"+string('一'+rune(i))))
	}
	for many, got := range map[bool][]string{false: few, true: c.finds("ding 京A4")} {
		if !slices.Contains(got, "京A") || !slices.Contains(got, "丁一") {
			t.Errorf("with many of the name %v: found %v", many, got)
		}
	}
}

// What stands beside a hit: the cars, and the order that is open.
func TestSearch_Beside(t *testing.T) {
	c := newCrowd(t)
	c.own("王一", customer("王一", "13911118888"))
	c.car("京A", "京A12345", "LSVAM41A0K2006278", "王一")
	c.own("old", c.order("王一", "PDa-261001-0001-X", "2026-10-01", branchlinev1.OrderState_IN_WORK))
	c.own("new", c.order("王一", "PDa-261101-0001-X", "2026-11-01", branchlinev1.OrderState_HANDED_OVER))
	beside := func(q string) string {
		t.Helper()
		hits, _, err := c.Search(t.Context(), Asked{Query: q, Limit: 1, Today: today})
		if err != nil || len(hits) != 1 {
			t.Fatalf("%q: %v, %v", q, hits, err)
		}
		var out []string
		for _, r := range hits[0].Beside {
			for name, id := range c.ids {
				if strings.HasSuffix(r.GetName(), id.String()) {
					out = append(out, name)
				}
			}
		}
		return strings.Join(out, " ")
	}
	for q, want := range map[string]string{"王一": "京A old", "京A12345": "王一", "PDa-261101-0001-X": "王一"} {
		if got := beside(q); got != want {
			t.Errorf("beside %q stands %q, want %q", q, got, want)
		}
	}
	id := c.ids["old"]
	state := branchlinev1.OrderState_HANDED_OVER
	c.put(Edit{ID: id, Message: &branchlinev1.ServiceOrder{State: &state}, Mask: []string{"state"}, Etag: c.get(id).GetEtag()})
	if got := beside("王一"); got != "京A new" {
		t.Errorf("once it is handed over stands %q", got)
	}
}

// An older program's terms are made anew at the start.
func TestOpen_Reindexes(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, dir, "pd", 11)
	id := b.put(Edit{Message: customer("王一", "13911118888")}).ID.String()
	for _, q := range []string{"DELETE FROM term WHERE k LIKE 'P%'", "UPDATE record SET terms = replace(terms, 'P13911118888', 'x')", "DELETE FROM meta WHERE key = 'terms'"} {
		if _, err := b.db.W.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := b.search("13911"); len(got) != 0 {
		t.Fatal("it is found without its term")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = openAt(t, dir, "", 11)
	if got, _ := b.search("13911"); len(got) != 1 || got[0] != id {
		t.Errorf("13911 finds %v", got)
	}
}
