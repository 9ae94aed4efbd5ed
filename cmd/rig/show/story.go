package show

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/cmd/rig"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
)

// patience bounds every wait of the story.
const patience = 60 * time.Second

// Tongue is the language a story is told in.
type Tongue int

// The languages.
const (
	English Tongue = iota
	Chinese
)

// Say says a sentence, given in both languages, in this one.
func (in Tongue) Say(english, chinese string, args ...any) string {
	if in == Chinese {
		return fmt.Sprintf(chinese, args...)
	}
	return fmt.Sprintf(english, args...)
}

// Story cuts a branch off, edits on both sides, restores the link and tells to w
// what each site shows at every step. The rig runs with Pages; of its branches
// home and sister are of one company, other of another. A step that is not as
// told ends it with an error.
func Story(ctx context.Context, w io.Writer, in Tongue, r *rig.Rig, home, sister, other schema.BranchID) error {
	t := &teller{w: w, in: in, r: r, home: home, sister: sister, other: other}
	for _, step := range []func(context.Context) error{
		t.meet, t.cut, t.editApart, t.restore, t.otherCompany, t.verify,
	} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("story: step %d: %w", t.step, err)
		}
	}
	t.say("That is the story. Nothing was lost, nothing doubled, and every site shows what it may.",
		"故事讲完了：一条没丢，一条没重，每处只看到该看的。")
	return nil
}

type teller struct {
	w                   io.Writer
	in                  Tongue
	r                   *rig.Rig
	home, sister, other schema.BranchID
	step                int

	customer, vehicle, order string // names, made at home
	sisterOwn                string // the sister's own registration of the same person
}

// say tells one thing: two formats of the same arguments.
func (t *teller) say(english, chinese string, args ...any) {
	fmt.Fprintln(t.w, "   "+t.told(english, chinese, args))
}

func (t *teller) told(english, chinese string, args []any) string {
	return t.in.Say(english, chinese, args...)
}

// head begins a step.
func (t *teller) head(english, chinese string, args ...any) {
	t.step++
	fmt.Fprintf(t.w, "\n%d. %s\n", t.step, t.told(english, chinese, args))
}

// at calls a branch, or HQ, as its administrator.
func (t *teller) at(ctx context.Context, b schema.BranchID) (context.Context, *serve.Client) {
	if b == schema.HQ {
		c := access.Caller{Account: "story", Staff: "story", Roles: []branchlinev1.Role{access.Administrator(access.HQ)}, Local: true}
		return access.With(ctx, c), t.r.HQ().Server().API()
	}
	c := access.Caller{Account: "story", Staff: "story", Roles: []branchlinev1.Role{access.Administrator(access.Node)}, Local: true}
	return access.With(ctx, c), t.r.Site(b).Node().Server().API()
}

func (t *teller) create(ctx context.Context, b schema.BranchID, m proto.Message) (string, error) {
	rec := &branchlinev1.Record{}
	if err := schema.SetBody(rec, m); err != nil {
		return "", err
	}
	ctx, c := t.at(ctx, b)
	out, err := c.Records.CreateRecord(ctx, &branchlinev1.CreateRecordRequest{Record: rec, Confirmed: []string{"vin_check"}})
	if err != nil {
		return "", fmt.Errorf("%s creates: %w", b, err)
	}
	return out.GetName(), nil
}

func (t *teller) get(ctx context.Context, b schema.BranchID, name string, golden bool) (*branchlinev1.Record, error) {
	ctx, c := t.at(ctx, b)
	return c.Records.GetRecord(ctx, &branchlinev1.GetRecordRequest{Name: name, Golden: golden})
}

// update edits a record as somebody who has just opened its page.
func (t *teller) update(ctx context.Context, b schema.BranchID, name string, edit func(*branchlinev1.Customer), mask ...string) error {
	rec, err := t.get(ctx, b, name, false)
	if err != nil {
		return fmt.Errorf("%s opens: %w", b, err)
	}
	edit(rec.GetCustomer())
	ctx, c := t.at(ctx, b)
	if _, err := c.Records.UpdateRecord(ctx, &branchlinev1.UpdateRecordRequest{Record: rec, UpdateMask: mask}); err != nil {
		return fmt.Errorf("%s edits: %w", b, err)
	}
	return nil
}

// wait looks again until ok, or gives up with what was missing.
func (t *teller) wait(ctx context.Context, what string, ok func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		good, err := ok(ctx)
		if good && err == nil {
			return nil
		}
		last = err
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not come about in %s (%v)", what, patience, last)
		case <-tick.C:
		}
	}
}

func (t *teller) arrived(ctx context.Context, b schema.BranchID, name string) error {
	return t.wait(ctx, fmt.Sprintf("%s at %s", name, b), func(ctx context.Context) (bool, error) {
		_, err := t.get(ctx, b, name, false)
		return err == nil, err
	})
}

