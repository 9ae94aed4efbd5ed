package api_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
	"branchline/sync/desk"
)

func idOf(t *testing.T, r *branchlinev1.Record) schema.RecordID {
	t.Helper()
	_, id, err := schema.ParseName(r.GetName())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestRecords_areMadeReadAndChanged(t *testing.T) {
	g := newRig(t)
	c := g.as(steward)
	made := must(c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{
		Record: record(t, &branchlinev1.Customer{Name: proto.String("  王小明 "), Phones: []*branchlinev1.Phone{{Number: proto.String("13800001234")}}}),
	}))(t)
	if made.GetCustomer().GetName() != "王小明" || made.GetHome() != "hq" || made.GetEtag() == "" || made.GetWhere().GetState() != branchlinev1.WhereState_COMMITTED {
		t.Fatalf("made %v", made)
	}
	got := must(c.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: made.GetName()}))(t)
	if !proto.Equal(got, made) {
		t.Errorf("got %v, made %v", got, made)
	}
	if got.GetSources()[0].GetActor() != "st-hq-steward" || got.GetSources()[0].GetBranch() != "hq" {
		t.Errorf("source %v", got.GetSources()[0])
	}
	got.GetCustomer().Remark = proto.String("prefers mornings")
	got.GetCustomer().Phones = nil
	changed := must(c.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: got, UpdateMask: []string{"remark", "phones"}}))(t)
	if len(changed.GetCustomer().GetPhones()) != 0 || changed.GetCustomer().GetRemark() != "prefers mornings" || changed.GetCustomer().GetName() != "王小明" {
		t.Errorf("changed %v", changed)
	}
	// The same once more writes nothing.
	rev := g.st.Rev()
	must(c.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: changed, UpdateMask: []string{"remark"}}))(t)
	if g.st.Rev() != rev {
		t.Error("an edit that changes nothing took a rev")
	}
	_, err := c.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: "vehicles/" + idOf(t, made).String()})
	wants(t, "another kind", err, schema.ErrNotFound)
	_, err = c.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: "customers/nonsense"})
	wants(t, "no id", err, schema.ErrInvalid)
}

func TestRecords_aStaleEditIsAConflictWithBothValues(t *testing.T) {
	g := newRig(t)
	c, boss := g.as(steward), g.as(admin)
	made := must(c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Customer{Name: proto.String("王小明")})}))(t)
	first, second := proto.CloneOf(made), proto.CloneOf(made)
	first.GetCustomer().Name = proto.String("王晓明")
	must(boss.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: first, UpdateMask: []string{"name"}}))(t)
	second.GetCustomer().Name = proto.String("汪小明")
	second.GetCustomer().Remark = proto.String("calls back")
	_, err := c.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: second, UpdateMask: []string{"name", "remark"}})
	ce := wants(t, "stale edit", err, schema.ErrConflict)
	want := &branchlinev1.FieldConflict{Field: "name", Yours: `"汪小明"`, Theirs: `"王晓明"`, Who: "st-hq-administrator", Branch: "hq", At: g.clock().UnixMilli()}
	if len(ce.Conflicts) != 1 || !proto.Equal(ce.Conflicts[0], want) {
		t.Errorf("conflicts %v, want %v", ce.Conflicts, want)
	}
	// A field nobody else touched goes through with the old etag.
	must(c.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: second, UpdateMask: []string{"remark"}}))(t)
}

func TestRecords_aResendMakesNothingTwice(t *testing.T) {
	g := newRig(t)
	c := g.as(steward)
	req := &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Customer{Name: proto.String("王小明")}), RequestId: "r-1"}
	a := must(c.Records.CreateRecord(t.Context(), req))(t)
	if b := must(c.Records.CreateRecord(t.Context(), req))(t); b.GetName() != a.GetName() {
		t.Errorf("made %s and %s", a.GetName(), b.GetName())
	}
	_, err := c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Note{Text: proto.String("x")}), RequestId: "r-1"})
	wantsField(t, "another kind under the same id", err, "request_id")
	g.pass(25 * time.Hour)
	if b := must(g.as(steward).Records.CreateRecord(t.Context(), req))(t); b.GetName() == a.GetName() {
		t.Error("a request id is remembered for longer than a day")
	}
}

