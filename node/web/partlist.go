package web

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

// partsView is the two lists of parts that are not in stock: who is to be called since theirs have come, and what is
// still waited for.
type partsView struct {
	look.Frame
	Calls   []partCall
	Waits   []partRow
	Late    int
	May     bool // write down what came
	MayCall bool
	Request string
	Done    string // what was just done, in words
	Failed  string
	FixHref string
}

// partCall is a car whose parts have come and whose customer does not know.
type partCall struct {
	Card      carCard
	Line      string // the one the talk is written down by
	Customer  string
	Phone     string // as it is read
	Dial      string // and as it is dialled
	Parts     string
	Came      int64
	Now       int64
	Request   string
	ContactTo string // the form of a talk of more words
	names     []string
}

// partRow is a part that is waited for, or that may be.
type partRow struct {
	Line, ID   string
	Part, Code string
	Href       string
	Plate      string
	Model      string
	State      branchlinev1.OrderState // of its order, in a list of several
	Supplier   string
	Expected   string
	Ordered    int64
	Now        int64
	Late       bool
	Today      bool
	Told       bool
	Came       int64
	Etag       string
}

const mostArrived = 100

func (s *Site) parts(a *ask) (*look.Page, look.View, error) {
	v := partsView{Frame: a.live(a.T("rail.parts"), "parts"), May: a.May("POST /parts"), MayCall: a.May("POST /parts") && a.Writes(schema.Contact)}
	var err error
	if v.Request, err = a.requestID(); err != nil {
		return nil, nil, err
	}
	came, err := s.c.Workshop.ListParts(a.R.Context(), &branchlinev1.ListPartsRequest{Arrived: true})
	if err != nil {
		return nil, nil, err
	}
	if v.Calls, err = a.partCalls(came.GetLines()); err != nil {
		return nil, nil, err
	}
	waited, err := s.c.Workshop.ListParts(a.R.Context(), &branchlinev1.ListPartsRequest{})
	if err != nil {
		return nil, nil, err
	}
	for _, l := range waited.GetLines() {
		row := a.partRow(l.GetLine())
		row.Href, row.Plate, row.Model, row.State = a.Href(l.GetCar().GetOrder()), l.GetCar().GetPlate(), l.GetCar().GetModel(), l.GetCar().GetState()
		v.Late += one(row.Late)
		v.Waits = append(v.Waits, row)
	}
	switch plate, n := a.Query("plate"), a.Query("n"); a.Query("done") {
	case "told":
		v.Done, v.FixHref = a.T("parts.told_done", plate), a.Href("customers/"+a.Query("customer"))
	case "missed":
		v.Done = a.T("parts.missed_done", plate)
	case "came":
		if count, err := strconv.Atoi(n); err == nil {
			v.Done = a.T("parts.came_done", count)
		}
	}
	if a.Query("none") != "" {
		v.Failed = a.T("parts.none_ticked")
	}
	return s.pages.partlist, v, nil
}

// partCalls are the cars of lines whose part has come, each once.
func (a *ask) partCalls(lines []*branchlinev1.WorkLine) ([]partCall, error) {
	var out []partCall
	at := map[string]int{}
	for _, l := range lines {
		order := l.GetCar().GetOrder()
		i, known := at[order]
		if !known {
			i = len(out)
			at[order] = i
			c := partCall{
				Card: a.carCard(l.GetCar()), Line: l.GetLine().GetName(), Customer: l.GetCar().GetCustomerName(), Phone: say.Phone(l.GetPhone()), Dial: l.GetPhone(), Now: a.Now,
				Came: l.GetLine().GetServiceLine().GetPartsArrivedAt(),
			}
			var err error
			if c.Request, err = a.requestID(); err != nil {
				return nil, err
			}
			if to := l.GetCar().GetCustomer(); to != "" && a.May("GET /contacts/new") {
				c.ContactTo = "/contacts/new?" + url.Values{"customer": {to}, "order": {idOf(order)}, "phone": {l.GetPhone()}}.Encode()
			}
			out = append(out, c)
		}
		out[i].names = append(out[i].names, partName(l.GetLine().GetServiceLine()))
		out[i].Parts = a.List(out[i].names)
	}
	return out, nil
}

