package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
	"branchline/schema/look/say"
)

// packRow is a package as it is offered for a car.
type packRow struct {
	ID, Name, Meta string
	Price          string
	Due, Other     bool // to be done by now; for another model
	Checked        bool
}

// packCar is what is known of the car that packages are offered for; nothing need be.
type packCar struct {
	model   string // with its brand in front
	km      int64
	history *branchlinev1.VehicleHistoryResponse
}

// nearDue is from which part of its distance on a package counts as due.
const nearDue = 0.9

// soldPackages are the packages that are sold here today.
func (a *ask) soldPackages() ([]*branchlinev1.Record, error) {
	all, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "packages"})
	return slices.DeleteFunc(all, func(r *branchlinev1.Record) bool {
		p := r.GetPackage()
		return len(p.GetLines()) == 0 || p.GetValidFrom() > a.today() || p.GetValidTo() != "" && p.GetValidTo() < a.today() || p.GetBranch() != "" && p.GetBranch() != a.branch()
	}), err
}

// packRows are packages for a car: what is due first, then what fits it, those for other models last.
func (a *ask) packRows(packages []*branchlinev1.Record, car packCar) []packRow {
	rows := make([]packRow, 0, len(packages))
	for _, r := range packages {
		p := r.GetPackage()
		row := packRow{ID: idOf(r.GetName()), Name: cmp.Or(p.GetName(), p.GetCode()), Other: !fits(p, car.model)}
		if p.Price != nil && a.sees(schema.Package, "price") {
			row.Price = look.Money(p.GetPrice(), cmp.Or(p.GetCurrency(), "CNY"))
		}
		other := ""
		if row.Other {
			other = a.T("reception.other_model", a.List(p.GetModels()))
		}
		due, said := a.packDue(p, row.ID, car)
		row.Due = due && !row.Other
		row.Meta = strings.Join(nonEmpty(other, said), " · ")
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(x, y packRow) int {
		return cmp.Or(cmp.Compare(one(x.Other), one(y.Other)), cmp.Compare(one(!x.Due), one(!y.Due)), cmp.Compare(x.Name, y.Name))
	})
	return rows
}

// modelOf is the model of a car with its brand; "" when nobody has said which model it is.
func modelOf(v *branchlinev1.Vehicle) string {
	if v.GetModel() == "" {
		return ""
	}
	return say.Vehicle(v)
}

// fits tells whether a package is for a model; it is when nobody said for which models it is, or which model the car is.
func fits(p *branchlinev1.Package, model string) bool {
	words := " " + strings.ToLower(model) + " "
	return len(p.GetModels()) == 0 || model == "" || slices.ContainsFunc(p.GetModels(), func(m string) bool {
		return strings.Contains(words, " "+strings.ToLower(m)+" ")
	})
}

// packDue tells whether a package is due for a car, and when it was done last.
func (a *ask) packDue(p *branchlinev1.Package, id string, car packCar) (due bool, said string) {
	var lastKm int64
	last := ""
	for _, v := range car.history.GetVisits() { // newest first
		o := v.GetOrder().GetServiceOrder()
		if o.GetState() == branchlinev1.OrderState_CANCELLED || o.GetPackage() != id && !slices.ContainsFunc(v.GetLines(), func(l *branchlinev1.Record) bool {
			return l.GetServiceLine().GetPackage() == id && l.GetServiceLine().GetState() != branchlinev1.LineState_LINE_DECLINED
		}) {
			continue
		}
		last, lastKm = o.GetDay(), o.GetOdometerKm()
		break
	}
	if every := p.GetEveryKm(); every > 0 && car.km > 0 && float64(car.km-lastKm) >= nearDue*float64(every) {
		due = true
	}
	if day, err := time.Parse(time.DateOnly, last); err == nil && p.GetEveryMonths() > 0 {
		due = due || day.AddDate(0, int(p.GetEveryMonths()), 0).Format(time.DateOnly) <= a.today()
	}
	var parts []string
	if every := p.GetEveryKm(); every > 0 {
		parts = append(parts, a.T("reception.every_km", every))
	}
	switch {
	case last != "" && lastKm > 0:
		parts = append(parts, a.T("reception.last_done_km", last, lastKm))
	case last != "":
		parts = append(parts, a.T("reception.last_done", last))
	}
	return due, strings.Join(parts, " · ")
}

// packForm puts a package's lines into an order.
type packForm struct {
	Action  string
	Request string
	Groups  []packGroup
}

// packGroup are packages under a heading.
type packGroup struct {
	Title string
	Rows  []packRow
}

// packForm offers the packages for the car of an order.
func (s *Site) packForm(a *ask, r *branchlinev1.Record) (packForm, error) {
	f := packForm{Action: "/" + r.GetName() + "/package"}
	if !a.Reads(schema.Package) || !a.May("POST /serviceOrders/{id}/package") || front.WantsStream(a.R) { // no live part has it
		return f, nil
	}
	sold, err := a.soldPackages()
	if err != nil || len(sold) == 0 {
		return f, err
	}
	car, err := s.packCar(a, r.GetServiceOrder())
	if err != nil {
		return f, err
	}
	for _, row := range a.packRows(sold, car) {
		title := a.T("quick.fits")
		switch {
		case row.Due:
			title = a.T("reception.due")
		case row.Other:
			title = a.T("quick.others")
		}
		if n := len(f.Groups); n == 0 || f.Groups[n-1].Title != title {
			f.Groups = append(f.Groups, packGroup{Title: title})
		}
		g := &f.Groups[len(f.Groups)-1]
		g.Rows = append(g.Rows, row)
	}
	f.Request, err = a.requestID()
	return f, err
}

// packCar is what is known of an order's car.
func (s *Site) packCar(a *ask, o *branchlinev1.ServiceOrder) (packCar, error) {
	car := packCar{model: o.GetModel(), km: o.GetOdometerKm()}
	if o.GetVehicle() == "" {
		return car, nil
	}
	var err error
	car.history, err = s.c.Records.VehicleHistory(a.R.Context(), &branchlinev1.VehicleHistoryRequest{Vehicle: "vehicles/" + o.GetVehicle()})
	if isMissing(err) { // the order is held here, its car is not
		return car, nil
	}
	if v := car.history.GetVehicles(); len(v) > 0 {
		car.model = cmp.Or(modelOf(v[0].GetVehicle()), car.model)
	}
	return car, err
}

// orderPackage writes a package's lines into an order.
func (s *Site) orderPackage(a *ask) error {
	name := "serviceOrders/" + a.id
	_, err := s.c.Workshop.PutPackage(a.R.Context(), &branchlinev1.PutPackageRequest{Order: name, Package: a.Form("package"), RequestId: a.Form("request_id")})
	if err != nil {
		return err
	}
	return a.GoTo("/" + name + "#add")
}
