package web

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
	"branchline/sync/desk"
)

const (
	maxFound = 12 // rows under the search box
	maxHits  = 60 // on the page of results
)

type searchView struct {
	look.Frame
	Query string
	Hits  []hit
	More  bool
	Small bool // nothing was asked yet
}

// hit is one record found.
type hit struct {
	Href, Plate, Name, Text, Kind, Site string
	Mark                                string
}

func (s *Site) search(a *ask) error {
	query := a.Query("q")
	limit := int32(maxHits)
	if partOnly(a.R) {
		limit = maxFound
	}
	var res *branchlinev1.SearchResponse
	if query != "" {
		var err error
		res, err = s.api.Records.Search(a.R.Context(), &branchlinev1.SearchRequest{Query: query, Limit: limit})
		if err != nil && !errors.Is(err, schema.ErrInvalid) { // what cannot be asked finds nothing
			return err
		}
	}
	var hits []hit
	for _, h := range res.GetHits() {
		if x, ok := a.hit(h); ok {
			hits = append(hits, x)
		}
	}
	if partOnly(a.R) {
		if query == "" {
			a.W.WriteHeader(http.StatusOK) // an empty box shows no list
			return nil
		}
		var found look.Found
		for _, h := range hits {
			found.Items = append(found.Items, look.FoundItem{
				Href: h.Href, Plate: h.Plate, Name: say.Marked(h.Name, query), Text: say.Marked(h.Text, query), Meta: h.Site, Kind: h.Kind,
			})
		}
		switch {
		case len(hits) == 0 && res.GetMore():
			found.None = a.T("search.type_more")
		case len(hits) == 0:
			found.None = a.T("search.none_short")
		case res.GetMore():
			found.More = a.T("search.more")
		}
		return s.pages.search.Part(a.W, http.StatusOK, "found", a.Lang, found)
	}
	if to := a.Scanned(query, res.GetHits()); to != "" {
		return a.GoTo(to)
	}
	v := searchView{Frame: a.frame(a.T("search.title"), ""), Query: query, Hits: hits, More: res.GetMore(), Small: query == ""}
	return s.pages.search.Render(a.W, http.StatusOK, v)
}

// hit is a search hit as a row; not ok for a record that has no page for this caller.
func (a *ask) hit(h *branchlinev1.SearchHit) (hit, bool) {
	r := h.GetRecord()
	out := hit{Href: a.Href(r.GetName()), Name: h.GetTitle(), Text: h.GetSubtitle(), Site: a.SiteName(r.GetHome()), Mark: "sister"}
	switch b := r.GetBody().(type) {
	case *branchlinev1.Record_Customer:
		out.Kind = a.T("word.customer")
		if n := len(r.GetGroup()); n > 1 {
			out.Text = strings.TrimSpace(out.Text + " " + a.T("customer.members", n))
		}
	case *branchlinev1.Record_Vehicle:
		out.Kind, out.Plate = a.T("word.vehicle"), desk.PlateOf(b.Vehicle)
		if out.Plate != "" {
			out.Name = ""
		}
		if out.Text = strings.TrimSpace(b.Vehicle.GetBrand() + " " + b.Vehicle.GetModel()); out.Plate != "" {
			out.Text = strings.TrimSpace(out.Text + " " + b.Vehicle.GetVin())
		}
	case *branchlinev1.Record_ServiceOrder:
		out.Kind = a.T("word.order")
		out.Site = a.SiteName(cmp.Or(b.ServiceOrder.GetBranch(), r.GetHome()))
	case *branchlinev1.Record_Note:
		out.Kind = a.T("recordkind.note")
		out.Href = a.noteHref(b.Note)
	case *branchlinev1.Record_Branch:
		out.Kind, out.Href = a.T("word.site"), "/branches#b-"+b.Branch.GetCode()
	}
	return out, out.Href != ""
}

// noteHref is the page a note stands on.
func (a *ask) noteHref(n *branchlinev1.Note) string {
	switch {
	case n.GetCustomer() != "":
		return a.Href("customers/" + n.GetCustomer())
	case n.GetVehicle() != "":
		return a.Href("vehicles/" + n.GetVehicle())
	case n.GetOrder() != "":
		return a.Href("serviceOrders/" + n.GetOrder())
	}
	return ""
}