func TestRecords_aResendEditsNothingTwice(t *testing.T) {
	g := newRig(t)
	c, boss := g.as(steward), g.as(admin)
	made := must(c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Customer{Name: proto.String("王小明")}), RequestId: "r-1"}))(t)
	update := func(c *serve.Client, from *branchlinev1.Record, name, request string) (*branchlinev1.Record, error) {
		r := proto.CloneOf(from)
		r.GetCustomer().Name = proto.String(name)
		return c.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: r, UpdateMask: []string{"name"}, RequestId: request})
	}
	first := must(update(c, made, "王晓明", "r-1"))(t)
	later := must(update(boss, first, "王小民", ""))(t)
	if again := must(update(c, made, "王晓明", "r-1"))(t); again.GetCustomer().GetName() != "王小民" || again.GetEtag() != later.GetEtag() {
		t.Errorf("again: %v", again)
	}
	// What changed nothing the first time changes nothing the second.
	for _, name := range []string{"王小民", "王五"} {
		if same := must(update(c, later, name, "r-2"))(t); same.GetEtag() != later.GetEtag() {
			t.Errorf("%s: %v", name, same)
		}
	}
	other := must(c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Customer{Name: proto.String("李四")})}))(t)
	_, err := update(c, other, "李五", "r-1")
	wantsField(t, "one id for two records", err, "request_id")
	g.pass(25 * time.Hour)
	_, err = update(g.as(steward), made, "王晓明", "r-1")
	wants(t, "a day later", err, schema.ErrConflict)
}

func TestRecords_whatIsWrongIsToldByField(t *testing.T) {
	g := newRig(t)
	c, boss := g.as(steward), g.as(admin)
	create := func(m proto.Message) error {
		_, err := boss.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, m)})
		return err
	}
	wantsField(t, "no body", func() error {
		_, err := c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: &branchlinev1.Record{}})
		return err
	}(), "record")
	wantsField(t, "a day that is none", create(&branchlinev1.Vehicle{SoldOn: proto.String("2026-02-30")}), "record.vehicle.sold_on")
	wantsField(t, "too long", create(&branchlinev1.Vehicle{Brand: proto.String(strings.Repeat("x", 61))}), "record.vehicle.brand")
	wantsField(t, "a customer that is not there", create(&branchlinev1.Tie{Customer: proto.String(g.id().String())}), "record.tie.customer")
	wantsField(t, "a branch", create(&branchlinev1.Branch{Code: proto.String("pd")}), "record")
	wantsField(t, "a legal entity", create(&branchlinev1.LegalEntity{Code: proto.String("e1")}), "record")
	wantsField(t, "a VIN that looks wrong", create(&branchlinev1.Vehicle{Vin: proto.String("1HRFFHEL8RZ133325")}), "vin")
	v := must(c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{
		Record: record(t, &branchlinev1.Vehicle{Vin: proto.String("1hrffhel8rz133325 ")}), Confirmed: []string{desk.ConfirmVIN},
	}))(t)
	if v.GetVehicle().GetVin() != "1HRFFHEL8RZ133325" || v.GetVehicle().VinChecked == nil || v.GetVehicle().GetVinChecked() {
		t.Errorf("confirmed VIN: %v", v.GetVehicle())
	}
	update := func(r *branchlinev1.Record, mask ...string) error {
		_, err := boss.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: r, UpdateMask: mask})
		return err
	}
	wantsField(t, "no such field", update(v, "wheels"), "update_mask")
	bad := proto.CloneOf(v)
	bad.Etag = "x"
	bad.GetVehicle().Model = proto.String("A4")
	wantsField(t, "an etag of ours that is none", update(bad, "model"), "etag")
	// The VIN it has already is not asked about again.
	again := proto.CloneOf(v)
	again.GetVehicle().Model = proto.String("A4")
	if err := update(again, "vin", "model"); err != nil {
		t.Error(err)
	}
	r := must(c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{
		Record: record(t, &branchlinev1.OdometerReading{Vehicle: proto.String(idOf(t, v).String()), Km: proto.Int64(10)}),
	}))(t)
	if r.GetOdometerReading().GetDay() != "2026-11-21" {
		t.Errorf("the day of a reading is %q", r.GetOdometerReading().GetDay())
	}
	r.GetOdometerReading().Km = proto.Int64(11)
	wantsField(t, "a fact", update(r, "km"), "update_mask")
}

