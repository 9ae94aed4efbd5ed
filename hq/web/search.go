package web

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
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
	query := a.query("q")
	limit := int32(maxHits)
	if partOnly(a.r) {
		limit = maxFound
	}
	var res *branchlinev1.SearchResponse
	if query != "" {
		var err error
		res, err = s.api.Records.Search(a.r.Context(), &branchlinev1.SearchRequest{Query: query, Limit: limit})
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
	if partOnly(a.r) {
		if query == "" {
			a.w.WriteHeader(http.StatusOK) // an empty box shows no list
			return nil
		}
		found := look.Found{None: a.t("search.none_short")}
		for _, h := range hits {
			found.Items = append(found.Items, look.FoundItem{Href: h.Href, Plate: h.Plate, Name: h.Name, Text: h.Text, Kind: h.Kind})
		}
		return s.pages.search.Part(a.w, http.StatusOK, "found", a.lang, found)
	}
	v := searchView{Frame: a.frame(a.t("search.title"), ""), Query: query, Hits: hits, More: res.GetMore(), Small: query == ""}
	return s.pages.search.Render(a.w, http.StatusOK, v)
}

// hit is a search hit as a row; not ok for a record that has no page for this caller.
func (a *ask) hit(h *branchlinev1.SearchHit) (hit, bool) {
	r := h.GetRecord()
	out := hit{Href: a.href(r.GetName()), Name: h.GetTitle(), Text: h.GetSubtitle(), Site: a.site(r.GetHome()), Mark: "sister"}
	switch b := r.GetBody().(type) {
	case *branchlinev1.Record_Customer:
		out.Kind = a.t("word.customer")
	case *branchlinev1.Record_Vehicle:
		out.Kind, out.Plate = a.t("word.vehicle"), plateOf(b.Vehicle)
		if out.Plate != "" {
			out.Name = ""
		}
		if out.Text = strings.TrimSpace(b.Vehicle.GetBrand() + " " + b.Vehicle.GetModel()); out.Plate != "" {
			out.Text = strings.TrimSpace(out.Text + " " + b.Vehicle.GetVin())
		}
	case *branchlinev1.Record_ServiceOrder:
		out.Kind = a.t("word.order")
		out.Site = a.site(cmp.Or(b.ServiceOrder.GetBranch(), r.GetHome()))
	case *branchlinev1.Record_Note:
		out.Kind = a.t("thing.note")
		out.Href = a.noteHref(b.Note)
	case *branchlinev1.Record_Branch:
		out.Kind, out.Href = a.t("word.site"), "/branches#b-"+b.Branch.GetCode()
	}
	return out, out.Href != ""
}

// noteHref is the page a note stands on.
func (a *ask) noteHref(n *branchlinev1.Note) string {
	switch {
	case n.GetCustomer() != "":
		return a.href("customers/" + n.GetCustomer())
	case n.GetVehicle() != "":
		return a.href("vehicles/" + n.GetVehicle())
	case n.GetOrder() != "":
		return a.href("serviceOrders/" + n.GetOrder())
	}
	return ""
}

// plateOf is the plate a car carries now: of those without an end, the one hung last.
func plateOf(v *branchlinev1.Vehicle) string {
	var best *branchlinev1.PlateTerm
	for _, p := range v.GetPlates() {
		if best == nil || later(p, best) {
			best = p
		}
	}
	return best.GetPlate()
}

func later(p, than *branchlinev1.PlateTerm) bool {
	if (p.GetTo() == "") != (than.GetTo() == "") {
		return p.GetTo() == ""
	}
	return p.GetFrom() >= than.GetFrom()
}
