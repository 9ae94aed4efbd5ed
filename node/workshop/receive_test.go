package workshop

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

var str = proto.String

// receive takes a car in as an adviser and gives the order.
func (r *rig) receive(req *branchlinev1.ReceiveRequest) *branchlinev1.Record {
	r.t.Helper()
	out, err := r.Receive(r.by(adviser), req)
	if err != nil || out.GetOrder() == nil {
		r.t.Fatalf("%v %v", out, err)
	}
	return out.GetOrder()
}

func plates(texts ...string) (out []*branchlinev1.PlateTerm) {
	for _, s := range texts {
		out = append(out, &branchlinev1.PlateTerm{Plate: str(s)})
	}
	return out
}

func TestReceive_PlateOdometerAndALineAreEnough(t *testing.T) {
	r := newRig(t)
	req := &branchlinev1.ReceiveRequest{Plate: " 沪a·8k362", OdometerKm: proto.Int64(36_982), Complaint: "左前轮异响", RequestId: "r1"}
	first := r.receive(req)
	if again := r.receive(req); again.GetName() != first.GetName() {
		t.Errorf("sent again it made %s beside %s", again.GetName(), first.GetName())
	}
	o := first.GetServiceOrder()
	if o.GetState() != branchlinev1.OrderState_RECEIVED || o.GetPlate() != "沪A8K362" || o.GetOdometerKm() != 36_982 || o.GetQueueNumber() != "1" || o.GetNumber() == "" ||
		o.GetDay() != "2026-11-22" || o.GetBranch() != "pd" || o.GetAdviser() != "LI" || len(o.GetStates()) != 1 || o.Customer != nil {
		t.Errorf("%v", o)
	}
	if n := []int{len(r.all(schema.Vehicle)), len(r.all(schema.ServiceOrder)), len(r.all(schema.OdometerReading)), len(r.all(schema.Customer))}; !slices.Equal(n, []int{1, 1, 1, 0}) {
		t.Errorf("made %v cars, orders, readings, customers", n)
	}
	// The same plate is the same car; not read yet is no reading.
	second := r.receive(&branchlinev1.ReceiveRequest{Plate: "沪A8K362", Complaint: "换雨刮"}).GetServiceOrder()
	if second.GetVehicle() != o.GetVehicle() || second.OdometerKm != nil || second.GetQueueNumber() != "2" || len(r.all(schema.OdometerReading)) != 1 {
		t.Errorf("%v", second)
	}
	for field, req := range map[string]*branchlinev1.ReceiveRequest{
		"plate": {Complaint: "异响"}, "complaint": {Plate: "沪A8K362", Complaint: " "},
	} {
		_, err := r.Receive(r.by(adviser), req)
		var fe *schema.FieldsError
		if !errors.As(err, &fe) || fe.Violations[0].Field != field {
			t.Errorf("without %s: %v", field, err)
		}
	}
}

func TestReceive_ANewCustomerOwnsANewCar(t *testing.T) {
	r := newRig(t)
	o := r.receive(&branchlinev1.ReceiveRequest{Plate: "沪B6N905", Complaint: "保养", Name: "沈国强", Phone: "13900001111", Vin: "WAUZZZ8K1DA006278", Model: "朗逸"}).GetServiceOrder()
	ties := r.all(schema.Tie)
	if len(ties) != 1 || ties[0].GetTie().GetRole() != branchlinev1.TieRole_OWNER || ties[0].GetTie().GetCustomer() != o.GetCustomer() || ties[0].GetTie().GetVehicle() != o.GetVehicle() {
		t.Errorf("%v", ties)
	}
	if o.GetVin() != "WAUZZZ8K1DA006278" || o.GetModel() != "朗逸" {
		t.Errorf("%v", o)
	}
	// The one who is known to have to do with the car is tied to it once; somebody else sends it.
	r.receive(&branchlinev1.ReceiveRequest{Plate: "沪B6N905", Complaint: "保养", Customer: o.GetCustomer()})
	son := r.receive(&branchlinev1.ReceiveRequest{Plate: "沪B6N905", Complaint: "保养", Name: "沈小军"}).GetServiceOrder()
	ties = r.all(schema.Tie)
	if len(ties) != 2 || ties[1].GetTie().GetRole() != branchlinev1.TieRole_SENDER || ties[1].GetTie().GetCustomer() != son.GetCustomer() {
		t.Errorf("%v", ties)
	}
	// Who left a number and no name is not lost.
	if o := r.receive(&branchlinev1.ReceiveRequest{Plate: "沪B6N905", Complaint: "保养", Phone: "13900002222"}).GetServiceOrder(); o.GetBroughtPhone() != "13900002222" || o.Customer != nil {
		t.Errorf("%v", o)
	}
}