func (t *teller) meet(ctx context.Context) error {
	t.head("A customer comes to %s, later to its sister %s; both are of one company.", "一位客户先到 %s 店，后来又到同一家公司的 %s 店。", t.home, t.sister)
	now, err := t.line(ctx, t.home)
	if err != nil {
		return err
	}
	// A story told again is of another man of that name: his number and his car are not nearly those of the one before,
	// or headquarters would take them for slips of the pen.
	eight := fmt.Sprintf("%08d", uint64(now.GetLastSeq())*48_271_003%100_000_000)
	phone := "139" + eight
	person := func(name string) *branchlinev1.Customer {
		return &branchlinev1.Customer{
			Type: branchlinev1.CustomerType_PERSON.Enum(), Name: proto.String(name),
			Phones: []*branchlinev1.Phone{{Number: proto.String(phone)}},
		}
	}
	if t.customer, err = t.create(ctx, t.home, person("欧阳建国")); err != nil {
		return err
	}
	if t.vehicle, err = t.create(ctx, t.home, &branchlinev1.Vehicle{
		Vin: proto.String("LSVAA49J1" + eight), Brand: proto.String("大众"), Model: proto.String("途观L"),
		Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A" + eight[:5])}},
	}); err != nil {
		return err
	}
	if t.order, err = t.create(ctx, t.home, &branchlinev1.ServiceOrder{
		Customer: proto.String(id(t.customer)), Vehicle: proto.String(id(t.vehicle)), State: branchlinev1.OrderState_RECEIVED.Enum(),
		OdometerKm: proto.Int64(45210), Complaint: proto.String("刹车有异响"), Branch: proto.String(string(t.home)),
	}); err != nil {
		return err
	}
	t.say("%s saved customer, car and order: %s", "%s 存好了客户、车和工单：%s", t.home, t.order)
	if t.sisterOwn, err = t.create(ctx, t.sister, person("歐陽建國")); err != nil {
		return err
	}
	t.say("%s registers him again, in traditional characters: %s", "%s 用繁体字又登记了一遍：%s", t.sister, t.sisterOwn)
	if err := t.arrived(ctx, t.sister, t.customer); err != nil {
		return err
	}
	if err := t.arrived(ctx, t.home, t.sisterOwn); err != nil {
		return err
	}
	g, err := t.get(ctx, schema.HQ, t.customer, true)
	if err != nil {
		return fmt.Errorf("HQ shows him: %w", err)
	}
	if len(g.GetGroup()) != 2 {
		return fmt.Errorf("HQ shows a group of %d registrations instead of 2", len(g.GetGroup()))
	}
	t.say("HQ sees one person behind both (same phone, same name) and gave each branch the other's registration.",
		"总部看出两份是同一个人（电话、姓名都同），把各自的一份也发给了对方。")
	return nil
}

func id(name string) string {
	_, i, _ := strings.Cut(name, "/")
	return i
}

func (t *teller) line(ctx context.Context, b schema.BranchID) (*branchlinev1.LineStatus, error) {
	ctx, c := t.at(ctx, b)
	return c.Sites.GetLine(ctx, &branchlinev1.Empty{})
}

func (t *teller) cut(ctx context.Context) error {
	t.head("The network of %s is cut.", "%s 的网断了。", t.sister)
	t.r.Site(t.sister).Proxy().Cut()
	if err := t.wait(ctx, "the branch noticing", func(ctx context.Context) (bool, error) {
		l, err := t.line(ctx, t.sister)
		return err == nil && !l.GetLinked(), err
	}); err != nil {
		return err
	}
	t.say("%s says so on its pages and works on.", "%s 的页面上写明断开，照常接车。", t.sister)
	return nil
}

func (t *teller) editApart(ctx context.Context) error {
	t.head("Both sides edit the same registration: each another field, and both the birthday.", "两边都改同一份资料：各改一项别的，又都改了生日。")
	if err := t.update(ctx, t.home, t.customer, func(c *branchlinev1.Customer) {
		c.Birthday = proto.String("1968-03-05")
		c.PreferredChannel = proto.String("微信")
	}, "birthday", "preferred_channel"); err != nil {
		return err
	}
	if err := t.update(ctx, t.sister, t.customer, func(c *branchlinev1.Customer) {
		c.Birthday = proto.String("1968-05-03")
		c.Remark = proto.String("周末来店")
	}, "birthday", "remark"); err != nil {
		return err
	}
	if err := t.wait(ctx, "the home branch's edit at HQ", func(ctx context.Context) (bool, error) {
		rec, err := t.get(ctx, schema.HQ, t.customer, false)
		return err == nil && rec.GetCustomer().GetBirthday() == "1968-03-05", err
	}); err != nil {
		return err
	}
	for _, b := range []schema.BranchID{t.home, t.sister, schema.HQ} {
		rec, err := t.get(ctx, b, t.customer, false)
		if err != nil {
			return fmt.Errorf("%s shows him: %w", b, err)
		}
		t.show(b, rec)
		own := rec.GetCustomer().GetBirthday()
		if b == t.sister && own != "1968-05-03" || b == t.home && own != "1968-03-05" {
			return fmt.Errorf("%s does not show its own edit but %q", b, own)
		}
	}
	l, err := t.line(ctx, t.sister)
	if err != nil {
		return err
	}
	if l.GetSaved() == 0 {
		return fmt.Errorf("%s is cut off but says that nothing waits", t.sister)
	}
	t.say("%s: %d changes wait there until the link is back.", "%s：%d 条等着网通了再送。", t.sister, l.GetSaved())
	return nil
}

