package api

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/desk"
	"branchline/sync/link"
	"branchline/sync/merge"
)

// line answers as headquarters would.
type line struct {
	status link.Status
	answer func(verb string, req []byte) ([]byte, error)
}

func (l *line) Link() link.Status             { return l.status }
func (l *line) Refused() bool                 { return false }
func (l *line) Refetch(context.Context) error { return nil }
func (l *line) Ask(_ context.Context, verb string, req []byte) ([]byte, error) {
	if l.answer == nil {
		return nil, errors.New("no link")
	}
	return l.answer(verb, req)
}

type site struct {
	t     testing.TB
	ctx   context.Context
	store *store.Store
	rec   *Records
	sites *Sites
	line  *line
	now   time.Time
}

func as(ctx context.Context, roles ...branchlinev1.Role) context.Context {
	return access.With(ctx, access.Caller{Account: "li", Staff: "li", Roles: roles})
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), line: &line{}}
	clock := func() time.Time { s.now = s.now.Add(time.Millisecond); return s.now }
	var err error
	s.store, err = store.Open(t.Context(), store.Config{Dir: t.TempDir(), Now: clock, Rand: rand.New(rand.NewSource(1))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	err = s.store.Enrol(t.Context(), store.Enrolment{Identity: store.Identity{Branch: "pd", Entity: "e1", IDKey: []byte("k")}, Incarnation: 11, Epoch: 7})
	if err != nil {
		t.Fatal(err)
	}
	s.rec, s.sites, err = New(Config{Store: s.store, Line: s.line, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	s.ctx = as(t.Context(), branchlinev1.Role_ROLE_BRANCH_MANAGER)
	return s
}

func record(t testing.TB, m proto.Message) *branchlinev1.Record {
	t.Helper()
	r := new(branchlinev1.Record)
	if err := schema.SetBody(r, m); err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *site) create(m proto.Message) *branchlinev1.Record {
	s.t.Helper()
	r, err := s.rec.CreateRecord(s.ctx, &branchlinev1.CreateRecordRequest{Record: record(s.t, m)})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *site) page(rows ...*wirev1.Row) {
	s.t.Helper()
	rev := int64(0)
	for _, r := range rows {
		rev = max(rev, r.GetRev())
	}
	if err := s.store.ApplyPage(s.t.Context(), &wirev1.Page{Epoch: 7, HqRev: rev, LastRev: rev, Full: true, Rows: rows}); err != nil {
		s.t.Fatal(err)
	}
}

func state(t *testing.T, branch string, seq int64, m proto.Message) []byte {
	t.Helper()
	v, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	b, ok := merge.EncodeFresh(schema.Stamp{At: schema.Tick(seq), Branch: schema.BranchID(branch), Inc: 5, Seq: schema.Seq(seq)}, &wirev1.ChangeBody{Values: v})
	if !ok {
		t.Fatal("not fresh")
	}
	return b
}

func details[M proto.Message](err error) (out []M) {
	var d interface{ Details() []proto.Message }
	if errors.As(err, &d) {
		for _, m := range d.Details() {
			if x, ok := m.(M); ok {
				out = append(out, x)
			}
		}
	}
	return out
}

func TestCreate_AsksAboutADoubtfulVINOnce(t *testing.T) {
	s := newSite(t)
	bad := &branchlinev1.Vehicle{Vin: proto.String("LSVAA4187E2184848"), Model: proto.String("Lavida")}
	req := &branchlinev1.CreateRecordRequest{Record: record(t, bad)}
	_, err := s.rec.CreateRecord(s.ctx, req)
	vs := details[*branchlinev1.FieldViolation](err)
	if !errors.Is(err, schema.ErrInvalid) || len(vs) != 1 || vs[0].GetConfirm() != desk.ConfirmVIN || vs[0].GetField() != "vin" {
		t.Fatalf("%v %v", err, vs)
	}
	req.Confirmed = []string{desk.ConfirmVIN}
	r, err := s.rec.CreateRecord(s.ctx, req)
	if err != nil || r.GetVehicle().VinChecked == nil || r.GetVehicle().GetVinChecked() {
		t.Fatalf("%v %v", r, err)
	}
	// The same VIN again with another field is not asked about.
	r.GetVehicle().Colour = proto.String("red")
	if _, err := s.rec.UpdateRecord(s.ctx, &branchlinev1.UpdateRecordRequest{Record: r, UpdateMask: []string{"vin", "colour"}}); err != nil {
		t.Fatal(err)
	}
	good := s.create(&branchlinev1.Vehicle{Vin: proto.String("wauzzz8k1da006278"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪 a·8k362")}}})
	if v := good.GetVehicle(); v.GetVin() != "WAUZZZ8K1DA006278" || !v.GetVinChecked() || v.GetPlates()[0].GetPlate() != "沪A8K362" {
		t.Fatalf("%v", v)
	}
}

func TestCreate_OrderNumbersAndStates(t *testing.T) {
	s := newSite(t)
	o1 := s.create(&branchlinev1.ServiceOrder{State: branchlinev1.OrderState_RECEIVED.Enum()})
	o2 := s.create(&branchlinev1.ServiceOrder{State: branchlinev1.OrderState_RECEIVED.Enum()})
	if a, b := o1.GetServiceOrder().GetNumber(), o2.GetServiceOrder().GetNumber(); a == b || a[:2] != "PD" || a[3:15] != "-261121-0001" || b[3:15] != "-261121-0002" {
		t.Fatalf("numbers %q %q", a, b)
	}
	if o := o1.GetServiceOrder(); o.GetBranch() != "pd" || o.GetDay() != "2026-11-21" || len(o.GetStates()) != 1 || o.GetStates()[0].GetBy() != "li" {
		t.Fatalf("%v", o)
	}
	o1.GetServiceOrder().State = branchlinev1.OrderState_IN_WORK.Enum()
	r, err := s.rec.UpdateRecord(s.ctx, &branchlinev1.UpdateRecordRequest{Record: o1, UpdateMask: []string{"state"}})
	if err != nil || len(r.GetServiceOrder().GetStates()) != 2 {
		t.Fatalf("%v %v", r, err)
	}
	if r.GetServiceOrder().GetStates()[1].GetState() != branchlinev1.OrderState_IN_WORK {
		t.Fatalf("%v", r.GetServiceOrder().GetStates())
	}
}

func TestUpdate_ConflictTellsBothValues(t *testing.T) {
	s := newSite(t)
	r := s.create(&branchlinev1.Customer{Name: proto.String("王小明")})
	mine, theirs := proto.CloneOf(r), proto.CloneOf(r)
	theirs.GetCustomer().Name = proto.String("王晓明")
	zhang := access.With(s.t.Context(), access.Caller{Account: "zhang", Staff: "zhang", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_CLERK}})
	if _, err := s.rec.UpdateRecord(zhang, &branchlinev1.UpdateRecordRequest{Record: theirs, UpdateMask: []string{"name"}}); err != nil {
		t.Fatal(err)
	}
	mine.GetCustomer().Name = proto.String("王小民")
	_, err := s.rec.UpdateRecord(s.ctx, &branchlinev1.UpdateRecordRequest{Record: mine, UpdateMask: []string{"name"}})
	cs := details[*branchlinev1.FieldConflict](err)
	if !errors.Is(err, schema.ErrConflict) || len(cs) != 1 {
		t.Fatalf("%v", err)
	}
	if c := cs[0]; c.GetYours() != `"王小民"` || c.GetTheirs() != `"王晓明"` || c.GetWho() != "zhang" || c.GetBranch() != "pd" || c.GetAt() == 0 {
		t.Fatalf("%v", c)
	}
}

// An answer that was lost on its way is asked for again: the edit is made once, whatever came between.
func TestUpdate_TwiceIsOnce(t *testing.T) {
	s := newSite(t)
	r := s.create(&branchlinev1.Customer{Name: proto.String("王小明"), Phones: []*branchlinev1.Phone{{Number: proto.String("13812345678")}}})
	mine := proto.CloneOf(r)
	mine.GetCustomer().Name = proto.String("王晓明")
	mine.GetCustomer().Phones = nil
	req := &branchlinev1.UpdateRecordRequest{Record: mine, UpdateMask: []string{"name", "phones"}, RequestId: "r1"}
	first, err := s.rec.UpdateRecord(s.ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	theirs := proto.CloneOf(first)
	theirs.GetCustomer().Name = proto.String("王小民")
	if _, err := s.rec.UpdateRecord(s.ctx, &branchlinev1.UpdateRecordRequest{Record: theirs, UpdateMask: []string{"name"}}); err != nil {
		t.Fatal(err)
	}
	again, err := s.rec.UpdateRecord(s.ctx, req)
	if err != nil || again.GetCustomer().GetName() != "王小民" {
		t.Fatalf("again: %v %v", again, err)
	}
	if l, err := s.sites.GetLine(s.ctx, nil); err != nil || l.GetLastSeq() != 3 {
		t.Errorf("%d changes, %v", l.GetLastSeq(), err)
	}
	// The id is of this record, and of its edits.
	other := s.create(&branchlinev1.Customer{Name: proto.String("李四")})
	other.GetCustomer().Name = proto.String("李五")
	if _, err := s.rec.UpdateRecord(s.ctx, &branchlinev1.UpdateRecordRequest{Record: other, UpdateMask: []string{"name"}, RequestId: "r1"}); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("one id for two records: %v", err)
	}
	if _, err := s.rec.CreateRecord(s.ctx, &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Note{Text: proto.String("x")}), RequestId: "r1"}); err != nil {
		t.Errorf("a create with an edit's id: %v", err)
	}
	// What changed nothing changes nothing later either, and a day later it is forgotten.
	now, err := s.rec.GetRecord(s.ctx, &branchlinev1.GetRecordRequest{Name: r.GetName()})
	if err != nil {
		t.Fatal(err)
	}
	same := &branchlinev1.UpdateRecordRequest{Record: now, UpdateMask: []string{"name"}, RequestId: "r2"}
	for range 2 {
		if got, err := s.rec.UpdateRecord(s.ctx, same); err != nil || got.GetCustomer().GetName() != "王小民" {
			t.Fatalf("%v %v", got, err)
		}
		now.GetCustomer().Name = proto.String("王五")
	}
	s.now = s.now.Add(25 * time.Hour)
	if _, err := s.rec.UpdateRecord(s.ctx, req); !errors.Is(err, schema.ErrConflict) {
		t.Errorf("a day later: %v", err)
	}
}

// The view of a group is edited as one record is: by its etag, with the view as the answer and conflicts as details.
func TestUpdate_OfAGoldenView(t *testing.T) {
	s := newSite(t)
	x, _ := s.store.MintID()
	y, _ := s.store.MintID()
	s.page(
		&wirev1.Row{Row: wirev1.RowKind_RECORD, Rev: 1, Kind: 4, Record: x[:], Home: "xh", State: state(t, "xh", 1, &branchlinev1.Customer{Name: proto.String("王小明")})},
		&wirev1.Row{Row: wirev1.RowKind_RECORD, Rev: 2, Kind: 4, Record: y[:], Home: "xh", State: state(t, "xh", 2, &branchlinev1.Customer{Remark: proto.String("VIP")})},
		&wirev1.Row{Row: wirev1.RowKind_GROUP, Rev: 3, Kind: 4, Record: x[:], Members: [][]byte{x[:], y[:]}},
	)
	name := schema.ResourceName(schema.Customer, x)
	page, err := s.rec.GetRecord(s.ctx, &branchlinev1.GetRecordRequest{Name: name, Golden: true})
	if err != nil || page.GetEtag() == "" {
		t.Fatalf("%v %v", page, err)
	}
	update := func(remark string) (*branchlinev1.Record, error) {
		r := record(t, &branchlinev1.Customer{Remark: proto.String(remark)})
		r.Name, r.Etag = name, page.GetEtag()
		return s.rec.UpdateRecord(s.ctx, &branchlinev1.UpdateRecordRequest{Record: r, UpdateMask: []string{"remark"}})
	}
	got, err := update("calls at noon")
	if err != nil || got.GetName() != name || got.GetCustomer().GetName() != "王小明" || got.GetCustomer().GetRemark() != "calls at noon" || len(got.GetGroup()) != 3 ||
		got.GetWhere().GetState() != branchlinev1.WhereState_SAVED {
		t.Fatalf("%v %v", got, err)
	}
	_, err = update("calls at night")
	if cs := details[*branchlinev1.FieldConflict](err); !errors.Is(err, schema.ErrConflict) || len(cs) != 1 || cs[0].GetTheirs() != `"calls at noon"` || cs[0].GetWho() != "li" {
		t.Fatalf("%v", err)
	}
	for _, id := range []schema.RecordID{x, y} {
		if r, err := s.store.Get(t.Context(), id); err != nil || r.GetCustomer().GetRemark() == "calls at noon" {
			t.Errorf("%v %v", r, err)
		}
	}
}

func TestRights_ATechnicianSeesTheCarNotThePerson(t *testing.T) {
	s := newSite(t)
	c := s.create(&branchlinev1.Customer{Name: proto.String("王小明"), Phones: []*branchlinev1.Phone{{Number: proto.String("13812345678")}}})
	v := s.create(&branchlinev1.Vehicle{Model: proto.String("A4"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A12345")}}})
	_, vid, _ := schema.ParseName(v.GetName())
	_, cid, _ := schema.ParseName(c.GetName())
	s.create(&branchlinev1.ServiceOrder{Customer: proto.String(cid.String()), Vehicle: proto.String(vid.String()), EstimateAmount: proto.Int64(100)})
	tech := as(t.Context(), branchlinev1.Role_ROLE_TECHNICIAN)
	if _, err := s.rec.GetRecord(tech, &branchlinev1.GetRecordRequest{Name: c.GetName()}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a technician read a customer: %v", err)
	}
	if _, err := s.rec.CreateRecord(tech, &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Customer{Name: proto.String("x")})}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a technician made a customer: %v", err)
	}
	if got, err := s.rec.Search(tech, &branchlinev1.SearchRequest{Query: "13812345678"}); err != nil || len(got.GetHits()) != 0 {
		t.Errorf("a technician found a phone: %v %v", got, err)
	}
	s.create(&branchlinev1.Tie{Customer: proto.String(cid.String()), Vehicle: proto.String(vid.String())})
	for role, want := range map[branchlinev1.Role]int{branchlinev1.Role_ROLE_TECHNICIAN: 1, branchlinev1.Role_ROLE_CLERK: 2} {
		got, err := s.rec.Search(as(t.Context(), role), &branchlinev1.SearchRequest{Query: "沪A12345"})
		if err != nil || len(got.GetHits()) != 1 || len(got.GetHits()[0].GetBeside()) != want {
			t.Errorf("%s is told %v, %v", role, got, err)
		}
	}
	hist, err := s.rec.VehicleHistory(tech, &branchlinev1.VehicleHistoryRequest{Plate: "沪A12345"})
	if err != nil || len(hist.GetVisits()) != 1 {
		t.Fatalf("%v %v", hist, err)
	}
	if o := hist.GetVisits()[0].GetOrder().GetServiceOrder(); o.Customer != nil || o.EstimateAmount != nil {
		t.Errorf("a technician sees %v", o)
	}
	if _, err := s.rec.ListRecords(tech, &branchlinev1.ListRecordsRequest{Collection: "serviceOrders", Customer: c.GetName()}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a technician lists by customer: %v", err)
	}
	if _, err := s.rec.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: v.GetName()}); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("nobody reads: %v", err)
	}
}

// What was written down about a customer alone is not found by its words by who sees no customers; about a car it is.
func TestSearch_TellsNothingOfWhatIsHidden(t *testing.T) {
	s := newSite(t)
	c := s.create(&branchlinev1.Customer{Name: proto.String("王小明")})
	v := s.create(&branchlinev1.Vehicle{Model: proto.String("A4"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A12345")}}})
	_, cid, _ := schema.ParseName(c.GetName())
	_, vid, _ := schema.ParseName(v.GetName())
	s.create(&branchlinev1.Note{Customer: proto.String(cid.String()), Text: proto.String("owes us a cup of tea")})
	both := s.create(&branchlinev1.Note{Customer: proto.String(cid.String()), Vehicle: proto.String(vid.String()), Text: proto.String("tea stains on the seat")})
	find := func(role branchlinev1.Role) []string {
		t.Helper()
		got, err := s.rec.Search(as(t.Context(), role), &branchlinev1.SearchRequest{Query: "tea", Collections: []string{"notes"}})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, h := range got.GetHits() {
			out = append(out, h.GetRecord().GetName())
		}
		return out
	}
	if got := find(branchlinev1.Role_ROLE_TECHNICIAN); len(got) != 1 || got[0] != both.GetName() {
		t.Errorf("a technician finds %v", got)
	}
	if got := find(branchlinev1.Role_ROLE_CLERK); len(got) != 2 {
		t.Errorf("a clerk finds %v", got)
	}
	// Nor is it listed, or there at all; a page is not short for it, nor said to go on.
	alone := s.create(&branchlinev1.Note{Customer: proto.String(cid.String()), Text: proto.String("calls at night")})
	for role, want := range map[branchlinev1.Role]int{branchlinev1.Role_ROLE_TECHNICIAN: 1, branchlinev1.Role_ROLE_CLERK: 3} {
		seen := 0
		for token, more := "", true; more; {
			list, err := s.rec.ListRecords(as(t.Context(), role), &branchlinev1.ListRecordsRequest{Collection: "notes", PageSize: 1, PageToken: token, OrderBy: "create_time desc"})
			if err != nil {
				t.Fatal(err)
			}
			seen += len(list.GetRecords())
			token = list.GetNextPageToken()
			if more = token != ""; more && len(list.GetRecords()) == 0 {
				t.Errorf("%s: an empty page tells of what is hidden", role)
			}
		}
		if seen != want {
			t.Errorf("%s lists %d notes, want %d", role, seen, want)
		}
		_, err := s.rec.GetRecord(as(t.Context(), role), &branchlinev1.GetRecordRequest{Name: alone.GetName()})
		if (want == 1) != errors.Is(err, schema.ErrNotFound) {
			t.Errorf("%s reads the note: %v", role, err)
		}
	}
}

func TestImportRows(t *testing.T) {
	s := newSite(t)
	s.create(&branchlinev1.Customer{Name: proto.String("王小明"), SourceIds: []*branchlinev1.SourceId{{Source: proto.String("dms"), Id: proto.String("c1")}}})
	order := func(n int) *branchlinev1.Record {
		return record(t, &branchlinev1.ServiceOrder{Number: proto.String(fmt.Sprintf("W-%d", n)), Day: proto.String("2024-05-06")})
	}
	row := func(key string, n int, customer string) *branchlinev1.ImportRow {
		return &branchlinev1.ImportRow{
			Key: key,
			Records: []*branchlinev1.Record{
				order(n),
				record(t, &branchlinev1.ServiceLine{Order: proto.String("$0"), Item: proto.String("oil"), Position: proto.Int32(1)}),
			},
			Refs: []*branchlinev1.ImportRef{
				{Field: "customer", Key: customer},
				{Field: "vehicle", Source: "vin", Key: "v1", Stub: record(t, &branchlinev1.Vehicle{Vin: proto.String("LSVAA4187E2184848")})},
			},
		}
	}
	bad := row("k3", 3, "c1")
	bad.Records[1].GetServiceLine().Order = proto.String("$7")
	req := &branchlinev1.ImportRowsRequest{Source: "dms", Rows: []*branchlinev1.ImportRow{row("k1", 1, "c1"), row("k2", 2, "nobody"), bad, row("k4", 4, "c1"), row("k1", 1, "c1")}}
	req.DryRun = true
	dry, err := s.rec.ImportRows(s.ctx, req)
	if err != nil || len(dry.GetResults()[1].GetViolations()) != 1 {
		t.Fatalf("%v %v", dry, err)
	}
	req.DryRun = false
	got, err := s.rec.ImportRows(s.ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	rs := got.GetResults()
	if rs[0].GetName() == "" || rs[0].GetSkipped() || rs[1].GetViolations()[0].GetField() != "customer" || rs[2].GetViolations()[0].GetField() != "lines.0.order" ||
		rs[3].GetName() == "" || !rs[4].GetSkipped() || rs[4].GetName() != rs[0].GetName() {
		t.Fatalf("%v", rs)
	}
	again, err := s.rec.ImportRows(s.ctx, req)
	if err != nil || !again.GetResults()[0].GetSkipped() || !again.GetResults()[3].GetSkipped() {
		t.Fatalf("%v %v", again, err)
	}
	list, err := s.rec.ListRecords(s.ctx, &branchlinev1.ListRecordsRequest{Collection: "serviceOrders", OrderBy: "number"})
	if err != nil || len(list.GetRecords()) != 2 {
		t.Fatalf("%v %v", list, err)
	}
	lines, err := s.rec.ListRecords(s.ctx, &branchlinev1.ListRecordsRequest{Collection: "serviceLines", Order: list.GetRecords()[0].GetName()})
	if err != nil || len(lines.GetRecords()) != 1 {
		t.Fatalf("%v %v", lines, err)
	}
	both := []string{list.GetRecords()[0].GetName(), list.GetRecords()[1].GetName()}
	for i, orders := range [][]string{{}, both[:1], both} {
		of, err := s.rec.ListRecords(s.ctx, &branchlinev1.ListRecordsRequest{Collection: "serviceLines", Orders: orders})
		all, aerr := s.rec.ListRecords(s.ctx, &branchlinev1.ListRecordsRequest{Collection: "serviceLines"})
		if want := []int{len(all.GetRecords()), 1, len(all.GetRecords())}[i]; err != nil || aerr != nil || len(of.GetRecords()) != want || want == 0 {
			t.Errorf("lines of %d orders: %v %v", len(orders), of, err)
		}
	}
	if _, err := s.rec.ListRecords(s.ctx, &branchlinev1.ListRecordsRequest{Collection: "serviceLines", Orders: []string{"customers/" + both[0][len("serviceOrders/"):]}}); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("lines of a customer named as an order: %v", err)
	}
	cars, err := s.rec.ListRecords(s.ctx, &branchlinev1.ListRecordsRequest{Collection: "vehicles"})
	if err != nil || len(cars.GetRecords()) != 1 || cars.GetRecords()[0].GetVehicle().GetVinChecked() {
		t.Fatalf("%v %v", cars, err)
	}
	if _, err := s.rec.ImportRows(s.ctx, &branchlinev1.ImportRowsRequest{Source: "x", Rows: []*branchlinev1.ImportRow{{Key: "1", Records: []*branchlinev1.Record{record(t, &branchlinev1.Note{Text: proto.String("x")})}}}}); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("rows of a kind without source ids: %v", err)
	}
}

func TestVehicleHistory_AsksHQ(t *testing.T) {
	s := newSite(t)
	ask := &branchlinev1.VehicleHistoryRequest{Vin: "WAUZZZ8K1DA006278", AskHq: true, Reason: "at the counter"}
	off, err := s.rec.VehicleHistory(s.ctx, ask)
	if err != nil || off.GetAskedHq() || off.GetOfflineReason() == "" || len(off.GetVehicles()) != 0 {
		t.Fatalf("%v %v", off, err)
	}
	vid, _ := s.store.MintID()
	oid, _ := s.store.MintID()
	s.line.answer = func(verb string, req []byte) ([]byte, error) {
		q := new(wirev1.LookRequest)
		if err := proto.Unmarshal(req, q); err != nil || verb != VerbLook || q.GetVin() != ask.GetVin() || q.GetActor() != "li" || q.GetReason() != "at the counter" {
			t.Errorf("asked %s %v %v", verb, q, err)
		}
		return proto.Marshal(&wirev1.LookReply{TtlSeconds: 60, Rows: []*wirev1.Row{
			{Row: wirev1.RowKind_RECORD, Kind: 5, Record: vid[:], Home: "xh", Shared: true, State: state(t, "xh", 1, &branchlinev1.Vehicle{Vin: proto.String("WAUZZZ8K1DA006278")})},
			{Row: wirev1.RowKind_RECORD, Kind: 7, Record: oid[:], Home: "xh", Shared: true, State: state(t, "xh", 2, &branchlinev1.ServiceOrder{Number: proto.String("XH-1"), Vehicle: proto.String(vid.String()), Branch: proto.String("xh"), Day: proto.String("2025-01-02")})},
		}})
	}
	on, err := s.rec.VehicleHistory(s.ctx, ask)
	if err != nil || !on.GetAskedHq() || len(on.GetVehicles()) != 1 || len(on.GetVisits()) != 1 || on.GetVisits()[0].GetBranchName() != "xh" {
		t.Fatalf("%v %v", on, err)
	}
	// Kept for a while, found without asking, no record of the branch; and then forgotten.
	s.line.answer = nil
	if kept, err := s.rec.VehicleHistory(s.ctx, &branchlinev1.VehicleHistoryRequest{Vin: "WAUZZZ8K1DA006278"}); err != nil || len(kept.GetVisits()) != 1 {
		t.Fatalf("%v %v", kept, err)
	}
	if _, err := s.rec.GetRecord(s.ctx, &branchlinev1.GetRecordRequest{Name: schema.ResourceName(5, vid)}); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("a looked-up car became a record: %v", err)
	}
	s.now = s.now.Add(2 * time.Minute)
	if _, err := s.rec.VehicleHistory(s.ctx, &branchlinev1.VehicleHistoryRequest{Vin: "WAUZZZ8K1DA006278"}); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("kept beyond its time: %v", err)
	}
}

func TestSite_LineChangesVerify(t *testing.T) {
	s := newSite(t)
	s.line.status = link.Status{Phase: link.Open, Gate: wirev1.Gate_OPEN, Heard: s.now}
	bid, _ := s.store.MintID()
	s.page(&wirev1.Row{Row: wirev1.RowKind_RECORD, Rev: 1, Kind: 2, Record: bid[:], Home: "hq", State: state(t, "hq", 1, &branchlinev1.Branch{Code: proto.String("pd"), Name: proto.String("浦东店")})})
	c := s.create(&branchlinev1.Customer{Name: proto.String("王小明")})
	l, err := s.sites.GetLine(s.ctx, nil)
	if err != nil || !l.GetLinked() || l.GetVerdict() != "OPEN" || l.GetSaved() != 1 || l.GetRecords() != 2 {
		t.Fatalf("%v %v", l, err)
	}
	cs, err := s.sites.ListChanges(s.ctx, &branchlinev1.ListChangesRequest{})
	if err != nil || len(cs.GetChanges()) != 1 || cs.GetChanges()[0].GetTitle() != "王小明" || !cs.GetChanges()[0].GetCreated() || cs.GetChanges()[0].GetRecord() != c.GetName() {
		t.Fatalf("%v %v", cs, err)
	}
	if cs, err := s.sites.ListChanges(as(t.Context(), branchlinev1.Role_ROLE_TECHNICIAN), &branchlinev1.ListChangesRequest{}); err != nil || cs.GetChanges()[0].GetTitle() != "" || cs.GetChanges()[0].GetRecord() != "" {
		t.Errorf("a technician sees %v %v", cs, err)
	}
	bs, err := s.sites.ListBranches(s.ctx, nil)
	if err != nil || len(bs.GetBranches()) != 1 || bs.GetBranches()[0].GetName() != "浦东店" {
		t.Fatalf("%v %v", bs, err)
	}
	// HQ holds the same but for one record.
	_, cid, _ := schema.ParseName(c.GetName())
	_, st, err := s.store.State(t.Context(), cid)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.ApplyPage(t.Context(), &wirev1.Page{Epoch: 7, HqRev: 2, LastRev: 2, Full: true, Marks: []*wirev1.Mark{{Branch: "pd", Incarnation: 11, Watermark: 1}}}); err != nil {
		t.Fatal(err)
	}
	hq := map[schema.RecordID][]byte{
		cid: st.Encode(),
		bid: state(t, "hq", 1, &branchlinev1.Branch{Code: proto.String("pd"), Name: proto.String("浦东店")}),
	}
	watermark := int64(2)
	s.line.answer = func(_ string, req []byte) ([]byte, error) {
		q := new(wirev1.VerifyRequest)
		if err := proto.Unmarshal(req, q); err != nil {
			return nil, err
		}
		d, err := schema.NewDigests(q.GetPrefix())
		if err != nil {
			return nil, err
		}
		for id, r := range hq {
			d.Add(id, false, r)
		}
		out := &wirev1.VerifyReply{Epoch: 7, Rev: 2, Digests: d.Ranges(), Marks: []*wirev1.Mark{{Branch: "pd", Incarnation: 11, Watermark: watermark}}}
		return proto.Marshal(out)
	}
	if out, wait, err := s.sites.compare(s.ctx); err != nil || wait == "" || out != nil {
		t.Fatalf("compared at another cut: %v %q %v", out, wait, err)
	}
	watermark = 1
	v, err := s.sites.Verify(s.ctx, nil)
	if err != nil || !v.GetSame() || v.GetRecords() != 2 {
		t.Fatalf("%v %v", v, err)
	}
	hq[cid] = append([]byte(nil), hq[cid]...)
	hq[cid][len(hq[cid])-1] ^= 1
	v, err = s.sites.Verify(s.ctx, nil)
	if err != nil || v.GetSame() || len(v.GetDiffering()) != 1 || v.GetDiffering()[0] != c.GetName() {
		t.Fatalf("%v %v", v, err)
	}
	b, err := s.sites.Backup(s.ctx, &branchlinev1.BackupRequest{})
	if err != nil || b.GetBytes() == 0 {
		t.Fatalf("%v %v", b, err)
	}
}

// A row that makes a customer like one that was here says so, a dry run too; those made with it are not named.
func TestImportRows_SaysWhoLooksAlike(t *testing.T) {
	s := newSite(t)
	here := s.create(&branchlinev1.Customer{Name: proto.String("王小明"), Phones: []*branchlinev1.Phone{{Number: proto.String("13817264531")}}})
	row := func(key, name, phone string) *branchlinev1.ImportRow {
		return &branchlinev1.ImportRow{Key: key, Records: []*branchlinev1.Record{record(t, &branchlinev1.Customer{Name: proto.String(name), Phones: []*branchlinev1.Phone{{Number: proto.String(phone)}}})}}
	}
	order := &branchlinev1.ImportRow{
		Key: "o1", Records: []*branchlinev1.Record{record(t, &branchlinev1.ServiceOrder{Number: proto.String("W-1"), Day: proto.String("2024-05-06")})},
		Refs: []*branchlinev1.ImportRef{{Field: "customer", Source: "crm", Key: "c7", Stub: row("", "王小明", "13817264531").GetRecords()[0]}},
	}
	req := &branchlinev1.ImportRowsRequest{Source: "dms", DryRun: true, Likes: true, Rows: []*branchlinev1.ImportRow{
		row("k1", "王晓明", "138 1726 4531"), row("k2", "李雷", "13911112222"), row("k3", "李雷", "13911112222"), order, row("k1", "王晓明", "138 1726 4531"),
	}}
	for _, dry := range []bool{true, false} {
		req.DryRun = dry
		got, err := s.rec.ImportRows(s.ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []struct{ made, like int }{{1, 1}, {1, 0}, {1, 0}, {1, 1}, {0, 0}} {
			r := got.GetResults()[i]
			if len(r.GetMade()) != want.made || len(r.GetLikes()) != want.like {
				t.Errorf("dry %v, row %d: made %v, like %v", dry, i, r.GetMade(), r.GetLikes())
			}
			for _, l := range r.GetLikes() {
				if l.GetRecord() != here.GetName() || !slices.Contains(l.GetAgrees(), "phone") {
					t.Errorf("dry %v, row %d is like %v", dry, i, l)
				}
			}
		}
	}
	req.Rows, req.Likes = []*branchlinev1.ImportRow{row("k9", "王小明", "13817264531")}, false
	if got, err := s.rec.ImportRows(s.ctx, req); err != nil || len(got.GetResults()[0].GetLikes())+len(got.GetResults()[0].GetMade()) > 0 {
		t.Errorf("nobody asked: %v, %v", got, err)
	}
}