func TestReceive_SeveralCarsWithThePlate(t *testing.T) {
	r := newRig(t)
	first := r.create(&branchlinev1.Vehicle{Model: str("帕萨特"), Plates: plates("沪A8K362")})
	second := r.create(&branchlinev1.Vehicle{Model: str("朗逸"), Plates: plates("沪A8K362")})
	req := &branchlinev1.ReceiveRequest{Plate: "沪A8K362", Complaint: "异响", RequestId: "r1"}
	out, err := r.Receive(r.by(adviser), req)
	if err != nil || out.GetOrder() != nil || len(out.GetVehicles()) != 2 || len(r.all(schema.ServiceOrder)) != 0 {
		t.Fatalf("%v %v", out, err)
	}
	req.Vehicle = second.String() // the same form, with the car chosen
	if o := r.receive(req).GetServiceOrder(); o.GetVehicle() != second.String() {
		t.Errorf("%v", o)
	}
	if o := r.receive(&branchlinev1.ReceiveRequest{Plate: "沪A8K362", Complaint: "异响", OtherCar: true}).GetServiceOrder(); o.GetVehicle() == first.String() || o.GetVehicle() == second.String() {
		t.Errorf("%v is none of the two", o)
	}
	// A plate that came off a car is asked about: it may hang on the next one.
	r.create(&branchlinev1.Vehicle{Plates: []*branchlinev1.PlateTerm{{Plate: str("沪C88E1K"), To: str("2024-01-01")}}})
	if out, err := r.Receive(r.by(adviser), &branchlinev1.ReceiveRequest{Plate: "沪C88E1K", Complaint: "异响"}); err != nil || len(out.GetVehicles()) != 1 {
		t.Errorf("%v %v", out, err)
	}
	// A VIN says which; the car gets its new plate.
	vin := r.create(&branchlinev1.Vehicle{Vin: str("WAUZZZ8K1DA006278"), Plates: plates("沪D11111")})
	if o := r.receive(&branchlinev1.ReceiveRequest{Plate: "沪AD12867", Vin: "WAUZZZ8K1DA006278", Complaint: "保养"}).GetServiceOrder(); o.GetVehicle() != vin.String() || o.GetPlate() != "沪AD12867" {
		t.Errorf("%v", o)
	}
	if p := desk.PlateOf(r.get(vin).GetVehicle()); p != "沪AD12867" {
		t.Errorf("the car wears %s", p)
	}
}

func TestReceive_AsksOnceAndNeverRefuses(t *testing.T) {
	r := newRig(t)
	r.receive(&branchlinev1.ReceiveRequest{Plate: "沪A8K362", Complaint: "保养", OdometerKm: proto.Int64(36_982)})
	ask := &branchlinev1.ReceiveRequest{Plate: "沪A8K362", Complaint: "保养", OdometerKm: proto.Int64(3_698), RequestId: "r2"}
	for range 2 {
		var d *desk.DetailedError
		if _, err := r.Receive(r.by(adviser), ask); !errors.As(err, &d) || d.Details()[0].(*branchlinev1.FieldViolation).GetConfirm() != desk.ConfirmOdometer {
			t.Fatalf("%v", err)
		}
	}
	if n := len(r.all(schema.ServiceOrder)); n != 1 {
		t.Errorf("%d orders: the question left one behind", n)
	}
	ask.Confirmed = []string{desk.ConfirmOdometer}
	if o := r.receive(ask).GetServiceOrder(); o.GetOdometerKm() != 3_698 {
		t.Errorf("%v", o)
	}
	odd := &branchlinev1.ReceiveRequest{Plate: "沪B6N905", Complaint: "保养", Vin: "LSVAA4187E2184848"}
	if _, err := r.Receive(r.by(adviser), odd); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("%v", err)
	}
	odd.Confirmed = []string{desk.ConfirmVIN}
	if o := r.receive(odd).GetServiceOrder(); o.GetVin() != "LSVAA4187E2184848" {
		t.Errorf("%v", o)
	}
}

