package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/plate"
	"branchline/schema/serve"
)

// passage says where an order was passed to or came from; the zero one: it never left.
type passage struct {
	To, From string // the site that has it now; the one it came from
	Form     string // where it is passed on
}

func (a *ask) passage(r *branchlinev1.Record) passage {
	sites, home := r.GetServiceOrder().GetSites(), r.GetHome()
	var p passage
	switch {
	case home != a.branch() && slices.Contains(sites, a.branch()):
		p.To = a.SiteName(home)
	case home == a.branch():
		for _, b := range sites {
			if b != home {
				p.From = a.SiteName(b)
			}
		}
	}
	if home == a.branch() && a.May("POST /serviceOrders/{id}/transfer") && len(a.sisters()) > 0 {
		p.Form = "/" + r.GetName() + "/transfer"
	}
	return p
}

// sisters are the other branches of this branch's company.
func (a *ask) sisters() []option {
	names := a.Names()
	var out []option
	for _, b := range names.Sites() {
		if b != a.branch() && names.EntityOf(b) == names.EntityOf(a.branch()) {
			out = append(out, option{b, a.SiteName(b)})
		}
	}
	return out
}

func (s *Site) transferForm(a *ask) error {
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "serviceOrders/" + a.id})
	if err != nil {
		return err
	}
	id, err := a.requestID()
	if err != nil {
		return err
	}
	return s.showTransfer(a, http.StatusOK, r, r.GetEtag(), id, faults{}, nil)
}

func (a *ask) transferSections(bad faults) []section {
	return []section{{Title: a.T("pass.what"), Rows: [][]input{{
		bad.put(input{Name: "branch", Type: "select", Label: a.T("pass.to"), Value: a.Form("branch"), Options: a.sisters()}),
		bad.put(input{Name: "reason", Label: a.T("pass.why"), Value: a.Form("reason"), Max: 300, Required: true, Focus: true, Class: "w2", Hint: a.T("pass.hint")}),
	}}}}
}

func (s *Site) showTransfer(a *ask, status int, r *branchlinev1.Record, etag, request string, bad faults, rest []string) error {
	o, name := r.GetServiceOrder(), "/"+r.GetName()
	v := formView{
		Frame: a.frame(a.T("pass.title"), "orders"), Head: a.T("pass.title"), Sub: strings.TrimSpace(plate.Format(o.GetPlate()) + " " + o.GetNumber()),
		Action: name + "/transfer", Back: name, Submit: a.T("pass.do"), Hidden: []hidden{{"etag", etag}, {"request_id", request}},
		Sections: focus(a.transferSections(bad), bad), Faults: rest, Wrong: bad.wrong(),
	}
	return s.pages.form.Render(a.W, status, v)
}

// transfer passes an order to a sister branch.
func (s *Site) transfer(a *ask) error {
	name := "serviceOrders/" + a.id
	_, err := s.c.Workshop.Transfer(a.R.Context(), &branchlinev1.TransferRequest{
		Order: name, Etag: a.Form("etag"), Branch: a.Form("branch"), Reason: a.Form("reason"), RequestId: a.Form("request_id"),
	})
	switch {
	case errors.Is(err, schema.ErrConflict):
		return a.GoTo("/" + name + "?moved=1")
	case errors.Is(err, schema.ErrInvalid) && len(violations(err)) > 0:
		r, rerr := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
		if rerr != nil {
			return rerr
		}
		bad := faults{}
		rest := a.take(bad, err, inputNames(a.transferSections(bad)), a.violated)
		return s.showTransfer(a, http.StatusBadRequest, r, a.Form("etag"), a.Form("request_id"), bad, rest)
	case err != nil:
		return err
	}
	return a.GoTo("/" + name)
}

// keptBy is the branch that keeps what somebody wanted to change here; "" for another error.
func keptBy(err error) string {
	var call *serve.CallError
	if !errors.As(err, &call) {
		return ""
	}
	args := call.Reason.GetArgs()
	switch code := call.Reason.GetCode(); {
	case (code == "kept_elsewhere" || code == "order_elsewhere") && len(args) > 0:
		return args[len(args)-1]
	}
	return ""
}
