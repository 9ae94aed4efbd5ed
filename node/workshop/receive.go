package workshop

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/plate"
	"branchline/schema/vin"
	"branchline/sync/desk"
)

// Receive takes a car in. When several cars may carry the plate it makes nothing and answers with them.
func (w *Workshop) Receive(ctx context.Context, r *branchlinev1.ReceiveRequest) (*branchlinev1.ReceiveResponse, error) {
	id, err := w.acts.Do(ctx, "receive", r.GetRequestId(), func(h *act.Hand) (schema.RecordID, error) {
		x := reception{Hand: h, r: r, zone: w.acts.Zone()}
		return x.take()
	})
	var several *severalCars
	if errors.As(err, &several) {
		for _, c := range several.cars {
			access.Strip(c, access.CallerFrom(ctx).Roles)
		}
		return &branchlinev1.ReceiveResponse{Vehicles: several.cars}, nil
	}
	if err != nil {
		return nil, err
	}
	order, err := w.shown(ctx, id)
	return &branchlinev1.ReceiveResponse{Order: order}, err
}

// severalCars undoes a reception whose plate does not say which car it is.
type severalCars struct{ cars []*branchlinev1.Record }

func (*severalCars) Error() string { return "several cars have carried the plate" }

// reception is a car being taken in.
type reception struct {
	*act.Hand
	r    *branchlinev1.ReceiveRequest
	zone *time.Location

	booked   *branchlinev1.Record // the appointment; nil: none
	pack     *branchlinev1.Record // the package; nil: none
	plate    string               // as it hangs on the car
	car      schema.RecordID
	body     *branchlinev1.Vehicle
	isNew    bool // the car
	customer schema.RecordID
	caller   string // the phone of who gave no name
}

func (x *reception) take() (order schema.RecordID, err error) {
	for _, step := range []func() error{x.appointment, x.packet, x.vehicle, x.person, x.doubt} {
		if err := step(); err != nil {
			return order, err
		}
	}
	o, err := x.order()
	if err != nil {
		return order, err
	}
	if order, err = x.make(o); err != nil {
		return order, err
	}
	if km := x.r.GetOdometerKm(); km > 0 {
		if _, err := x.make(&branchlinev1.OdometerReading{Vehicle: act.Ref(x.car), Km: &km, Order: act.Ref(order)}); err != nil {
			return order, err
		}
	}
	if x.pack != nil {
		if err := putLines(x.Hand, order, x.pack, 0, false); err != nil {
			return order, err
		}
	}
	if err := x.takeParts(order); err != nil {
		return order, err
	}
	return order, x.arrived(order)
}

// make saves a new record, with what a branch knows of one by itself.
func (x *reception) make(m proto.Message) (schema.RecordID, error) {
	desk.Uniform(m)
	desk.Complete(m, x.ID.Branch, x.Caller.Staff, x.Now, x.zone)
	res, err := x.Put(store.Edit{
		Kind: schema.KindOfMessage(m).Kind, Message: m, Day: x.Today, Confirmed: x.r.GetConfirmed(), Add: desk.Dated(m, x.Caller.Staff, x.Now),
	})
	return res.ID, err
}

func (x *reception) appointment() error {
	if x.r.GetAppointment() == "" {
		return nil
	}
	id, err := desk.NameOf("appointment", x.r.GetAppointment(), schema.Appointment)
	if err != nil {
		return err
	}
	if x.booked, err = x.V.Get(id); err != nil {
		return err
	}
	if x.booked.GetAppointment().GetOrder() != "" {
		return schema.Invalid("appointment", "its car has been taken in already")
	}
	return nil
}

func (x *reception) packet() (err error) {
	if x.r.GetPackage() != "" {
		x.pack, err = packageOf(x.Hand, x.r.GetPackage())
	}
	return err
}

// vehicle finds the car, or makes it.
func (x *reception) vehicle() error {
	b := x.booked.GetAppointment()
	said := plate.Fold(cmp.Or(x.r.GetPlate(), b.GetPlate()))
	name := x.r.GetVehicle()
	if name == "" && x.r.GetPlate() == "" && !x.r.GetOtherCar() {
		name = b.GetVehicle()
	}
	var err error
	switch {
	case name != "":
		x.car, err = desk.NameOf("vehicle", name, schema.Vehicle)
	case said == "":
		err = schema.Invalid("plate", "value is required")
	case !x.r.GetOtherCar():
		err = x.carrying(said)
	}
	if err != nil {
		return err
	}
	if x.car.IsZero() {
		x.isNew, x.plate = true, said
		v := &branchlinev1.Vehicle{Plates: []*branchlinev1.PlateTerm{{Plate: &said}}, Vin: text(x.r.GetVin()), Model: text(x.r.GetModel())}
		if err := desk.CheckVIN(v, x.r.GetConfirmed()); err != nil {
			return err
		}
		x.car, err = x.make(v)
		x.body = v
		return err
	}
	return x.known(said)
}