func TestReceive_AnAppointmentArrives(t *testing.T) {
	r := newRig(t)
	b := r.create(&branchlinev1.Appointment{
		Branch: str("pd"), Plate: str("沪A8K362"), Name: str("顾佳怡"), Complaint: str("4 万公里保养"), Bay: str("3"), Day: str("2026-11-22"),
		State: branchlinev1.AppointmentState_APPOINTMENT_BOOKED.Enum(),
	})
	o := r.receive(&branchlinev1.ReceiveRequest{Appointment: b.String(), Name: "顾佳怡", Accident: true})
	got := o.GetServiceOrder()
	if got.GetPlate() != "沪A8K362" || got.GetComplaint() != "4 万公里保养" || got.GetBay() != "3" || got.GetAppointment() != b.String() || !got.GetAccident() {
		t.Errorf("%v", got)
	}
	if a := r.get(b).GetAppointment(); a.GetState() != branchlinev1.AppointmentState_APPOINTMENT_ARRIVED || a.GetOrder() != act.Bare(o.GetName()) || a.GetVehicle() != got.GetVehicle() || a.GetCustomer() != got.GetCustomer() {
		t.Errorf("%v", a)
	}
	if _, err := r.Receive(r.by(adviser), &branchlinev1.ReceiveRequest{Appointment: b.String()}); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("it arrived twice: %v", err)
	}
}

func TestReceive_AComebackNamesTheOrder(t *testing.T) {
	r := newRig(t)
	old := r.receive(&branchlinev1.ReceiveRequest{Plate: "沪A8K362", Complaint: "异响"})
	o := r.receive(&branchlinev1.ReceiveRequest{Plate: "沪A8K362", Complaint: "还响", ComebackOf: old.GetName(), ComebackCause: "螺栓没有紧固", ComebackBorneBy: "pd"}).GetServiceOrder()
	if o.GetComebackOf() != act.Bare(old.GetName()) || o.GetComebackCause() != "螺栓没有紧固" || o.GetComebackBorneBy() != "pd" {
		t.Errorf("%v", o)
	}
	if _, err := r.Receive(r.by(adviser), &branchlinev1.ReceiveRequest{Plate: "沪A8K362", Complaint: "还响", ComebackOf: o.GetVehicle()}); err == nil {
		t.Error("a car was taken for an order")
	}
}

func (r *rig) packet(edit func(*branchlinev1.Package)) schema.RecordID {
	p := &branchlinev1.Package{
		Name: str("小保养"), Branch: str("pd"), Price: proto.Int64(49_800), Currency: str("CNY"),
		Lines: []*branchlinev1.PackageLine{
			{Position: proto.Int32(2), Kind: branchlinev1.LineKind_PART.Enum(), Item: str("机油"), PartCode: str("0W-20"), PartQuantity: proto.Int64(4_000), Amount: proto.Int64(33_333), TaxRate: proto.Int32(1300)},
			{Position: proto.Int32(1), Kind: branchlinev1.LineKind_LABOUR.Enum(), Item: str("换机油机滤"), BilledMinutes: proto.Int64(36), Amount: proto.Int64(20_000), System: str("engine")},
		},
	}
	if edit != nil {
		edit(p)
	}
	return r.create(p)
}

