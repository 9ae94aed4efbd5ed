package web

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

// maxCut bounds how many registrations of a customer are listed, and may be cut off at once.
const maxCut = 200

// maxWhy bounds of how many registrations of a group the way to the first is asked for.
const maxWhy = 40

type membersView struct {
	look.Frame
	Name, Href, Sub string
	Self            string // the registration the address names
	Tabs            []pick
	Done            *doneNote
	Members         []partRow
	Hidden          int
	May             bool
	Links           []stepRow
	Asked           []askedRow
	Decisions       []decisionRow
	Events          []eventRow
	Try             *tryView
	Fault           string
}

// partRow is a registration of the group, which may be cut off.
type partRow struct {
	Record, Name, Pinyin string
	Site, Made           string
	Facts                []string
	Cut                  bool
}

// askedRow is an open question about the group.
type askedRow struct{ Text, Href string }

// tryView says what a cut would do before it is done.
type tryView struct {
	Cut         []string
	Request     string
	Groups      []tryGroup
	Contradicts int
	Nothing     bool
}

type tryGroup struct {
	Names string
	Count string
}

// members is who a customer is put together of, why, and how to part them.
func (s *Site) members(a *ask) error {
	v, _, err := a.membersView()
	if err != nil {
		return err
	}
	if v.Done, err = a.doneNote("/customers/" + a.R.PathValue("id") + "/members"); err != nil {
		return err
	}
	return s.pages.members.Render(a.W, a.status, v)
}

// membersView also gives the names of all registrations of the group.
func (a *ask) membersView() (*membersView, []string, error) {
	name := "customers/" + a.R.PathValue("id")
	r, err := a.s.api.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name, Golden: true})
	if err != nil {
		return nil, nil, notFound(err)
	}
	group := r.GetGroup()
	if len(group) == 0 {
		group = []string{r.GetName()}
	}
	v := &membersView{
		Frame: a.frame(a.T("members.title"), "match"), Name: a.nameOf(r.GetCustomer()), Href: a.Href(name), Self: name,
		Tabs: a.matchTabs("", a.openQuestions()), May: a.May("POST /customers/{id}/members"), Hidden: max(0, len(group)-maxCut),
	}
	homes, names := map[string]string{}, map[string]string{}
	views, err := a.plain(group[:min(len(group), maxCut)])
	if err != nil {
		return nil, nil, err
	}
	for _, m := range group[:min(len(group), maxCut)] {
		x := views[m]
		if x == nil {
			continue // it went meanwhile
		}
		homes[m], names[m] = x.GetHome(), a.nameOf(x.GetCustomer())
		v.Members = append(v.Members, a.partRow(x))
	}
	slices.SortStableFunc(v.Members, func(x, y partRow) int { return cmp.Compare(x.Made, y.Made) })
	v.Sub = a.T("members.sub", len(group), len(codesOf(group, homes)))
	if v.Links, err = a.whyOne(v.Members, homes, names); err != nil {
		return nil, nil, err
	}
	if v.Asked, err = a.questionRows(name); err != nil {
		return nil, nil, err
	}
	if v.Decisions, err = a.decisionRows(&branchlinev1.ListDecisionsRequest{Customer: name, Withdrawn: true, PageSize: fewOrders}, "/"+name+"/members", nil); err != nil {
		return nil, nil, err
	}
	events, err := a.s.api.Match.ListEvents(a.R.Context(), &branchlinev1.ListMatchEventsRequest{Customer: name, PageSize: fewOrders})
	if err != nil {
		return nil, nil, err
	}
	v.Events, err = a.eventRows(events.GetEvents())
	return v, group, err
}

func (a *ask) partRow(r *branchlinev1.Record) partRow {
	c := r.GetCustomer()
	row := partRow{Record: r.GetName(), Name: a.nameOf(c), Pinyin: say.Pinyin(c.GetName()), Site: a.SiteName(r.GetHome()), Made: a.s.look.Day(r.GetCreateTime())}
	k := schema.KindOf(schema.Customer)
	for _, f := range []string{"other_names", "phones", "id_last", "birthday", "addresses", "emails"} {
		for _, text := range a.Sayer().Values(k.Field(f), c) {
			if text != "" {
				row.Facts = append(row.Facts, text)
			}
		}
	}
	return row
}