// partName is what the part of a line is called.
func partName(l *branchlinev1.ServiceLine) string {
	return cmp.Or(l.GetPartName(), l.GetItem(), l.GetPartCode())
}

func (a *ask) partRow(r *branchlinev1.Record) partRow {
	l := r.GetServiceLine()
	return partRow{
		Line: r.GetName(), ID: idOf(r.GetName()), Part: partName(l), Code: l.GetPartCode(), Supplier: l.GetSupplier(), Expected: l.GetPartsExpectedOn(),
		Ordered: l.GetPartsOrderedAt(), Came: l.GetPartsArrivedAt(), Now: a.Now, Etag: r.GetEtag(),
		Late:  l.GetPartsArrivedAt() == 0 && l.GetPartsExpectedOn() != "" && l.GetPartsExpectedOn() < a.today(),
		Today: l.GetPartsArrivedAt() == 0 && l.GetPartsExpectedOn() == a.today(),
		Told:  l.GetPartsToldAt() != 0 && l.GetPartsToldAt() >= max(l.GetPartsOrderedAt(), l.GetPartsArrivedAt()),
	}
}

// partsAct takes the forms of the lists: parts that came, a call that was made.
func (s *Site) partsAct(a *ask) error {
	switch a.Form("act") {
	case "came":
		return s.partsCame(a)
	case "told", "missed":
		return s.partsTold(a)
	}
	return schema.Invalid("act", "%q is nothing to do with parts", a.Form("act"))
}

// partsCame says of every ticked line that its part has come. Each is an act of its own: what others have said already
// is no obstacle to the rest.
func (s *Site) partsCame(a *ask) error {
	lines := a.R.PostForm["line"]
	if len(lines) > mostArrived {
		lines = lines[:mostArrived]
	}
	if len(lines) == 0 {
		return a.GoTo("/parts?none=1#waits")
	}
	for i, line := range lines {
		_, err := s.c.Workshop.Parts(a.R.Context(), &branchlinev1.PartsRequest{
			Line: &branchlinev1.SeenLine{Line: line}, Arrived: true, RequestId: a.Form("request_id") + "-" + strconv.Itoa(i),
		})
		if err != nil {
			return err
		}
	}
	return a.GoTo("/parts?done=came&n=" + strconv.Itoa(len(lines)))
}

// partsTold records a call about parts that have come.
func (s *Site) partsTold(a *ask) error {
	outcome := branchlinev1.ContactOutcome_CONTACT_REACHED
	if a.Form("act") == "missed" {
		outcome = branchlinev1.ContactOutcome_CONTACT_NOT_REACHED
	}
	_, err := s.c.Workshop.Parts(a.R.Context(), &branchlinev1.PartsRequest{
		Line: &branchlinev1.SeenLine{Line: a.Form("line")}, RequestId: a.Form("request_id"),
		Told: &branchlinev1.Told{Channel: branchlinev1.ContactChannel_CHANNEL_PHONE, Outcome: outcome, Phone: a.Form("phone"), Text: a.T("parts.told_text", a.Form("parts"))},
	})
	if err != nil {
		return err
	}
	return a.GoTo("/parts?" + url.Values{"done": {a.Form("act")}, "plate": {a.Form("plate")}, "customer": {a.Form("customer")}}.Encode())
}

// orderParts is the panel of an order that says which of its parts are waited for.
type orderParts struct {
	Show     bool
	Rows     []partRow
	Choices  []option // lines whose part may be ordered
	Action   string   // "": the caller may not
	Request  string
	MayTell  bool
	Supplier string
	Failed   string
}