// carrying takes the car that carries a plate now. A car of another VIN is not the one.
func (x *reception) carrying(said string) error {
	cars, err := x.V.Cars(said, x.r.GetVin())
	if err != nil {
		return err
	}
	typed := vin.Key(x.r.GetVin())
	var now, once []*branchlinev1.Record
	for _, c := range cars {
		v := c.GetVehicle()
		has := vin.Key(v.GetVin())
		switch {
		case typed != "" && typed == has:
			x.car, err = act.IDOf(c)
			return err
		case typed != "" && has != "":
		case hangs(v, said):
			now = append(now, c)
		default:
			once = append(once, c)
		}
	}
	switch {
	case len(now) == 1:
		x.car, err = act.IDOf(now[0])
		return err
	case len(now)+len(once) > 0:
		return &severalCars{append(now, once...)}
	}
	return nil
}

// hangs tells whether a plate is on the car and nobody has said that it came off.
func hangs(v *branchlinev1.Vehicle, said string) bool {
	return slices.ContainsFunc(v.GetPlates(), func(p *branchlinev1.PlateTerm) bool {
		return p.GetTo() == "" && plate.Fold(p.GetPlate()) == said
	}) && plate.Fold(desk.PlateOf(v)) == said
}

// known reads a car that has a record, and writes into it what it lacked: the VIN, the model, a plate that is new.
func (x *reception) known(said string) error {
	r, err := x.V.Get(x.car)
	if err != nil {
		return err
	}
	v := r.GetVehicle()
	x.body, x.plate = v, cmp.Or(desk.PlateOf(v), said)
	if plate.Key(said) != "" {
		x.plate = said
	}
	if r.GetShared() || !access.MayWrite(access.Node, schema.Vehicle, x.Caller.Roles) {
		return nil
	}
	next, mask := &branchlinev1.Vehicle{}, []string{}
	if v.GetVin() == "" && x.r.GetVin() != "" {
		next.Vin = text(x.r.GetVin())
		desk.Uniform(next)
		if err := desk.CheckVIN(next, x.r.GetConfirmed()); err != nil {
			return err
		}
		mask = append(mask, "vin", "vin_checked")
	}
	if v.GetModel() == "" && x.r.GetModel() != "" {
		next.Model = text(x.r.GetModel())
		mask = append(mask, "model")
	}
	worn := func(p *branchlinev1.PlateTerm) bool { return plate.Key(p.GetPlate()) == plate.Key(said) }
	if plate.Key(said) != "" && !slices.ContainsFunc(v.GetPlates(), worn) {
		next.Plates = append(slices.Clone(v.GetPlates()), &branchlinev1.PlateTerm{Plate: &said, From: &x.Today})
		mask = append(mask, "plates")
	}
	if len(mask) == 0 {
		return nil
	}
	if _, err = x.Put(store.Edit{Kind: schema.Vehicle, ID: x.car, Message: next, Mask: mask, Etag: r.GetEtag(), Confirmed: x.r.GetConfirmed()}); err != nil {
		return err
	}
	if r, err = x.V.Get(x.car); err == nil {
		x.body = r.GetVehicle()
	}
	return err
}

// person finds who brings the car, or makes them, and ties them to it.
func (x *reception) person() error {
	name, phone := strings.TrimSpace(x.r.GetName()), strings.TrimSpace(x.r.GetPhone())
	var err error
	switch {
	case x.r.GetCustomer() != "":
		x.customer, err = desk.NameOf("customer", x.r.GetCustomer(), schema.Customer)
	case name != "":
		c := &branchlinev1.Customer{Name: &name}
		if phone != "" {
			c.Phones = []*branchlinev1.Phone{{Number: &phone}}
		}
		x.customer, err = x.make(c)
	default:
		x.caller = phone
		return nil
	}
	if err != nil {
		return err
	}
	return x.tie()
}

// tie says what the customer has to do with the car, unless that is known.
func (x *reception) tie() error {
	who, err := x.V.Group(x.customer)
	if err != nil {
		return err
	}
	cars, err := x.V.Group(x.car)
	if err != nil {
		return err
	}
	ties, err := x.V.About(schema.Tie, schema.Vehicle, cars...)
	if err != nil {
		return err
	}
	role := x.r.GetRole()
	for _, r := range ties {
		t := r.GetTie()
		if t.GetTo() != "" || t.GetRetiredAt() != 0 || role != 0 && t.GetRole() != role {
			continue
		}
		if slices.ContainsFunc(who, func(id schema.RecordID) bool { return id.String() == t.GetCustomer() }) {
			return nil
		}
	}
	if role == 0 {
		role = branchlinev1.TieRole_SENDER
		if x.isNew {
			role = branchlinev1.TieRole_OWNER
		}
	}
	_, err = x.make(&branchlinev1.Tie{Customer: act.Ref(x.customer), Vehicle: act.Ref(x.car), Role: &role})
	return err
}