func (t *teller) show(b schema.BranchID, rec *branchlinev1.Record) {
	c := rec.GetCustomer()
	t.say("%-5s shows birthday %-10s  channel %-4s  remark %s", "%-5s 显示：生日 %-10s  联系方式 %-4s  备注 %s", b, or(c.GetBirthday()), or(c.GetPreferredChannel()), or(c.GetRemark()))
}

func or(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func (t *teller) restore(ctx context.Context) error {
	t.head("The link is back.", "网通了。")
	t.r.Site(t.sister).Proxy().Open()
	same := func(rec *branchlinev1.Record) bool {
		c := rec.GetCustomer()
		return c.GetBirthday() == "1968-05-03" && c.GetPreferredChannel() == "微信" && c.GetRemark() == "周末来店"
	}
	sites := []schema.BranchID{t.home, t.sister, schema.HQ}
	for _, b := range sites {
		if err := t.wait(ctx, fmt.Sprintf("agreement at %s", b), func(ctx context.Context) (bool, error) {
			rec, err := t.get(ctx, b, t.customer, false)
			return err == nil && same(rec), err
		}); err != nil {
			return err
		}
	}
	for _, b := range sites {
		rec, err := t.get(ctx, b, t.customer, false)
		if err != nil {
			return err
		}
		t.show(b, rec)
		if n := lostBirthdays(rec); n != 1 {
			return fmt.Errorf("%s keeps %d lost birthdays instead of the one that was overridden", b, n)
		}
	}
	t.say("Different fields: both won. The same field: the later edit is shown, the other is kept beside it and can be restored.",
		"改的不是一项：两边都算数。改的是同一项：显示较晚的，另一个留在旁边，随时可恢复。")
	return nil
}

func lostBirthdays(rec *branchlinev1.Record) int {
	for _, s := range rec.GetSources() {
		if s.GetField() == "birthday" {
			return len(s.GetLost())
		}
	}
	return 0
}

func (t *teller) otherCompany(ctx context.Context) error {
	t.head("The car comes to %s, a branch of another company.", "车开到了另一家公司的 %s 店。", t.other)
	v, err := t.get(ctx, t.home, t.vehicle, false)
	if err != nil {
		return err
	}
	if _, err := t.create(ctx, t.other, &branchlinev1.Vehicle{Vin: proto.String(v.GetVehicle().GetVin())}); err != nil {
		return err
	}
	if err := t.arrived(ctx, t.other, t.order); err != nil {
		return err
	}
	o, err := t.get(ctx, t.other, t.order, false)
	if err != nil {
		return err
	}
	so := o.GetServiceOrder()
	if !o.GetShared() || so.GetCustomer() != "" || so.GetComplaint() != "" || so.GetOdometerKm() != 45210 {
		return fmt.Errorf("%s is shown %v of another company's order", t.other, so)
	}
	if _, err := t.get(ctx, t.other, t.customer, false); err == nil {
		return fmt.Errorf("%s holds a customer of another company", t.other)
	}
	t.say("%s sees what was done to the car, where, when and at %d km; no name, phone, address, price or complaint.",
		"%s 看得到做过什么、在哪、什么时候、%d 公里；看不到姓名、电话、地址、价格和主诉。", t.other, so.GetOdometerKm())
	return nil
}

func (t *teller) verify(ctx context.Context) error {
	t.head("Every branch compares its copy with HQ's.", "各店把自己的一份和总部的比一遍。")
	for _, s := range t.r.Sites() {
		var v *branchlinev1.VerifyResponse
		if err := t.wait(ctx, fmt.Sprintf("a clean verify at %s", s.Code), func(ctx context.Context) (bool, error) {
			ctx, c := t.at(ctx, s.Code)
			var err error
			v, err = c.Sites.Verify(ctx, &branchlinev1.Empty{})
			return err == nil && v.GetSame(), err
		}); err != nil {
			return err
		}
		t.say("%-5s %d records compared: the same", "%-5s 比了 %d 份：一样", s.Code, v.GetRecords())
	}
	return nil
}
