package web

import (
	"slices"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// decisionPage is how many decisions, or events, stand on a page.
const decisionPage = 30

type decisionsView struct {
	look.Frame
	Tabs, Kinds []pick
	About       string // the customer they are about, "" for all
	AboutHref   string
	Done        *doneNote
	Rows        []decisionRow
	Empty       look.Empty
	Pager       look.Pager
}

// decisionRow is what somebody decided, and what became of it.
type decisionRow struct {
	Record, Sign, Say string
	A, B              []sideName
	MoreA, MoreB      int
	When, Who, Reason string
	Withdrawn         bool
	Back              string // when and by whom it was withdrawn
	BackReason        string
	Contradictory     bool
	Explain           string
	May               bool
	Next              string // where its form comes back to
}

type sideName struct{ Text, Href string }

// sideNames is how many of a side are named.
const sideNames = 3

func (s *Site) decisions(a *ask) error {
	here := a.R.URL.RequestURI()
	about, show := customerName(a.Query("customer")), a.Query("show")
	v := decisionsView{Frame: a.frame(a.T("match.decisions"), "match"), Tabs: a.matchTabs("decisions", a.openQuestions())}
	req := &branchlinev1.ListDecisionsRequest{
		PageSize: decisionPage, PageToken: a.Query("page"), Customer: about, Contradictory: show == "contradictory", Withdrawn: show == "",
	}
	var err error
	if v.Rows, err = a.decisionRows(req, here, &v.Pager); err != nil {
		return notFound(err)
	}
	base, sep := "/match/decisions", "?"
	if about != "" {
		v.About, v.AboutHref = a.called(about), a.Href(about)
		base, sep = base+"?customer="+about, "&"
	}
	v.Kinds = []pick{
		{Text: a.T("match.all_decisions"), Href: base, On: show == ""},
		{Text: a.T("match.in_force"), Href: base + sep + "show=force", On: show == "force"},
		{Text: a.T("match.contradictory"), Href: base + sep + "show=contradictory", On: show == "contradictory"},
	}
	v.Empty = look.Empty{Head: a.T("match.no_decisions"), Text: a.T("match.no_decisions_text"), Act: &look.Act{Href: "/match", Text: a.T("match.questions")}}
	if v.Done, err = a.doneNote(here); err != nil {
		return err
	}
	return s.pages.decisions.Render(a.W, a.status, v)
}

// decisionRows reads a page of decisions, whose forms come back to next; pager, if not nil, is filled.
func (a *ask) decisionRows(req *branchlinev1.ListDecisionsRequest, next string, pager *look.Pager) ([]decisionRow, error) {
	res, err := a.s.api.Match.ListDecisions(a.R.Context(), req)
	if err != nil {
		return nil, err
	}
	if pager != nil {
		*pager = a.Pager("page", res.GetNextPageToken(), "done")
	}
	var names []string
	for _, r := range res.GetDecisions() {
		names = slices.Concat(names, sideOf(r.GetMatchDecision().GetA()), sideOf(r.GetMatchDecision().GetB()))
	}
	people, err := a.plain(names)
	if err != nil {
		return nil, err
	}
	var out []decisionRow
	for _, r := range res.GetDecisions() {
		d := r.GetMatchDecision()
		row := decisionRow{
			Record: r.GetName(), Sign: "≠", Say: a.verdict(d), Reason: d.GetReason(), Withdrawn: d.GetRetiredAt() > 0, BackReason: d.GetRetiredReason(),
			Contradictory: slices.Contains(res.GetContradictory(), r.GetName()), May: a.May("POST /match/withdraw"),
			When: a.when(r.GetCreateTime()), Next: next,
		}
		if d.GetVerdict() == branchlinev1.Verdict_SAME {
			row.Sign = "="
		}
		for _, src := range r.GetSources() {
			who := a.Names().Person(src.GetActor())
			switch {
			case src.GetField() == "verdict":
				row.When, row.Who = a.when(src.GetAt()), who
			case src.GetField() == "retired_at" && row.Withdrawn:
				row.Back = a.T("match.back", a.when(src.GetAt()), who)
			}
		}
		if row.Withdrawn && row.Back == "" {
			row.Back = a.T("match.back", a.when(d.GetRetiredAt()), "")
		}
		row.A, row.MoreA = a.side(d.GetA(), people)
		row.B, row.MoreB = a.side(d.GetB(), people)
		if len(d.GetA()) > 0 && len(d.GetB()) > 0 {
			row.Explain = explainHref("customers/"+d.GetA()[0], "customers/"+d.GetB()[0])
		}
		out = append(out, row)
	}
	return out, nil
}

// sideOf are the names of the registrations of a side that are named.
func sideOf(ids []string) []string {
	var out []string
	for _, id := range ids[:min(len(ids), sideNames)] {
		out = append(out, "customers/"+id)
	}
	return out
}

// side names the first registrations of a side, and counts the others.
func (a *ask) side(ids []string, people map[string]*branchlinev1.Record) (out []sideName, more int) {
	for _, name := range sideOf(ids) {
		n := sideName{Text: a.T("match.gone")} // erased since
		if r := people[name]; r != nil {
			n = sideName{a.T("match.at", a.nameOf(r.GetCustomer()), a.SiteName(r.GetHome())), a.Href(name)}
		}
		out = append(out, n)
	}
	return out, len(ids) - len(out)
}

type eventsView struct {
	look.Frame
	Tabs  []pick
	Rows  []eventRow
	Pager look.Pager
}

// eventRow says which customers became which.
type eventRow struct {
	When          string
	Mark          string
	Say           string
	Before, After []sideName
}

// maxParts bounds how many customers of an event are named.
const maxParts = 6

func (s *Site) matchEvents(a *ask) error {
	res, err := s.api.Match.ListEvents(a.R.Context(), &branchlinev1.ListMatchEventsRequest{PageSize: decisionPage, PageToken: a.Query("page")})
	if err != nil {
		return err
	}
	v := eventsView{Frame: a.frame(a.T("match.events"), "match"), Tabs: a.matchTabs("events", a.openQuestions())}
	if v.Rows, err = a.eventRows(res.GetEvents()); err != nil {
		return err
	}
	v.Pager = a.Pager("page", res.GetNextPageToken())
	return s.pages.events.Render(a.W, a.status, v)
}

func (a *ask) eventRows(events []*branchlinev1.MatchEvent) ([]eventRow, error) {
	var names []string
	for _, e := range events {
		for _, side := range [][]*branchlinev1.MatchGroup{e.GetBefore(), e.GetAfter()} {
			for _, g := range side[:min(len(side), maxParts)] {
				names = append(names, g.GetId())
			}
		}
	}
	people, err := a.plain(names)
	if err != nil {
		return nil, err
	}
	var out []eventRow
	for _, e := range events {
		row := eventRow{When: a.when(e.GetAt()), Mark: "sister", Say: a.T("match.regrouped", len(e.GetBefore()), len(e.GetAfter()))}
		switch {
		case len(e.GetAfter()) == 1 && len(e.GetBefore()) > 1:
			row.Mark, row.Say = "done", a.T("match.joined", len(e.GetBefore()))
		case len(e.GetBefore()) == 1 && len(e.GetAfter()) > 1:
			row.Mark, row.Say = "no", a.T("match.parted", len(e.GetAfter()))
		}
		row.Before, row.After = a.eventSide(e.GetBefore(), people), a.eventSide(e.GetAfter(), people)
		out = append(out, row)
	}
	return out, nil
}

func (a *ask) eventSide(groups []*branchlinev1.MatchGroup, people map[string]*branchlinev1.Record) []sideName {
	var out []sideName
	for i, g := range groups {
		if i == maxParts {
			out = append(out, sideName{Text: a.T("match.more_groups", len(groups)-i)})
			break
		}
		n := sideName{Text: a.T("match.gone")}
		r := people[g.GetId()]
		if r != nil {
			n = sideName{a.nameOf(r.GetCustomer()), a.Href(g.GetId())}
		}
		if len(g.GetMembers()) > 1 {
			n.Text = a.T("match.of_records", n.Text, len(g.GetMembers()))
		} else if r != nil {
			n.Text = a.T("match.at", n.Text, a.SiteName(r.GetHome()))
		}
		out = append(out, n)
	}
	return out
}
