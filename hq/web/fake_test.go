package web_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/schema/look/front"
)

// A headquarters of made-up records that keeps the API's promises to the pages: who may read what, what is taken out of
// a record, golden views that name their members, lists that take in the whole group.

var zone = time.FixedZone("CST", 8*3600)

func now() time.Time { return time.Date(2026, 11, 21, 10, 40, 0, 0, zone) }

func ms(day, clock string) int64 {
	t, err := time.ParseInLocation("2006-01-02 15:04", day+" "+clock, zone)
	if err != nil {
		panic(err)
	}
	return t.UnixMilli()
}

// id makes a record id of a number.
func id(n int) string { return schema.RecordID{0: 1, 15: byte(n)}.String() }

type fake struct {
	dir string // of files
	branchlinev1connect.UnimplementedRecordServiceHandler
	branchlinev1connect.UnimplementedSiteServiceHandler
	branchlinev1connect.UnimplementedHeadquartersServiceHandler
	branchlinev1connect.UnimplementedMatchServiceHandler

	records  []*branchlinev1.Record
	golden   map[string]*branchlinev1.Record  // by each member's name
	owners   map[string][]*branchlinev1.Owner // by the car's name
	branches *branchlinev1.ListBranchesResponse

	mu      sync.Mutex
	open    map[chan front.Event]bool // streams that listen
	aside   []*branchlinev1.QuarantineItem
	settled []string // change and act
	asked   []*branchlinev1.ReportRequest
	fail    error // what every report answers, if set

	questions []*branchlinev1.MatchQuestion // open, the best first
	decisions []*branchlinev1.Record        // the newest last
	requests  map[string]string             // decisions by request id
	lost      int                           // so many decisions are not answered
}

// Subscribe carries what tell says.
func (f *fake) Subscribe(ctx context.Context) <-chan front.Event {
	in, out := make(chan front.Event, 1), make(chan front.Event)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		f.open = map[chan front.Event]bool{}
	}
	f.open[in] = true
	go func() {
		defer close(out)
		for {
			select {
			case e := <-in:
				select {
				case out <- e:
				case <-ctx.Done():
				}
			case <-ctx.Done():
				f.mu.Lock()
				delete(f.open, in)
				f.mu.Unlock()
				return
			}
		}
	}()
	return out
}

// tell changes something and says so.
func (f *fake) tell(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	for c := range f.open {
		select {
		case c <- front.Event{Line: true, Records: true}:
		default:
		}
	}
}

func (f *fake) find(name string) *branchlinev1.Record {
	for _, r := range f.records {
		if r.GetName() == name {
			return r
		}
	}
	return nil
}

// shown is a record as the caller may see it.
func shown(ctx context.Context, r *branchlinev1.Record) *branchlinev1.Record {
	out := clone(r)
	access.Strip(out, access.CallerFrom(ctx).Roles)
	return out
}

