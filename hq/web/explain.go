package web

import (
	"slices"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// maxOthers is how many customers are offered for a comparison.
const maxOthers = 12

// foundOthers are customers that may be compared with one, found by what a person typed.
type foundOthers struct {
	Asked, With string
	Self        string
	Rows        []look.ListItem
}

// explain is the page about any two registrations, whether they are asked about or not.
func (s *Site) explain(a *ask) error {
	x, y := customerName(a.Query("a")), customerName(a.Query("b"))
	v := matchView{Frame: a.frame(a.T("match.why_title"), "match"), May: a.May("POST /match"), Tabs: a.matchTabs("", a.openQuestions())}
	switch found, err := a.others(x, a.Query("b")); {
	case err != nil:
		return err
	case found != nil:
		v.Found = found
	case x == "" || y == "":
		v.Empty = look.Empty{Head: a.T("match.pair_head"), Text: a.T("match.pair_text")}
	case x == y:
		v.Empty = look.Empty{Head: a.T("match.one_head"), Text: a.T("match.one_text"), Act: &look.Act{Href: "/" + x + "/members", Text: a.T("match.open_group")}}
	default:
		list, _, err := a.questionOf(x, y, true)
		if err != nil {
			return notFound(err)
		}
		if v.Card, err = a.card(list[0]); err != nil {
			return err
		}
	}
	var err error
	if v.Done, err = a.doneNote(explainHref(x, y)); err != nil {
		return err
	}
	return s.pages.explain.Render(a.W, a.status, v)
}

// others are the customers that a text finds, when it is no name of one: whom to compare with. Nil when it is a name.
func (a *ask) others(x, text string) (*foundOthers, error) {
	_, id, _ := strings.Cut(customerName(text), "/")
	if _, err := schema.ParseRecordID(id); x == "" || text == "" || err == nil {
		return nil, nil
	}
	out := &foundOthers{Asked: text, With: a.called(x), Self: x}
	res, err := a.s.api.Records.Search(a.R.Context(), &branchlinev1.SearchRequest{Query: text, Limit: maxOthers, Collections: []string{"customers"}})
	if err != nil {
		return nil, err
	}
	for _, h := range res.GetHits() {
		if name := h.GetRecord().GetName(); name != x && !slices.Contains(h.GetRecord().GetGroup(), x) {
			out.Rows = append(out.Rows, look.ListItem{
				Mark: "sister", Tone: "a", Text: h.GetTitle(), Meta: strings.Trim(h.GetSubtitle()+" · "+a.SiteName(h.GetRecord().GetHome()), " ·"), Href: "/" + name,
				Act: &look.Act{Href: explainHref(x, name), Text: a.T("members.compare")},
			})
		}
	}
	return out, nil
}

// customerName reads what a person pastes: a resource name, an id, or the address of a customer's page.
func customerName(text string) string {
	text, _, _ = strings.Cut(text, "?")
	if i := strings.LastIndex(text, "customers/"); i >= 0 {
		text = text[i+len("customers/"):]
	}
	text, _, _ = strings.Cut(text, "/")
	if text == "" {
		return ""
	}
	return "customers/" + text
}
