package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/desk"
)

// Verbs of the questions this package asks HQ.
const (
	VerbLook   = "look"
	VerbVerify = "verify"
)

// lookTime bounds how long a page waits for HQ's answer to a look-up.
const lookTime = 5 * time.Second

// VehicleHistory is what is known of a car here, and beyond the branch's scope if
// HQ is asked and answers. A person is only told of it that the role may see.
func (h *Records) VehicleHistory(ctx context.Context, req *branchlinev1.VehicleHistoryRequest) (*branchlinev1.VehicleHistoryResponse, error) {
	caller := access.CallerFrom(ctx)
	if err := caller.CheckRead(access.Node, schema.Vehicle); err != nil {
		return nil, err
	}
	var id schema.RecordID
	var err error
	if req.GetVehicle() != "" {
		if id, err = desk.NameOf("vehicle", req.GetVehicle(), schema.Vehicle); err != nil {
			return nil, err
		}
	} else if req.GetVin() == "" && req.GetPlate() == "" {
		return nil, schema.Invalid("vehicle", "name the car: by vehicle, vin or plate")
	}
	hist, err := h.c.Store.VehicleHistory(ctx, id, req.GetVin(), req.GetPlate())
	if err != nil && !(errors.Is(err, schema.ErrNotFound) && req.GetAskHq()) {
		return nil, err
	}
	out := new(branchlinev1.VehicleHistoryResponse)
	var terms []*wirev1.OwnerTerm
	if req.GetAskHq() {
		var why string
		terms, why = h.look(ctx, req, hist, caller)
		out.AskedHq, out.OfflineReason = why == "", why
		if again, aerr := h.c.Store.VehicleHistory(ctx, id, req.GetVin(), req.GetPlate()); aerr == nil || hist == nil {
			hist, err = again, aerr
		}
	}
	if err != nil && !errors.Is(err, schema.ErrNotFound) || err != nil && out.GetOfflineReason() == "" {
		return nil, err
	}
	if hist == nil {
		return out, nil // not known here, and HQ could not be asked: the page says why
	}
	names, err := h.c.Store.BranchNames(ctx)
	if err != nil {
		return nil, err
	}
	h.fill(out, hist, names, caller)
	var cars []schema.RecordID
	for _, v := range hist.Vehicles {
		if _, id, err := schema.ParseName(v.GetName()); err == nil {
			cars = append(cars, id)
		}
	}
	if out.Owners, err = h.owners(ctx, cars, caller); err == nil && access.SeesOwners(access.Node, caller.Roles) {
		out.Owners, err = h.join(ctx, out.Owners, terms)
	}
	return out, err
}

func (h *Records) fill(out *branchlinev1.VehicleHistoryResponse, hist *store.History, names map[string]string, caller access.Caller) {
	strip := func(rs ...*branchlinev1.Record) {
		for _, r := range rs {
			access.Strip(r, caller.Roles)
		}
	}
	strip(hist.Vehicles...)
	out.Vehicles = hist.Vehicles
	if access.MayRead(access.Node, schema.ServiceOrder, caller.Roles) {
		for _, v := range hist.Visits {
			strip(v.Order)
			strip(v.Lines...)
			code := v.Order.GetServiceOrder().GetBranch()
			if code == "" {
				code = v.Order.GetHome()
			}
			out.Visits = append(out.Visits, &branchlinev1.HistoryVisit{Order: v.Order, Lines: v.Lines, BranchName: cmp.Or(names[code], code)})
		}
	}
	if access.MayRead(access.Node, schema.OdometerReading, caller.Roles) {
		strip(hist.Readings...)
		out.Readings, out.DoubtfulReadings = hist.Readings, hist.Doubtful
	}
	if access.MayRead(access.Node, schema.Tie, caller.Roles) {
		strip(hist.Ties...)
		out.Ties = hist.Ties
	}
}

// look asks HQ for the car and keeps the answer, but for whose it is and was, which it
// gives back. why says in words why HQ did not answer.
func (h *Records) look(ctx context.Context, req *branchlinev1.VehicleHistoryRequest, hist *store.History, caller access.Caller) (terms []*wirev1.OwnerTerm, why string) {
	q := &wirev1.LookRequest{Vin: req.GetVin(), Plate: req.GetPlate(), Actor: caller.Staff, Reason: req.GetReason()}
	if hist != nil && q.GetVin() == "" && q.GetPlate() == "" {
		for _, v := range hist.Vehicles {
			q.Vin = cmp.Or(q.GetVin(), v.GetVehicle().GetVin())
			q.Plate = cmp.Or(q.GetPlate(), desk.PlateOf(v.GetVehicle()))
		}
	}
	if q.GetVin() == "" && q.GetPlate() == "" {
		return nil, "the car has neither a VIN nor a plate to ask headquarters by"
	}
	b, err := proto.Marshal(q)
	if err != nil {
		return nil, err.Error()
	}
	ctx, stop := context.WithTimeout(ctx, lookTime)
	defer stop()
	ans, err := h.c.Line.Ask(ctx, VerbLook, b)
	if err != nil {
		return nil, fmt.Sprintf("headquarters did not answer: %v", err)
	}
	rep := new(wirev1.LookReply)
	if err := proto.Unmarshal(ans, rep); err != nil {
		return nil, fmt.Sprintf("headquarters' answer cannot be read: %v", err)
	}
	if err := h.c.Store.SaveLook(ctx, rep.GetRows(), time.Duration(rep.GetTtlSeconds())*time.Second); err != nil {
		return nil, err.Error()
	}
	return rep.GetOwners(), ""
}
