package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/say"
	"branchline/schema/nationalid"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// likeView is who the customer being written down may be: under the form as it is typed, and once when it is sent
// without that having been seen.
type likeView struct {
	Matches []likeRow
	Likely  bool   // one of them by more than the name
	Perhaps string // by what the group perhaps knows them; "" when it does not
	Join    string // when their record will join
	Car     string // HQ can be asked about this car, under this reason
}

type likeRow struct {
	Name, Pinyin, Phone string
	Site                siteWord
	Href                string
	Agrees, Differs     []string
}

const (
	// confirmAnother is what a person confirms who has seen the likely duplicates: it goes into the change.
	confirmAnother = "likely_duplicate"
	// likePhones is how many numbers of the form are compared.
	likePhones = 10
)

// identified is the form of a customer with the whole national id, of which the end and a hash are kept.
func identified(e editor) editor {
	sections, read := e.sections, e.read
	e.sections = func(a *ask, m proto.Message, bad faults) []section {
		out := sections(a, m, bad)
		if !a.sees(schema.Customer, "id_hash") {
			return out
		}
		hint := a.T("like.id_hint")
		if last := m.(*branchlinev1.Customer).GetIdLast(); last != "" {
			hint = a.T("like.id_have", last)
		}
		out[0].Rows[1] = slices.Insert(out[0].Rows[1], 1, bad.put(input{
			Name: "national_id", Label: a.T("like.id"), Value: a.Form("national_id"), Max: 40, Hint: hint, Anchor: "f-id_last",
		}))
		return out
	}
	e.read = func(a *ask, m proto.Message) faults {
		bad := read(a, m)
		if id := a.Form("national_id"); id != "" {
			if _, err := nationalid.Parse(id); err != nil {
				bad["national_id"] = fault{text: a.T("like.bad_id")}
			}
		}
		return bad
	}
	return e
}

// newCustomerEditor is the form of a new customer: also the car they came with, by which they may be known.
func newCustomerEditor() editor {
	e := identified(customerEditor())
	sections := e.sections
	e.sections = func(a *ask, m proto.Message, bad faults) []section {
		out := sections(a, m, bad)
		at := slices.IndexFunc(out, func(s section) bool { return s.Anchor == "f-phones" }) + 1
		if at == 0 || !a.Writes(schema.Vehicle) || !a.Writes(schema.Tie) {
			return out
		}
		return slices.Insert(out, at, section{Title: a.T("like.car"), Anchor: "f-car", Rows: [][]input{{
			bad.put(input{Name: "plate", Label: a.T("word.plate"), Value: a.Form("plate"), Max: 20, Hint: a.T("like.car_hint")}),
			bad.put(input{Name: "vin", Label: "VIN", Value: a.Form("vin"), Max: 32, Class: "mono w2"}),
		}}})
	}
	return e
}

// putID writes the national id of an edited customer, by itself: the page about values that others changed meanwhile
// could not keep it. met tells that somebody has changed it meanwhile.
func (s *Site) putID(a *ask, e editor) (met bool, err error) {
	id := a.Form("national_id")
	if id == "" || e.kind != schema.Customer {
		return false, nil
	}
	_, err = s.c.Records.UpdateRecord(a.R.Context(), &branchlinev1.UpdateRecordRequest{
		Record: &branchlinev1.Record{
			Name: e.name(a.id), Etag: a.Form("etag"), Body: &branchlinev1.Record_Customer{Customer: new(branchlinev1.Customer)},
		},
		UpdateMask: []string{"id_last", "id_hash"}, NationalId: id,
	})
	if errors.Is(err, schema.ErrConflict) {
		return true, nil
	}
	return false, err
}

// customerLike answers the form of a new customer as it is typed.
func (s *Site) customerLike(a *ask) error {
	c := new(branchlinev1.Customer)
	readCustomer(a, c) // what is wrong with it the form says when it is sent
	v, err := s.like(a, c)
	if errors.Is(err, schema.ErrExhausted) || errors.Is(err, schema.ErrTooLarge) || errors.Is(err, schema.ErrInvalid) {
		a.W.WriteHeader(http.StatusNoContent) // what stands there stays
		return nil
	}
	if err != nil {
		return err
	}
	return s.pages.form.Part(a.W, http.StatusOK, "like-list", a.Lang, v)
}

