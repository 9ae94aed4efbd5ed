package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// moveView is the menu that puts a car into another state: a sheet over the board, or a page of its own without scripts.
type moveView struct {
	look.Frame
	Order, Etag, Request string
	Href                 string
	Plate, Model         string
	State                branchlinev1.OrderState
	Steps                []moveStep
	Money                string // the page on which it is settled
	Next                 string // where to go on
	Fault                string
	Confirm, ConfirmText string // a doubt that may be set aside
	Chosen               string // the state that was doubted
}

type moveStep struct {
	State branchlinev1.OrderState
	Usual bool
}

// boardMove shows the menu of one car.
func (s *Site) boardMove(a *ask) error {
	return a.showMove(a.Query("order"), a.Query("next"), http.StatusOK, nil)
}

func (a *ask) showMove(id, next string, status int, wrong error) error {
	r, err := a.s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "serviceOrders/" + id})
	if err != nil {
		return err
	}
	o := r.GetServiceOrder()
	v := moveView{
		Frame: a.frame(a.T("board.move"), "board"), Order: id, Etag: r.GetEtag(), Href: a.Href(r.GetName()), Plate: o.GetPlate(), Model: o.GetModel(), State: o.GetState(),
		Next: look.SafeNext(cmp.Or(next, "/board")),
	}
	v.Frame.Path = "/board/move?order=" + id
	if v.Request, err = a.requestID(); err != nil {
		return err
	}
	if a.sees(schema.ServiceLine, "amount") && a.May("GET /serviceOrders/{id}/money") {
		v.Money = "/" + r.GetName() + "/money"
	}
	usual := after(o.GetState())
	// Cars are settled on the page of money and given up on their own page, with a reason.
	for _, st := range append(workshop(), branchlinev1.OrderState_HANDED_OVER) {
		if st != o.GetState() && st != branchlinev1.OrderState_BOOKED {
			v.Steps = append(v.Steps, moveStep{st, st == usual})
		}
	}
	slices.SortStableFunc(v.Steps, func(x, y moveStep) int { return one(y.Usual) - one(x.Usual) })
	switch said := violations(wrong); {
	case errors.Is(wrong, schema.ErrConflict):
		v.Fault = a.T("order.moved")
	case len(said) > 0:
		v.Fault = a.violated(said[0])
		if v.Confirm = said[0].GetConfirm(); v.Confirm != "" {
			v.ConfirmText, v.Chosen = a.T("board.anyway"), a.Form("state")
		}
	case wrong != nil:
		return wrong
	}
	if a.R.Header.Get("HX-Request") == "true" { // which is no page that failed: the header says when it is over
		return a.s.pages.move.Part(a.W, http.StatusOK, "move-form", a.Lang, v)
	}
	return a.s.pages.move.Render(a.W, status, v)
}

// boardMoved takes the menu.
func (s *Site) boardMoved(a *ask) error {
	id := a.Form("order")
	state, ok := branchlinev1.OrderState_value[a.Form("state")]
	if !ok || state == 0 {
		return schema.Invalid("state", "is no state of an order")
	}
	_, err := s.c.Workshop.Step(a.R.Context(), &branchlinev1.StepRequest{
		Order: "serviceOrders/" + id, Etag: a.Form("etag"), State: branchlinev1.OrderState(state), Confirmed: a.confirmed(), RequestId: a.Form("request_id"),
	})
	switch {
	case errors.Is(err, schema.ErrConflict):
		return a.showMove(id, a.Form("next"), http.StatusConflict, err)
	case errors.Is(err, schema.ErrInvalid):
		return a.showMove(id, a.Form("next"), http.StatusBadRequest, err)
	case err != nil:
		return err
	case a.R.Header.Get("HX-Request") == "true":
		a.W.Header().Set("Board", "moved")
		a.W.WriteHeader(http.StatusNoContent)
		return nil
	}
	return a.GoTo(look.SafeNext(a.Form("next")))
}
