package web

import (
	"net/http"
	"net/url"
	"strings"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/known"
	"branchline/schema/look"
	"branchline/schema/look/say"
	"branchline/schema/phone"
	"branchline/schema/plate"
	"branchline/schema/vin"
	"branchline/sync/desk"
)

type searchView struct {
	look.Frame
	Query string
	Hits  []look.FoundItem
	More  bool
	// What can be done when it is not here.
	AskHQ  string // a car that HQ may know
	AskFor string
	NewCar string
	NewOne string
}

const (
	liveHits = 8
	pageHits = 50
	maxQuery = 200
)

// search answers the search box as people type, and the page of results without scripts.
func (s *Site) search(a *ask) error {
	q := a.Query("q")
	live := a.R.Header.Get("HX-Request") != ""
	if r := []rune(q); len(r) > maxQuery {
		q = string(r[:maxQuery])
	}
	if q == "" {
		if live {
			return s.nothing(a)
		}
		return a.GoTo("/")
	}
	limit := int32(pageHits)
	if live {
		limit = liveHits
	}
	res, err := s.c.Records.Search(a.R.Context(), &branchlinev1.SearchRequest{Query: q, Limit: limit})
	if err != nil {
		return err
	}
	var hits []look.FoundItem
	for _, h := range res.GetHits() {
		if item, ok := a.found(h.GetRecord()); ok {
			hits = append(hits, item)
		}
	}
	ask, name := a.askable(q)
	if live {
		if ask != "" && len(hits) == 0 {
			hits = append(hits, look.FoundItem{Href: ask, Name: name, Text: a.T("search.ask_hq"), Kind: a.T("word.headquarters")})
		}
		return s.pages.search.Part(a.W, http.StatusOK, "found", a.Lang, look.Found{Items: hits, None: a.T("search.none_live")})
	}
	v := searchView{
		Frame: a.frame(a.T("search.title", q), ""), Query: q, Hits: hits, More: res.GetMore(), AskHQ: ask, AskFor: name,
	}
	if a.May("GET /customers/new") {
		v.NewOne = "/customers/new"
		switch {
		case ask != "":
		case len(phone.Parse(q, "")) == 0:
			v.NewOne += "?" + url.Values{"name": {q}}.Encode()
		case len(known.Phones(q)) > 0:
			v.NewOne += "?" + url.Values{"phone": {q}}.Encode()
		}
	}
	if a.May("GET /vehicles/new") && ask != "" {
		v.NewCar = "/vehicles/new?" + strings.TrimPrefix(ask, "/history?")
	}
	return s.pages.search.Render(a.W, http.StatusOK, v)
}

// nothing empties the list under the box.
func (s *Site) nothing(a *ask) error {
	a.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	a.W.Header().Set("Cache-Control", "no-store")
	a.W.WriteHeader(http.StatusOK)
	return nil
}

// askable tells whether the query names one car, by a whole plate or VIN, and where to ask HQ about it.
func (a *ask) askable(q string) (href, name string) {
	if len(q) > 40 || !a.May("GET /history") {
		return "", ""
	}
	if rep := vin.Check(q); len(rep.VIN) == vin.Length && !rep.Has(vin.BadCharacter) {
		return "/history?" + url.Values{"vin": {rep.VIN}}.Encode(), rep.VIN
	}
	if plate.Key(q) != "" {
		return "/history?" + url.Values{"plate": {plate.Fold(q)}}.Encode(), plate.Format(q)
	}
	return "", ""
}

// found is a row of results, put together from what the caller may see of the record.
func (a *ask) found(r *branchlinev1.Record) (look.FoundItem, bool) {
	item := look.FoundItem{Href: a.Href(r.GetName())}
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	switch b := r.GetBody().(type) {
	case *branchlinev1.Record_Customer:
		item.Kind, item.Name = a.T("word.customer"), b.Customer.GetName()
		add(maskedPhone(b.Customer))
		add(b.Customer.GetContactName())
		if n := len(r.GetGroup()); n > 1 {
			add(a.T("customer.members", n))
		} else if r.GetHome() != a.branch() {
			add(a.SiteName(r.GetHome()))
		}
	case *branchlinev1.Record_Vehicle:
		item.Kind, item.Plate = a.T("word.vehicle"), desk.PlateOf(b.Vehicle)
		add(say.Vehicle(b.Vehicle))
		if v := b.Vehicle.GetVin(); v != "" {
			add("VIN …" + vin.Tail(v, 6))
		}
		if item.Plate == "" {
			item.Name = b.Vehicle.GetVin()
		}
	case *branchlinev1.Record_ServiceOrder:
		item.Kind, item.Plate = a.T("word.order"), b.ServiceOrder.GetPlate()
		add(b.ServiceOrder.GetDay())
		add(b.ServiceOrder.GetModel())
		add(a.s.look.Word(a.Lang, "order", b.ServiceOrder.GetState()))
		add(b.ServiceOrder.GetNumber())
		if item.Plate == "" {
			item.Name = b.ServiceOrder.GetNumber()
		}
	case *branchlinev1.Record_ServiceLine:
		item.Kind, item.Name = a.T("word.order"), b.ServiceLine.GetItem()
		item.Href = a.Href("serviceOrders/" + b.ServiceLine.GetOrder())
	case *branchlinev1.Record_Note:
		item.Kind, item.Name = a.T("note.one"), b.Note.GetText()
		if n := []rune(item.Name); len(n) > 24 {
			item.Name = string(n[:24]) + "…"
		}
		add(b.Note.GetDay())
		switch {
		case b.Note.GetOrder() != "":
			item.Href = a.Href("serviceOrders/" + b.Note.GetOrder())
		case b.Note.GetVehicle() != "":
			item.Href = a.Href("vehicles/" + b.Note.GetVehicle())
		default:
			item.Href = a.Href("customers/" + b.Note.GetCustomer())
		}
	default:
		return item, false
	}
	item.Text = strings.Join(parts, " · ")
	return item, item.Href != "" && item.Plate+item.Name != ""
}