// whyOne are the links by which each registration hangs together with the oldest, each once.
func (a *ask) whyOne(members []partRow, homes, names map[string]string) ([]stepRow, error) {
	var all []string
	for _, m := range members[:min(len(members), maxWhy)] {
		all = append(all, m.Record)
	}
	links, err := a.s.c.Links.Links(a.R.Context(), all)
	if errors.Is(err, schema.ErrNotFound) {
		return nil, nil // it went meanwhile
	}
	return a.steps(links, homes, names), err
}

// questionRows are the open questions about a customer.
func (a *ask) questionRows(name string) ([]askedRow, error) {
	res, err := a.s.api.Match.ListQuestions(a.R.Context(), &branchlinev1.ListQuestionsRequest{Customer: name, PageSize: fewOrders})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, q := range res.GetQuestions() {
		names = append(names, q.GetA(), q.GetB())
	}
	people, err := a.plain(names)
	if err != nil {
		return nil, err
	}
	called := func(name string) string {
		r := people[name]
		if r == nil {
			return a.T("match.gone")
		}
		return a.T("match.at", a.nameOf(r.GetCustomer()), a.SiteName(r.GetHome()))
	}
	var out []askedRow
	for _, q := range res.GetQuestions() {
		key := "members.ask_join"
		if q.GetJoined() {
			key = "members.ask_part"
		}
		out = append(out, askedRow{a.T(key, called(q.GetA()), called(q.GetB())), explainHref(q.GetA(), q.GetB())})
	}
	return out, nil
}

// called is what a registration is called, with its branch.
func (a *ask) called(name string) string {
	r, err := a.s.api.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return a.T("match.gone")
	}
	return a.T("match.at", a.nameOf(r.GetCustomer()), a.SiteName(r.GetHome()))
}

// cut is the form that parts registrations from the others of their group: first what it would do, then doing it.
func (s *Site) cut(a *ask) error {
	act := a.Form("act") // reads the form
	picked := a.R.PostForm["cut"]
	v, group, err := a.membersView()
	if err != nil {
		return err
	}
	var off, rest []string
	for _, m := range group {
		if slices.Contains(picked, m) {
			off = append(off, m)
		} else {
			rest = append(rest, m)
		}
	}
	switch {
	case act != "try" && act != "cut":
		return schema.Invalid("act", "%q is neither try nor cut", act)
	case len(off) == 0:
		v.Fault = a.T("members.none_picked")
	case len(rest) == 0:
		v.Fault = a.T("members.all_picked")
	case len(off) != len(slices.Compact(slices.Sorted(slices.Values(picked)))):
		v.Fault = a.T("members.moved")
	}
	if v.Fault != "" {
		a.status = 400
		return s.pages.members.Render(a.W, a.status, v)
	}
	req := &branchlinev1.DecideRequest{Verdict: branchlinev1.Verdict_DIFFERENT, A: off, B: rest, Reason: a.Form("reason"), RequestId: a.Form("request"), DryRun: act == "try"}
	res, err := s.api.Match.Decide(a.R.Context(), req)
	if err != nil {
		return err
	}
	if act == "cut" {
		s.open.forget()
		return a.GoTo("/" + rest[0] + "/members?" + url.Values{"done": {res.GetDecision()}}.Encode())
	}
	for i := range v.Members {
		v.Members[i].Cut = slices.Contains(off, v.Members[i].Record)
	}
	if v.Try, err = a.tryView(off, res); err != nil {
		return err
	}
	return s.pages.members.Render(a.W, a.status, v)
}

func (a *ask) tryView(off []string, res *branchlinev1.DecideResponse) (*tryView, error) {
	t := &tryView{Cut: off, Contradicts: len(res.GetContradicts()), Nothing: len(res.GetGroups()) == 0}
	var random [12]byte
	if _, err := io.ReadFull(a.s.c.Rand, random[:]); err != nil {
		return nil, fmt.Errorf("web: randomness: %w", err)
	}
	t.Request = hex.EncodeToString(random[:])
	for _, g := range res.GetGroups() {
		var names []string
		for i, m := range g.GetMembers() {
			if i == 4 {
				names = append(names, "…")
				break
			}
			names = append(names, a.called(m))
		}
		t.Groups = append(t.Groups, tryGroup{a.List(names), a.T("match.n_records", len(g.GetMembers()))})
	}
	return t, nil
}