// lines are those of an order, by position.
func (r *rig) lines(order string) (out []*branchlinev1.ServiceLine) {
	r.t.Helper()
	_, id, err := schema.ParseName(order)
	if err != nil {
		r.t.Fatal(err)
	}
	err = r.st.View(r.t.Context(), func(v *store.View) error {
		all, err := v.About(schema.ServiceLine, schema.ServiceOrder, id)
		for _, l := range all {
			out = append(out, l.GetServiceLine())
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	slices.SortFunc(out, func(x, y *branchlinev1.ServiceLine) int { return int(x.GetPosition() - y.GetPosition()) })
	return out
}

func TestPackage_ItsLinesCostWhatItCosts(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*branchlinev1.Package)
		want [][2]int64 // amount and discount
	}{
		"cheaper than its lines": {nil, [][2]int64{{20_000, 1_325}, {33_333, 2_208}}},
		"dearer":                 {func(p *branchlinev1.Package) { p.Price = proto.Int64(60_000) }, [][2]int64{{26_667, 0}, {33_333, 0}}},
		"without a price":        {func(p *branchlinev1.Package) { p.Price = nil }, [][2]int64{{20_000, 0}, {33_333, 0}}},
		"without lines":          {func(p *branchlinev1.Package) { p.Lines = nil }, [][2]int64{{49_800, 0}}},
	} {
		r := newRig(t)
		o := r.receive(&branchlinev1.ReceiveRequest{Plate: "沪A8K362", Package: r.packet(c.edit).String()})
		var got [][2]int64
		for _, l := range r.lines(o.GetName()) {
			got = append(got, [2]int64{l.GetAmount(), l.GetDiscount()})
			if l.GetState() != branchlinev1.LineState_LINE_PROPOSED || l.GetExtra() || l.GetPackage() != o.GetServiceOrder().GetPackage() {
				t.Errorf("%s: %v", name, l)
			}
		}
		if !slices.Equal(got, c.want) || o.GetServiceOrder().GetComplaint() != "小保养" {
			t.Errorf("%s: %v, %v", name, got, o.GetServiceOrder())
		}
	}
}

func TestPutPackage_BehindWhatIsThereAndExtraOnceWorkHasBegun(t *testing.T) {
	r := newRig(t)
	pack := r.packet(nil)
	o := r.receive(&branchlinev1.ReceiveRequest{Plate: "沪A8K362", Complaint: "异响"})
	req := &branchlinev1.PutPackageRequest{Order: o.GetName(), Package: pack.String(), RequestId: "p1"}
	for range 2 {
		got, err := r.PutPackage(r.by(adviser), req)
		if err != nil || got.GetServiceOrder().GetPackage() != pack.String() {
			t.Fatalf("%v %v", got, err)
		}
	}
	if l := r.lines(o.GetName()); len(l) != 2 || l[0].GetItem() != "换机油机滤" || l[0].GetSystem() != "engine" || l[1].GetPosition() != 2 || l[1].GetTaxRate() != 1300 {
		t.Errorf("%v", l)
	}
	work := branchlinev1.OrderState_IN_WORK.Enum()
	_, id, err := schema.ParseName(o.GetName())
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.st.Put(t.Context(), store.Edit{
		Kind: schema.ServiceOrder, ID: id, Etag: r.get(id).GetEtag(), Mask: []string{"state"}, Message: &branchlinev1.ServiceOrder{State: work},
		Add: &branchlinev1.ServiceOrder{States: []*branchlinev1.StateChange{{State: work}}}, Actor: "LI", Role: boss,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.PutPackage(r.by(technician), &branchlinev1.PutPackageRequest{Order: o.GetName(), Package: pack.String()}); err != nil {
		t.Fatal(err)
	}
	if l := r.lines(o.GetName()); len(l) != 4 || !l[3].GetExtra() || l[2].GetPosition() != 3 {
		t.Errorf("%v", l)
	}
	gone := r.packet(func(p *branchlinev1.Package) { p.RetiredAt = proto.Int64(1) })
	if _, err := r.PutPackage(r.by(adviser), &branchlinev1.PutPackageRequest{Order: o.GetName(), Package: gone.String()}); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("a package that is not sold: %v", err)
	}
}

func TestReceive_ATechnicianMakesNoCustomersAndNoCars(t *testing.T) {
	r := newRig(t)
	for _, req := range []*branchlinev1.ReceiveRequest{{Plate: "沪A8K362", Complaint: "异响"}, {Plate: "沪A8K362", Complaint: "异响", Name: "顾佳怡"}} {
		if _, err := r.Receive(r.by(technician), req); !errors.Is(err, schema.ErrForbidden) {
			t.Errorf("%v", err)
		}
	}
	r.create(&branchlinev1.Vehicle{Plates: plates("沪A8K362")})
	out, err := r.Receive(r.by(technician), &branchlinev1.ReceiveRequest{Plate: "沪A8K362", Complaint: "异响", Phone: "13900001111"})
	if err != nil || out.GetOrder().GetServiceOrder().GetBroughtPhone() != "" {
		t.Errorf("%v %v", out, err)
	}
}
