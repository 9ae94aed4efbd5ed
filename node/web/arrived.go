package web

import (
	"cmp"
	"net/http"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// arrival is a record that somebody elsewhere has changed.
type arrival struct {
	Site, Who string
	What      string // which values
	Kind      string
	Text      string
	Whole     bool // the text is a number: it never breaks
	Plate     string
	Href      string
	At, Now   int64
}

const (
	// pageOfArrivals is how many stand on a page.
	pageOfArrivals = 50
)

// arrivedKinds are what is listed when it was changed elsewhere.
func arrivedKinds() []schema.Kind {
	return []schema.Kind{schema.Customer, schema.Vehicle, schema.ServiceOrder}
}

// arrivalsOf are records of a kind whose newest value came from elsewhere, the newest first: n and a few, from a place in
// the list on. next is the place after them, "" at the end.
func (a *ask) arrivalsOf(k schema.Kind, from string, n int) (out []arrival, next string, err error) {
	for range 2 { // a newest value that lost is not shown: another page then
		res, err := a.s.c.Records.ListRecords(a.R.Context(), &branchlinev1.ListRecordsRequest{
			Collection: schema.KindOf(k).Collection, PageSize: int32(n), OrderBy: "update_time desc", PageToken: from, Elsewhere: true,
		})
		if err != nil {
			return nil, "", err
		}
		for _, r := range res.GetRecords() {
			if src := newest(r); src != nil && src.GetBranch() != a.branch() {
				out = append(out, a.arrival(k, r, src))
			}
		}
		from = res.GetNextPageToken()
		if from == "" || len(res.GetRecords()) == len(out) {
			break
		}
	}
	return out, from, nil
}

// arrivals are the latest of all kinds, and the page that has the rest.
func (a *ask) arrivals() (out []arrival, more string, err error) {
	for _, k := range arrivedKinds() {
		if !a.Reads(k) {
			continue
		}
		found, next, err := a.arrivalsOf(k, "", fewArrivals)
		if err != nil {
			return nil, "", err
		}
		if out = append(out, found...); next != "" {
			more = "/arrived"
		}
	}
	slices.SortStableFunc(out, func(x, y arrival) int { return cmp.Compare(y.At, x.At) })
	if len(out) > fewArrivals {
		out, more = out[:fewArrivals], "/arrived"
	}
	return out, more, nil
}

type arrivedView struct {
	look.Frame
	Kinds   []siteLink
	Arrived []arrival
	Pager   look.Pager
}

// arrived lists what came from elsewhere, one kind at a time.
func (s *Site) arrived(a *ask) error {
	v := arrivedView{Frame: a.frame(a.T("home.arrived"), "home")}
	var chosen schema.Kind
	for _, k := range arrivedKinds() {
		name := schema.KindOf(k).Collection
		if !a.Reads(k) {
			continue
		}
		if chosen == 0 || a.Query("kind") == name {
			chosen = k
		}
		v.Kinds = append(v.Kinds, siteLink{Href: "/arrived?kind=" + name, Text: a.Sayer().Kind(schema.KindOf(k))})
	}
	if chosen == 0 {
		return schema.ErrForbidden
	}
	for i := range v.Kinds {
		v.Kinds[i].On = v.Kinds[i].Href == "/arrived?kind="+schema.KindOf(chosen).Collection
	}
	found, next, err := a.arrivalsOf(chosen, a.Query("from"), pageOfArrivals)
	if err != nil {
		return err
	}
	v.Arrived, v.Pager = found, a.Pager("from", next)
	return s.pages.arrived.Render(a.W, http.StatusOK, v)
}

func (a *ask) arrival(k schema.Kind, r *branchlinev1.Record, src *branchlinev1.FieldSource) arrival {
	info := schema.KindOf(k)
	x := arrival{
		Site: a.SiteName(src.GetBranch()), Who: a.Names().Person(src.GetActor()), At: src.GetAt(), Now: a.Now,
		Href: a.Href(r.GetName()), Kind: a.Sayer().Kind(info),
	}
	x.Plate, x.Text = a.called(r)
	x.Whole = x.Text != "" && slices.Contains([]string{r.GetServiceOrder().GetNumber(), r.GetVehicle().GetVin()}, x.Text)
	// What that one change wrote: all of it, when it made the record.
	var wrote []string
	all := true
	for _, s := range r.GetSources() {
		if s.GetChange() != src.GetChange() {
			all = false
			continue
		}
		if name := a.label(info, s.GetField()); !slices.Contains(wrote, name) {
			wrote = append(wrote, name)
		}
	}
	switch o := r.GetServiceOrder(); {
	case o != nil && !all && r.GetHome() == a.branch() && slices.Contains(wrote, a.label(info, "sites")):
		x.What = a.T("arrived.passed")
	case all:
		x.What = a.T("arrived.made")
	case len(wrote) > 3:
		x.What = a.T("arrived.many", len(wrote))
	default:
		x.What = a.T("arrived.changed", a.List(wrote))
	}
	return x
}