// orderParts reads the panel from the order's lines.
func (a *ask) orderParts(name string, lines []*branchlinev1.Record, mine bool) (orderParts, error) {
	var v orderParts
	for _, r := range lines {
		l := r.GetServiceLine()
		switch {
		case l.GetRetiredAt() != 0 || l.GetState() == branchlinev1.LineState_LINE_DECLINED:
		case l.GetPartsOrderedAt() != 0 && l.GetState() != branchlinev1.LineState_LINE_DONE:
			v.Rows = append(v.Rows, a.partRow(r))
		case l.GetState() == branchlinev1.LineState_LINE_DONE || l.GetKind() == branchlinev1.LineKind_FEE:
		case partName(l) != "":
			v.Choices = append(v.Choices, option{r.GetName(), partName(l)})
		}
	}
	// Parts are what is not in stock more often than work is.
	slices.SortStableFunc(v.Choices, func(x, y option) int { return one(!isPart(lines, x.Value)) - one(!isPart(lines, y.Value)) })
	if mine && a.May("POST /serviceOrders/{id}/parts") {
		v.Action, v.MayTell = "/"+name+"/parts", a.Writes(schema.Contact)
	}
	v.Show = len(v.Rows) > 0 || v.Action != "" && len(v.Choices) > 0
	v.Failed = a.partsFault(a.Query("parts"))
	var err error
	v.Request, err = a.requestID()
	return v, err
}

func isPart(lines []*branchlinev1.Record, name string) bool {
	return slices.ContainsFunc(lines, func(r *branchlinev1.Record) bool {
		return r.GetName() == name && r.GetServiceLine().GetKind() == branchlinev1.LineKind_PART
	})
}

// partsFault says why the panel's form was not taken, by the word in the address.
func (a *ask) partsFault(word string) string {
	switch word {
	case "day":
		return a.T("form.bad_day")
	case "moved":
		return a.T("parts.moved")
	case "nothing":
		return a.T("parts.nothing_said")
	}
	return ""
}

// orderPartsAct takes the forms of the panel: a part ordered, its day changed, come.
func (s *Site) orderPartsAct(a *ask) error {
	back := "/serviceOrders/" + a.id
	req := &branchlinev1.PartsRequest{
		Line: &branchlinev1.SeenLine{Line: a.Form("line"), Etag: a.Form("etag")}, Supplier: a.Form("supplier"), ExpectedOn: a.Form("expected_on"), RequestId: a.Form("request_id"),
		Ordered: a.Form("act") == "ordered", Arrived: a.Form("act") == "came",
	}
	if req.GetExpectedOn() != "" && schema.CheckDay(req.GetExpectedOn()) != nil {
		return a.GoTo(back + "?parts=day#parts")
	}
	if a.Form("told") != "" {
		req.Told = &branchlinev1.Told{
			Channel: branchlinev1.ContactChannel_CHANNEL_PHONE, Outcome: branchlinev1.ContactOutcome_CONTACT_REACHED,
			Text: strings.TrimSpace(a.T("parts.told_ordered", a.Form("expected_on"))),
		}
	}
	_, err := s.c.Workshop.Parts(a.R.Context(), req)
	switch {
	case errors.Is(err, schema.ErrConflict):
		return a.GoTo(back + "?parts=moved#parts")
	case errors.Is(err, schema.ErrInvalid):
		return a.GoTo(back + "?parts=nothing#parts")
	case err != nil:
		return err
	}
	return a.GoTo(back + "#parts")
}

// callsAboutParts are the cars whose parts have come and whose customer does not know.
func (a *ask) callsAboutParts() ([]partCall, error) {
	if !a.May("GET /parts") {
		return nil, nil
	}
	res, err := a.s.c.Workshop.ListParts(a.R.Context(), &branchlinev1.ListPartsRequest{Arrived: true})
	if err != nil {
		return nil, err
	}
	return a.partCalls(res.GetLines())
}