func TestRecords_aRoleSeesAndWritesWhatTheTableSays(t *testing.T) {
	g := newRig(t)
	c := g.as(steward)
	cust := must(c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Customer{
		Name: proto.String("王小明"), Phones: []*branchlinev1.Phone{{Number: proto.String("13800001234")}},
	})}))(t)
	order := must(c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.ServiceOrder{
		Number: proto.String("SH01-1"), Customer: proto.String(idOf(t, cust).String()), Complaint: proto.String("王先生 says it rattles"), State: branchlinev1.OrderState_RECEIVED.Enum(),
	})}))(t)
	if s := order.GetServiceOrder().GetStates(); len(s) != 1 || s[0].GetState() != branchlinev1.OrderState_RECEIVED || s[0].GetBy() != "st-hq-steward" {
		t.Errorf("states %v", s)
	}
	an := g.as(analyst)
	_, err := an.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: cust.GetName()})
	wants(t, "analyst reads a customer", err, schema.ErrForbidden)
	seen := must(an.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: order.GetName()}))(t)
	if seen.GetServiceOrder().Customer != nil || seen.GetServiceOrder().Complaint != nil || seen.GetServiceOrder().GetNumber() != "SH01-1" {
		t.Errorf("an analyst sees %v", seen.GetServiceOrder())
	}
	for _, s := range seen.GetSources() {
		if s.GetField() == "customer" || s.GetField() == "complaint" {
			t.Errorf("an analyst sees where %s came from", s.GetField())
		}
	}
	_, err = an.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Customer{Name: proto.String("x")})})
	wants(t, "analyst writes", err, schema.ErrForbidden)
	au := must(g.as(auditor).Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: cust.GetName()}))(t)
	if len(au.GetCustomer().GetPhones()) != 0 || au.GetCustomer().GetName() != "王小明" {
		t.Errorf("an auditor sees %v", au.GetCustomer())
	}
	_, err = an.Records.ListRecords(t.Context(), &branchlinev1.ListRecordsRequest{Collection: "serviceOrders", Customer: cust.GetName()})
	wants(t, "analyst lists by customer", err, schema.ErrForbidden)
	_, err = an.Records.Where(t.Context(), &branchlinev1.WhereRequest{Name: cust.GetName()})
	wants(t, "analyst asks where a customer is", err, schema.ErrForbidden)
	_, err = g.as(admin).Records.ImportRows(t.Context(), &branchlinev1.ImportRowsRequest{Source: "s", Rows: []*branchlinev1.ImportRow{{Key: "1", Records: []*branchlinev1.Record{cust}}}})
	if ce := wants(t, "import", err, schema.ErrForbidden); !strings.Contains(ce.Message, "branchline import") {
		t.Errorf("no hint where to import: %s", ce.Message)
	}
}

func TestRecords_whereFollowsABranchsChange(t *testing.T) {
	g := newRig(t)
	boss := g.as(admin)
	must(boss.Headquarters.AddEntity(t.Context(), &branchlinev1.AddEntityRequest{Code: "e1", Name: "One"}))(t)
	pd, mh := g.newBranch(boss, "pd", "e1"), g.newBranch(boss, "mh", "e1")
	car := g.id()
	made := pd.write(car, &branchlinev1.Vehicle{Model: proto.String("A4"), Colour: proto.String("red")})
	pd.send()
	w := must(boss.Records.Where(t.Context(), &branchlinev1.WhereRequest{Name: made.String()}))(t)
	if w.GetWhere().GetState() != branchlinev1.WhereState_COMMITTED || w.GetWhere().GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_APPLIED || len(w.GetTrace()) < 3 {
		t.Fatalf("where %v", w)
	}
	// A concurrent later value at another branch, and the loser is told.
	other := mh.write(car, &branchlinev1.Vehicle{Colour: proto.String("blue")}, made)
	mh.send()
	lost := pd.write(car, &branchlinev1.Vehicle{Colour: proto.String("green")}, made)
	pd.send()
	_ = other
	got := must(boss.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: schema.ResourceName(schema.Vehicle, car)}))(t)
	shown, hidden := lost, other
	if got.GetVehicle().GetColour() == "blue" {
		shown, hidden = other, lost
	}
	for _, s := range got.GetSources() {
		if s.GetField() == "colour" && (s.GetChange() != shown.String() || s.GetActor() != "anna" || len(s.GetLost()) != 1 || s.GetLost()[0].GetChange() != hidden.String()) {
			t.Errorf("source of the colour: %v", s)
		}
	}
	// Delivered when the other branch has confirmed the rev its row bears.
	if s := got.GetWhere().GetState(); s != branchlinev1.WhereState_COMMITTED {
		t.Errorf("delivered before anybody confirmed: %v", got.GetWhere())
	}
	done := make(chan *branchlinev1.WhereResponse, 1)
	go func() {
		r, err := boss.Records.Where(t.Context(), &branchlinev1.WhereRequest{Name: made.String(), WaitFor: branchlinev1.WhereState_DELIVERED, WaitMs: 20000})
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	g.st.Hear(g.st.Branch("mh").Num, func(b *store.Branch) { b.Confirmed = g.st.Rev() })
	if r := <-done; r.GetWhere().GetState() != branchlinev1.WhereState_DELIVERED || len(r.GetWhere().GetDelivered()) != 1 || r.GetWhere().GetDelivered()[0] != "mh" {
		t.Errorf("where %v", r.GetWhere())
	}
	_, err := boss.Records.Where(t.Context(), &branchlinev1.WhereRequest{Name: "pd/" + pd.inc.String() + "/99"})
	wants(t, "a change that never came", err, schema.ErrNotFound)
	_, err = boss.Records.Where(t.Context(), &branchlinev1.WhereRequest{Name: "mh/" + pd.inc.String() + "/1"})
	wants(t, "a change of another branch", err, schema.ErrNotFound)
}