func (f *fake) GetRecord(ctx context.Context, req *branchlinev1.GetRecordRequest) (*branchlinev1.Record, error) {
	kind, _, err := schema.ParseName(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := access.CallerFrom(ctx).CheckRead(access.HQ, kind); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.find(req.GetName())
	if g := f.golden[req.GetName()]; g != nil && req.GetGolden() {
		r = g
	}
	if r == nil {
		return nil, fmt.Errorf("%s: %w", req.GetName(), schema.ErrNotFound)
	}
	r = shown(ctx, r)
	if req.GetGolden() && access.SeesOwners(access.HQ, access.CallerFrom(ctx).Roles) {
		r.Owners = f.owners[req.GetName()]
	}
	return r, nil
}

// Views are GetRecord's, many at once.
func (f *fake) Views(ctx context.Context, names []string, golden bool) (map[string]*branchlinev1.Record, []*branchlinev1.Owner, error) {
	views, owners := map[string]*branchlinev1.Record{}, []*branchlinev1.Owner{}
	for _, name := range names {
		r, err := f.GetRecord(ctx, &branchlinev1.GetRecordRequest{Name: name, Golden: golden})
		if errors.Is(err, schema.ErrNotFound) || errors.Is(err, schema.ErrInvalid) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		views[name], owners = r, append(owners, r.GetOwners()...)
	}
	return views, owners, nil
}

// Links are the paths Explain tells.
func (f *fake) Links(ctx context.Context, names []string) (out []*branchlinev1.MatchStep, err error) {
	for _, name := range names[min(1, len(names)):] {
		x, err := f.Explain(ctx, &branchlinev1.ExplainMatchRequest{A: names[0], B: name})
		if err != nil {
			return nil, err
		}
		for _, s := range x.GetPath() {
			if !slices.ContainsFunc(out, func(o *branchlinev1.MatchStep) bool {
				return o.GetFrom() == s.GetFrom() && o.GetTo() == s.GetTo() || o.GetFrom() == s.GetTo() && o.GetTo() == s.GetFrom()
			}) {
				out = append(out, s)
			}
		}
	}
	return out, nil
}

func (f *fake) members(name string) []string {
	if g := f.golden[name]; g != nil {
		return g.GetGroup()
	}
	return []string{name}
}

func (f *fake) ListRecords(ctx context.Context, req *branchlinev1.ListRecordsRequest) (*branchlinev1.ListRecordsResponse, error) {
	k := schema.KindOfCollection(req.GetCollection())
	if k == nil {
		return nil, schema.Invalid("collection", "no such")
	}
	if err := access.CallerFrom(ctx).CheckRead(access.HQ, k.Kind); err != nil {
		return nil, err
	}
	out := &branchlinev1.ListRecordsResponse{}
	for _, r := range f.records {
		if !strings.HasPrefix(r.GetName(), req.GetCollection()+"/") {
			continue
		}
		_, body, err := schema.BodyOf(r)
		if err != nil {
			return nil, err
		}
		fits := true
		for _, by := range []struct {
			want  []string
			field *schema.FieldInfo
		}{{f.members(req.GetCustomer()), k.Customer}, {f.members(req.GetVehicle()), k.Vehicle}, {append(f.members(req.GetOrder()), req.GetOrders()...), k.Order}} {
			if strings.Join(by.want, "") == "" {
				continue
			}
			has := ""
			if by.field != nil {
				has = body.ProtoReflect().Get(by.field.Desc).String()
			}
			fits = fits && slices.ContainsFunc(by.want, func(m string) bool { return strings.HasSuffix(m, "/"+has) })
		}
		if fits {
			out.Records = append(out.Records, shown(ctx, r))
		}
	}
	return out, nil
}

func (f *fake) Search(ctx context.Context, req *branchlinev1.SearchRequest) (*branchlinev1.SearchResponse, error) {
	caller := access.CallerFrom(ctx)
	out := &branchlinev1.SearchResponse{}
	for _, r := range f.records {
		k, _, err := schema.BodyOf(r)
		if err != nil {
			return nil, err
		}
		if !access.MayRead(access.HQ, k.Kind, caller.Roles) || !strings.Contains(r.String(), req.GetQuery()) {
			continue
		}
		r = shown(ctx, r)
		hit := &branchlinev1.SearchHit{Record: r, Title: r.GetCustomer().GetName(), Subtitle: "…2207"}
		if o := r.GetServiceOrder(); o != nil {
			hit.Title, hit.Subtitle = o.GetNumber(), o.GetDay()
		}
		out.Hits = append(out.Hits, hit)
	}
	return out, nil
}

func (f *fake) VehicleHistory(ctx context.Context, req *branchlinev1.VehicleHistoryRequest) (*branchlinev1.VehicleHistoryResponse, error) {
	out := &branchlinev1.VehicleHistoryResponse{AskedHq: true}
	if access.SeesOwners(access.HQ, access.CallerFrom(ctx).Roles) {
		out.Owners = f.owners[req.GetVehicle()]
	}
	_, car, _ := strings.Cut(req.GetVehicle(), "/")
	for _, r := range f.records {
		switch {
		case r.GetName() == req.GetVehicle():
			out.Vehicles = append(out.Vehicles, shown(ctx, r))
		case r.GetServiceOrder() != nil && r.GetServiceOrder().GetVehicle() == car:
			v := &branchlinev1.HistoryVisit{Order: shown(ctx, r), BranchName: names[r.GetServiceOrder().GetBranch()]}
			for _, l := range f.records {
				if l.GetServiceLine() != nil && r.GetName() == "serviceOrders/"+l.GetServiceLine().GetOrder() {
					v.Lines = append(v.Lines, shown(ctx, l))
				}
			}
			out.Visits = append(out.Visits, v)
		case r.GetOdometerReading() != nil && r.GetOdometerReading().GetVehicle() == car:
			out.Readings = append(out.Readings, r)
			if r.GetOdometerReading().GetKm() > 190000 {
				out.DoubtfulReadings = append(out.DoubtfulReadings, r.GetName())
			}
		case r.GetTie() != nil && r.GetTie().GetVehicle() == car && access.MayRead(access.HQ, schema.Tie, access.CallerFrom(ctx).Roles):
			out.Ties = append(out.Ties, r)
		}
	}
	slices.SortFunc(out.Visits, func(x, y *branchlinev1.HistoryVisit) int {
		return strings.Compare(y.GetOrder().GetServiceOrder().GetDay(), x.GetOrder().GetServiceOrder().GetDay())
	})
	return out, nil
}

func (f *fake) ListBranches(context.Context, *branchlinev1.Empty) (*branchlinev1.ListBranchesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return clone(f.branches), nil
}

func (f *fake) ListQuarantine(_ context.Context, req *branchlinev1.ListQuarantineRequest) (*branchlinev1.ListQuarantineResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &branchlinev1.ListQuarantineResponse{}
	for _, it := range f.aside {
		if req.GetBranch() == "" || strings.HasPrefix(it.GetChange(), req.GetBranch()+"/") {
			out.Items = append(out.Items, it)
		}
	}
	if len(out.GetItems()) > 2 && req.GetPageToken() == "" {
		out.NextPageToken = "t"
	}
	return out, nil
}

func (f *fake) SettleQuarantine(_ context.Context, req *branchlinev1.SettleQuarantineRequest) (*branchlinev1.Empty, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.aside, func(it *branchlinev1.QuarantineItem) bool { return it.GetChange() == req.GetChange() })
	if i < 0 {
		return nil, fmt.Errorf("change %s in quarantine: %w", req.GetChange(), schema.ErrNotFound)
	}
	f.settled = append(f.settled, fmt.Sprintf("%s %v", req.GetChange(), req.GetDiscard()))
	if req.GetDiscard() {
		f.aside = slices.Delete(slices.Clone(f.aside), i, i+1)
	}
	return &branchlinev1.Empty{}, nil
}

func (f *fake) Report(_ context.Context, req *branchlinev1.ReportRequest) (*branchlinev1.ReportResponse, error) {
	f.mu.Lock()
	f.asked = append(f.asked, req)
	fail := f.fail
	f.mu.Unlock()
	if fail != nil {
		return nil, fail
	}
	for _, day := range []string{req.GetFrom(), req.GetTo()} {
		if day != "" && schema.CheckDay(day) != nil {
			return nil, schema.Invalid("from", "%q is not a day", day)
		}
	}
	if req.GetTo() != "" && req.GetFrom() > req.GetTo() {
		return nil, schema.Invalid("from", "%s comes after the last day, %s", req.GetFrom(), req.GetTo())
	}
	return f.report(req), nil
}