// doubt asks once about a reading that does not fit those before it.
func (x *reception) doubt() error {
	if x.isNew || x.r.GetOdometerKm() == 0 {
		return nil
	}
	cars, err := x.V.Group(x.car)
	if err != nil {
		return err
	}
	var of [2][]*branchlinev1.Record
	for i, k := range []schema.Kind{schema.OdometerReading, schema.ServiceOrder} {
		if of[i], err = x.V.About(k, schema.Vehicle, cars...); err != nil {
			return err
		}
		of[i] = slices.DeleteFunc(of[i], func(r *branchlinev1.Record) bool {
			return r.GetOdometerReading().GetRetiredAt() != 0 || r.GetServiceOrder().GetRetiredAt() != 0
		})
	}
	return desk.CheckOdometer(of[0], of[1], x.Today, x.r.GetOdometerKm(), x.r.GetConfirmed())
}

func (x *reception) order() (*branchlinev1.ServiceOrder, error) {
	b, r := x.booked.GetAppointment(), x.r
	complaint := r.GetComplaint()
	for _, s := range []string{b.GetComplaint(), x.pack.GetPackage().GetName()} {
		if strings.TrimSpace(complaint) == "" {
			complaint = s
		}
	}
	if strings.TrimSpace(complaint) == "" {
		return nil, schema.Invalid("complaint", "value is required")
	}
	o := &branchlinev1.ServiceOrder{
		Vehicle: act.Ref(x.car), State: branchlinev1.OrderState_RECEIVED.Enum(), OdometerKm: r.OdometerKm, Complaint: &complaint,
		Plate: text(x.plate), Vin: text(x.body.GetVin()), Model: text(strings.TrimSpace(x.body.GetBrand() + " " + x.body.GetModel())),
		Adviser: text(cmp.Or(b.GetAdviser(), x.Caller.Staff)), QueueNumber: text(r.GetQueueNumber()), KeyTag: text(r.GetKeyTag()), Bay: text(cmp.Or(r.GetBay(), b.GetBay())),
		Waits: yes(r.GetWaits()), Accident: yes(r.GetAccident()), BroughtBy: text(r.GetBroughtBy()), BroughtPhone: text(cmp.Or(r.GetBroughtPhone(), x.caller)),
		ComebackCause: text(r.GetComebackCause()), ComebackBorneBy: text(r.GetComebackBorneBy()),
	}
	if !x.customer.IsZero() {
		o.Customer = act.Ref(x.customer)
	}
	if r.GetPromisedAt() > 0 {
		o.PromisedAt = proto.Int64(r.GetPromisedAt())
	}
	for _, n := range []struct {
		field, name string
		kind        schema.Kind
		to          **string
	}{
		{"appointment", r.GetAppointment(), schema.Appointment, &o.Appointment},
		{"package", r.GetPackage(), schema.Package, &o.Package},
		{"comeback_of", r.GetComebackOf(), schema.ServiceOrder, &o.ComebackOf},
		{"comeback_line", r.GetComebackLine(), schema.ServiceLine, &o.ComebackLine},
	} {
		if n.name == "" {
			continue
		}
		id, err := desk.NameOf(n.field, n.name, n.kind)
		if err != nil {
			return nil, err
		}
		*n.to = act.Ref(id)
	}
	if o.QueueNumber != nil {
		return o, nil
	}
	next, err := nextQueue(x.Hand, x.zone)
	o.QueueNumber = &next
	return o, err
}

// nextQueue is the queue number after the highest that was given out today.
func nextQueue(h *act.Hand, zone *time.Location) (string, error) {
	orders, err := h.V.OnDay(schema.ServiceOrder, h.Today)
	if err != nil {
		return "", err
	}
	last := 0
	for _, r := range orders {
		o := r.GetServiceOrder()
		n, err := strconv.Atoi(o.GetQueueNumber())
		if err != nil || time.UnixMilli(o.GetOpenedAt()).In(zone).Format(time.DateOnly) != h.Today {
			continue // of another day, settled today; or no number but words
		}
		last = max(last, n)
	}
	return strconv.Itoa(last + 1), nil
}

// arrived says in the appointment what became of it.
func (x *reception) arrived(order schema.RecordID) error {
	if x.booked == nil {
		return nil
	}
	id, err := act.IDOf(x.booked)
	if err != nil {
		return err
	}
	b := x.booked.GetAppointment()
	next := &branchlinev1.Appointment{State: branchlinev1.AppointmentState_APPOINTMENT_ARRIVED.Enum(), Order: act.Ref(order)}
	mask := []string{"state", "order"}
	if b.GetVehicle() == "" {
		next.Vehicle = act.Ref(x.car)
		mask = append(mask, "vehicle")
	}
	if b.GetCustomer() == "" && !x.customer.IsZero() {
		next.Customer = act.Ref(x.customer)
		mask = append(mask, "customer")
	}
	_, err = x.Put(store.Edit{Kind: schema.Appointment, ID: id, Message: next, Mask: mask, Etag: x.booked.GetEtag()})
	return err
}

// text is a value that is not written down when it is empty; yes one that is not when it is no.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func yes(b bool) *bool {
	if !b {
		return nil
	}
	return &b
}
