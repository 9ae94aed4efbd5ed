package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"branchline/hq/find"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
	"branchline/schema/page"
	"branchline/sync/desk"
)

// KeepAsIs is a branch's: headquarters has no values of its own that lost.
func (h *Records) KeepAsIs(context.Context, *branchlinev1.KeepAsIsRequest) (*branchlinev1.Record, error) {
	return nil, fmt.Errorf("a value that lost is let rest at the branch that wrote it: %w", schema.ErrForbidden)
}

// ListRecords is a page of records of one kind.
func (h *Records) ListRecords(ctx context.Context, req *branchlinev1.ListRecordsRequest) (*branchlinev1.ListRecordsResponse, error) {
	k := schema.KindOfCollection(req.GetCollection())
	if k == nil {
		return nil, schema.Invalid("collection", "there is no collection %q", req.GetCollection())
	}
	caller := access.CallerFrom(ctx)
	if err := caller.CheckRead(access.HQ, k.Kind); err != nil {
		return nil, err
	}
	q := page.Query{
		Kind: k, Home: schema.BranchID(req.GetBranch()), UpdatedAfter: req.GetUpdatedAfter(), Retired: req.GetRetired(),
		DayFrom: req.GetDayFrom(), DayTo: req.GetDayTo(), OrderBy: req.GetOrderBy(), Size: int(req.GetPageSize()), Token: req.GetPageToken(),
	}
	if req.GetElsewhere() {
		return nil, schema.Invalid("elsewhere", "is for a branch: headquarters has no records of its own to leave out")
	}
	var err error
	if q.State, err = desk.StateNumber(k, req.GetState()); err != nil {
		return nil, err
	}
	if err := h.tied(ctx, k, caller, req, &q); err != nil {
		return nil, err
	}
	more, err := desk.NamesOf("orders", req.GetOrders(), schema.ServiceOrder)
	if err != nil {
		return nil, err
	}
	if len(more) > 0 && k.Order != nil && access.HideFor(caller.Roles)(k.Order) {
		return nil, fmt.Errorf("your role may not list by orders: %w", schema.ErrForbidden)
	}
	q.Orders = append(q.Orders, more...)
	for {
		recs, next, err := h.c.Index.List(ctx, q)
		if err != nil {
			return nil, err
		}
		out := &branchlinev1.ListRecordsResponse{NextPageToken: next}
		err = h.c.Store.Read(ctx, func(r *store.R) error {
			out.Records, err = h.shower(r, caller).records(recs)
			return err
		})
		// No page is empty for records the caller is not to know of.
		if err != nil || next == "" || len(out.Records) > 0 {
			return out, err
		}
		q.Token = next
	}
}