// like asks who the customer of the form may be.
func (s *Site) like(a *ask, c *branchlinev1.Customer) (*likeView, error) {
	req := &branchlinev1.FindLikeRequest{
		Customer: &branchlinev1.Customer{
			Name: c.Name, Birthday: c.Birthday, Phones: c.GetPhones()[:min(len(c.GetPhones()), likePhones)],
			Emails: c.GetEmails()[:min(len(c.GetEmails()), likePhones)], Addresses: c.GetAddresses()[:min(len(c.GetAddresses()), likePhones)],
		},
		NationalId: a.Form("national_id"), Vin: a.Form("vin"), Plate: a.Form("plate"), RequestId: a.Form("request_id"),
	}
	res, err := s.c.Records.FindLike(a.R.Context(), req)
	if err != nil {
		return nil, err
	}
	v := &likeView{}
	car := false // it is here
	for _, m := range res.GetMatches() {
		c := m.GetRecord().GetCustomer()
		row := likeRow{
			Name: c.GetName(), Pinyin: say.Pinyin(c.GetName()), Phone: maskedPhone(c), Site: a.siteWord(m.GetRecord().GetHome()), Href: "/" + m.GetRecord().GetName(),
		}
		for _, word := range m.GetAgrees() {
			row.Agrees = append(row.Agrees, a.T("like.same_"+word))
			car = car || word == "vin" || word == "plate"
			v.Likely = v.Likely || word != "name" && word != "pinyin"
		}
		for _, word := range m.GetDiffers() {
			row.Differs = append(row.Differs, a.T("like.other_"+word))
		}
		v.Matches = append(v.Matches, row)
	}
	var by []string
	for _, word := range res.GetPerhapsKnown() {
		by = append(by, a.T("like.by_"+word))
	}
	v.Perhaps = a.List(by)
	line, err := s.c.Site.GetLine(a.R.Context(), &branchlinev1.Empty{})
	up := err == nil && line.GetLinked()
	v.Join = a.T("like.join")
	if up {
		v.Join = a.T("like.join_up")
	}
	whole := plate.Key(req.GetPlate()) != "" || vin.Key(req.GetVin()) != ""
	if up && whole && !car && a.May("POST /history") {
		v.Car = a.T("ask.here")
	}
	return v, nil
}

// warn puts who it may be under the form of a new customer. A warning that cannot be given keeps nobody from the form.
func (s *Site) warn(a *ask, sections []section, m proto.Message) {
	c, ok := m.(*branchlinev1.Customer)
	if !ok {
		return
	}
	found, err := s.like(a, c)
	if err != nil {
		found = &likeView{}
	}
	at := 0
	for i, x := range sections {
		if x.Anchor == "f-phones" || x.Anchor == "f-car" {
			at = i
		}
	}
	sections[at].Like = found
}

// unseen tells whether the form names likely duplicates, by more than the name, that the person has not been shown.
func (s *Site) unseen(a *ask, m proto.Message) bool {
	c, ok := m.(*branchlinev1.Customer)
	if !ok || a.Form("warned") != "" || slices.Contains(a.confirmed(), confirmAnother) {
		return false
	}
	v, err := s.like(a, c)
	return err == nil && v.Likely
}

// carOf is where a new customer's car is written down, if one was typed.
func (a *ask) carOf(customer string) string {
	q := url.Values{"customer": {customer}}
	for _, name := range []string{"plate", "vin"} {
		if v := strings.TrimSpace(a.Form(name)); v != "" {
			q.Set(name, v)
		}
	}
	if len(q) == 1 || !a.May("GET /vehicles/new") {
		return ""
	}
	return "/vehicles/new?" + q.Encode()
}
