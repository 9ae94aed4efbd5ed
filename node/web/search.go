package web

import (
	"net/http"
	"net/url"
	"strings"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/known"
	"branchline/schema/look"
	"branchline/schema/phone"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

type searchView struct {
	look.Frame
	Query string
	Hits  []look.FoundItem
	More  string // what to do when there are more
	Blind string // said when the branch is cut off: what cannot be seen
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

// search answers the search box as people type, and the page of results without scripts. The whole number of one order,
// typed or scanned off its job card, leads to the order.
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
		return s.pages.search.Render(a.W, http.StatusOK, searchView{Frame: a.frame(a.T("search.page"), "")})
	}
	limit := int32(pageHits)
	if live {
		limit = liveHits
	}
	res, err := s.c.Records.Search(a.R.Context(), &branchlinev1.SearchRequest{Query: q, Limit: limit})
	if err != nil {
		return err
	}
	if to := a.Scanned(q, res.GetHits()); to != "" && !live {
		return a.GoTo(to)
	}
	var hits []look.FoundItem
	for _, h := range res.GetHits() {
		if item, ok := a.found(h, q); ok {
			hits = append(hits, item)
		}
	}
	if live {
		return s.pages.search.Part(a.W, http.StatusOK, "found", a.Lang, a.underBox(q, hits, res.GetMore()))
	}
	v := searchView{Frame: a.frame(a.T("search.title", q), ""), Query: q, Hits: hits}
	v.AskHQ, v.AskFor = a.askable(q)
	v.NewOne, v.NewCar = a.newOne(q), a.newCar(q)
	if v.Line.Kind == look.LineDown {
		v.Blind = a.T("search.blind")
	}
	if res.GetMore() {
		v.More = a.T("search.type_on")
	}
	return s.pages.search.Render(a.W, http.StatusOK, v)
}

// underBox is the list under the box; of nothing found, what can be done.
func (a *ask) underBox(q string, hits []look.FoundItem, more bool) look.Found {
	f := look.Found{Items: hits}
	switch {
	case len(hits) > 0 && more:
		f.More = a.T("search.type_on")
	case len(hits) == 0 && more:
		f.None = a.T("search.type_more")
	case len(hits) == 0:
		f.None = a.T("search.nobody")
		if a.cutOff() {
			f.None = a.T("search.nobody_blind")
		}
		if href, name := a.askable(q); href != "" {
			f.Items = append(f.Items, look.FoundItem{Href: href, Name: look.Plain(name), Text: look.Plain(a.T("search.ask_hq")), Kind: a.T("word.headquarters")})
		}
		if href := a.newCar(q); href != "" {
			f.Items = append(f.Items, look.FoundItem{Href: href, Name: look.Plain(q), Text: look.Plain(a.T("vehicle.new")), Kind: a.T("word.vehicle")})
		} else if href := a.newOne(q); href != "" {
			f.Items = append(f.Items, look.FoundItem{Href: href, Name: look.Plain(q), Text: look.Plain(a.T("customer.new")), Kind: a.T("word.customer")})
		}
	}
	return f
}

// cutOff tells whether headquarters cannot be asked now.
func (a *ask) cutOff() bool {
	line, err := a.s.c.Site.GetLine(a.R.Context(), &branchlinev1.Empty{})
	return err == nil && !line.GetLinked()
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

// newCar is the form for the car that the query names; "" when it names none.
func (a *ask) newCar(q string) string {
	ask, _ := a.askable(q)
	if ask == "" || !a.May("GET /vehicles/new") {
		return ""
	}
	return "/vehicles/new?" + strings.TrimPrefix(ask, "/history?")
}

// newOne is the form for a new customer, with what the query says of one.
func (a *ask) newOne(q string) string {
	if !a.May("GET /customers/new") {
		return ""
	}
	ask, _ := a.askable(q)
	switch {
	case ask != "":
	case len(phone.Parse(q, "")) == 0:
		return "/customers/new?" + url.Values{"name": {q}}.Encode()
	case len(known.Phones(q)) > 0:
		return "/customers/new?" + url.Values{"phone": {q}}.Encode()
	}
	return "/customers/new"
}