// tied reads the filters by another record. What is tied to any member of its group fits.
func (h *Records) tied(ctx context.Context, k *schema.KindInfo, caller access.Caller, req *branchlinev1.ListRecordsRequest, q *page.Query) error {
	return h.c.Store.Read(ctx, func(r *store.R) error {
		for _, f := range []struct {
			name, value string
			kind        schema.Kind
			field       *schema.FieldInfo
			to          *[]schema.RecordID
		}{
			{"customer", req.GetCustomer(), schema.Customer, k.Customer, &q.Customers},
			{"vehicle", req.GetVehicle(), schema.Vehicle, k.Vehicle, &q.Vehicles},
			{"order", req.GetOrder(), schema.ServiceOrder, k.Order, &q.Orders},
		} {
			if f.value == "" {
				continue
			}
			if f.field != nil && access.HideFor(caller.Roles)(f.field) {
				return fmt.Errorf("your role may not list by %s: %w", f.name, schema.ErrForbidden)
			}
			id, err := desk.NameOf(f.name, f.value, f.kind)
			if err != nil {
				return err
			}
			if *f.to, err = find.GroupOf(r, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// records leaves out those the caller may not know of, which are notes and attachments.
func (s *shower) records(recs []*store.Rec) ([]*branchlinev1.Record, error) {
	out := make([]*branchlinev1.Record, 0, len(recs))
	for _, rec := range recs {
		r, err := s.record(rec, false)
		if errors.Is(err, schema.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Search finds records by what a person types, but by nothing the caller may not see.
func (h *Records) Search(ctx context.Context, req *branchlinev1.SearchRequest) (*branchlinev1.SearchResponse, error) {
	caller := access.CallerFrom(ctx)
	kinds, err := caller.Kinds(access.HQ, req.GetCollections())
	if err != nil {
		return nil, err
	}
	limit := int(req.GetLimit())
	if limit == 0 {
		limit = 20
	}
	hits, more, err := h.c.Index.Search(ctx, req.GetQuery(), limit, func(rec *store.Rec, matched string) bool {
		k := schema.KindOf(rec.Kind)
		return k != nil && slices.Contains(kinds, rec.Kind) && !index.Tells(k, matched, access.HideIn(k, rec.Names, caller.Roles))
	})
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.SearchResponse{More: more}
	err = h.c.Store.Read(ctx, func(r *store.R) error {
		s := h.shower(r, caller)
		recs := make([]*store.Rec, len(hits))
		for i, hit := range hits {
			recs[i] = hit.Rec
		}
		folds, err := foldsOf(r, recs)
		if err != nil {
			return err
		}
		for _, hit := range hits {
			rec, err := s.view(hit.Rec, folds[hit.Rec.N], false)
			if err != nil {
				return err
			}
			title, sub := desk.Titles(rec)
			out.Hits = append(out.Hits, &branchlinev1.SearchHit{Record: rec, Matched: hit.Matched, Title: title, Subtitle: sub})
		}
		return nil
	})
	return out, err
}

// VehicleHistory is what was done to a car anywhere in the group.
func (h *Records) VehicleHistory(ctx context.Context, req *branchlinev1.VehicleHistoryRequest) (*branchlinev1.VehicleHistoryResponse, error) {
	caller := access.CallerFrom(ctx)
	for _, k := range []schema.Kind{schema.Vehicle, schema.ServiceOrder, schema.ServiceLine} {
		if err := caller.CheckRead(access.HQ, k); err != nil {
			return nil, err
		}
	}
	var id schema.RecordID
	var err error
	if req.GetVehicle() != "" {
		if id, err = desk.NameOf("vehicle", req.GetVehicle(), schema.Vehicle); err != nil {
			return nil, err
		}
	}
	if req.GetVehicle() == "" && strings.TrimSpace(req.GetVin()) == "" && strings.TrimSpace(req.GetPlate()) == "" {
		return nil, schema.Invalid("", "name a vehicle, a VIN or a plate")
	}
	if err := h.c.Catch(ctx); err != nil {
		return nil, err
	}
	car, err := h.c.Index.Car(ctx, id, req.GetVin(), req.GetPlate())
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.VehicleHistoryResponse{AskedHq: true}
	err = h.c.Store.Read(ctx, func(r *store.R) error {
		s := h.shower(r, caller)
		if out.Vehicles, err = s.records(car.Vehicles); err != nil {
			return err
		}
		if access.MayRead(access.HQ, schema.OdometerReading, caller.Roles) {
			if out.Readings, err = s.records(car.Readings); err != nil {
				return err
			}
		}
		if access.MayRead(access.HQ, schema.Tie, caller.Roles) {
			if out.Ties, err = s.records(car.Ties); err != nil {
				return err
			}
		}
		if out.Owners, err = s.owners(car.Vehicles); err != nil {
			return err
		}
		return s.visits(car, out)
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out.Readings, func(a, b *branchlinev1.Record) int {
		return cmp.Or(cmp.Compare(a.GetOdometerReading().GetDay(), b.GetOdometerReading().GetDay()), cmp.Compare(a.GetName(), b.GetName()))
	})
	var orders []*branchlinev1.Record
	for _, v := range out.GetVisits() {
		orders = append(orders, v.GetOrder())
	}
	out.DoubtfulReadings = desk.Doubtful(out.GetReadings(), orders)
	return out, nil
}

// visits are the orders, newest first, with their lines by position.
func (s *shower) visits(car *find.Car, out *branchlinev1.VehicleHistoryResponse) error {
	orders, err := s.records(car.Orders)
	if err != nil {
		return err
	}
	lines, err := s.records(car.Lines)
	if err != nil {
		return err
	}
	byOrder := map[string][]*branchlinev1.Record{}
	for i, l := range lines {
		byOrder[schema.ResourceName(schema.ServiceOrder, car.Lines[i].Order)] = append(byOrder[schema.ResourceName(schema.ServiceOrder, car.Lines[i].Order)], l)
	}
	slices.SortFunc(orders, func(a, b *branchlinev1.Record) int {
		x, y := a.GetServiceOrder(), b.GetServiceOrder()
		return cmp.Or(cmp.Compare(y.GetDay(), x.GetDay()), cmp.Compare(y.GetOpenedAt(), x.GetOpenedAt()), cmp.Compare(b.GetName(), a.GetName()))
	})
	for _, o := range orders {
		ls := byOrder[o.GetName()]
		slices.SortFunc(ls, func(a, b *branchlinev1.Record) int {
			return cmp.Or(cmp.Compare(a.GetServiceLine().GetPosition(), b.GetServiceLine().GetPosition()), cmp.Compare(a.GetName(), b.GetName()))
		})
		v := &branchlinev1.HistoryVisit{Order: o, Lines: ls}
		code := o.GetServiceOrder().GetBranch()
		if code == "" {
			code = o.GetHome()
		}
		if b := s.c.Store.Branch(schema.BranchID(code)); b != nil {
			v.BranchName = b.Name
		}
		out.Visits = append(out.Visits, v)
	}
	return nil
}

// Where tells how far a change, or the last change of a record, has got, and
// waits for a state if asked.
func (h *Records) Where(ctx context.Context, req *branchlinev1.WhereRequest) (*branchlinev1.WhereResponse, error) {
	ctx, stop := context.WithTimeout(ctx, time.Duration(req.GetWaitMs())*time.Millisecond+time.Minute)
	defer stop()
	until := time.NewTimer(time.Duration(req.GetWaitMs()) * time.Millisecond)
	defer until.Stop()
	look := time.NewTicker(pollEvery)
	defer look.Stop()
	for {
		out, err := h.trace(ctx, req.GetName())
		if err == nil && (out.GetWhere().GetState() >= req.GetWaitFor() || req.GetWaitMs() == 0) {
			return out, nil
		}
		if err != nil && (req.GetWaitMs() == 0 || req.GetWaitFor() == branchlinev1.WhereState_WHERE_UNSPECIFIED) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-until.C:
			return out, err
		case <-look.C:
		}
	}
}

// trace tells the rooms a change has passed, oldest first.
func (h *Records) trace(ctx context.Context, name string) (*branchlinev1.WhereResponse, error) {
	caller := access.CallerFrom(ctx)
	out := new(branchlinev1.WhereResponse)
	err := h.c.Store.Read(ctx, func(r *store.R) error {
		s := h.shower(r, caller)
		id, rec, err := s.change(name)
		if err != nil {
			return err
		}
		body, err := s.body(id)
		if err != nil {
			return err
		}
		if rec == nil && len(body.GetRecord()) == 16 {
			if rec, err = store.RecOf(r, schema.RecordID(body.GetRecord())); err != nil {
				return err
			}
		}
		if rec != nil && !access.MayRead(access.HQ, rec.Kind, caller.Roles) {
			return fmt.Errorf("your role may not see this record: %w", schema.ErrForbidden)
		}
		if out.Where, err = s.where(id, rec); err != nil {
			return err
		}
		out.Trace, err = s.steps(id, body.GetAt(), body.GetActor(), rec, out.GetWhere())
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// change reads a change's id, or takes the last change of the record named.
func (s *shower) change(name string) (schema.ChangeID, *store.Rec, error) {
	if strings.Count(name, "/") == 2 {
		id, err := schema.ParseChangeID(name)
		if err != nil {
			return id, nil, err
		}
		l, err := store.LifeOf(s.r, id.Inc)
		if err != nil {
			return id, nil, err
		}
		if l == nil || id.Seq > l.Watermark || s.c.Store.BranchNum(l.Branch).Code != id.Branch {
			return id, nil, fmt.Errorf("change %s has not reached headquarters: %w", id, schema.ErrNotFound)
		}
		return id, nil, nil
	}
	kind, id, err := schema.ParseName(name)
	if err != nil {
		return schema.ChangeID{}, nil, err
	}
	rec, err := recordOf(s.r, schema.KindOf(kind), id)
	if err != nil {
		return schema.ChangeID{}, nil, err
	}
	last, err := latest(rec)
	return last, rec, err
}

func (s *shower) steps(id schema.ChangeID, at uint64, actor string, rec *store.Rec, where *branchlinev1.Where) ([]*branchlinev1.TraceStep, error) {
	var out []*branchlinev1.TraceStep
	if at != 0 {
		out = append(out, &branchlinev1.TraceStep{Room: "store", At: millis(at), Text: fmt.Sprintf("saved at %s by %s", id.Branch, actor)})
	}
	step := &branchlinev1.TraceStep{Room: "inbox", Text: "committed at headquarters"}
	if t, ruled, err := store.RuledAt(s.r, id.Inc, id.Seq); err != nil {
		return nil, err
	} else if ruled {
		step.At, step.Text = t.UnixMilli(), "committed at headquarters; its time was ruled, the branch's clock being ahead"
	}
	out = append(out, step, &branchlinev1.TraceStep{Room: "merge", Text: outcomeText(where)})
	if rec == nil {
		return out, nil
	}
	all, err := s.fed(rec)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if f.branch == id.Branch {
			continue
		}
		text := fmt.Sprintf("waits for %s (rev %d)", f.branch, f.rev)
		if f.has {
			text = fmt.Sprintf("%s has it (rev %d)", f.branch, f.rev)
		}
		out = append(out, &branchlinev1.TraceStep{Room: "feed", Text: text})
	}
	return out, nil
}

func outcomeText(w *branchlinev1.Where) string {
	name := strings.ToLower(strings.TrimPrefix(w.GetOutcome().String(), "CHANGE_"))
	if w.GetReason() != "" {
		return name + ": " + w.GetReason()
	}
	return name
}
