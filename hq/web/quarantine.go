package web

import (
	"errors"
	"net/url"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

const asidePage = 50

type quarantineView struct {
	look.Frame
	Done   *look.Note
	Sites  []pick
	Items  []asideItem
	Branch string
	Settle bool
	Over   bool // the caller may see which cards are overdrawn
	Pager  look.Pager
}

// asideItem is one change that was not taken as it is.
type asideItem struct {
	Change, Site string
	What         string // kind of record, in words
	Href         string
	Outcome      string
	Reason       string
	Waits        string // for which change, in words
	At, Now      int64
	May          bool // it can be tried again or discarded
}

func (s *Site) quarantine(a *ask) (*look.Page, look.View, error) {
	branch := a.Query("branch")
	res, err := s.api.Headquarters.ListQuarantine(a.R.Context(), &branchlinev1.ListQuarantineRequest{
		Branch: branch, PageSize: asidePage, PageToken: a.Query("page"),
	})
	if err != nil {
		return nil, nil, err
	}
	v := quarantineView{Frame: a.live(a.T("quarantine.title"), "quarantine"), Branch: branch, Settle: a.May("POST /quarantine"), Over: a.May("GET /overdrawn")}
	for _, it := range res.GetItems() {
		v.Items = append(v.Items, a.asideItem(it, v.Settle))
	}
	v.Done = a.settled(res.GetItems())
	if v.Sites, err = a.asideSites(branch); err != nil {
		return nil, nil, err
	}
	v.Pager = a.Pager("page", res.GetNextPageToken(), "done", "change")
	return s.pages.quarantine, v, nil
}

// asideSites are the branches something of which was set aside.
func (a *ask) asideSites(branch string) ([]pick, error) {
	res, err := a.fleet()
	if err != nil {
		return nil, err
	}
	all := pick{Text: a.T("word.all_sites"), Href: "/quarantine", On: branch == ""}
	out := []pick{all}
	for _, b := range res.GetBranches() {
		if b.GetQuarantined() == 0 && b.GetCode() != branch {
			continue
		}
		out[0].Count += int(b.GetQuarantined())
		out = append(out, pick{
			Text: a.SiteName(b.GetCode()), Href: "/quarantine?branch=" + b.GetCode(), On: b.GetCode() == branch, Count: int(b.GetQuarantined()),
		})
	}
	return out, nil
}

func (a *ask) asideItem(it *branchlinev1.QuarantineItem, settle bool) asideItem {
	out := asideItem{
		Change: it.GetChange(), What: a.T("quarantine.unreadable"), Outcome: it.GetOutcome(), Reason: a.Sayer().Reason(it.GetReason()), At: it.GetAt(), Now: a.Now,
		May: settle && it.GetWaitsFor() == 0,
	}
	if id, err := schema.ParseChangeID(it.GetChange()); err == nil {
		out.Site = a.SiteName(string(id.Branch))
	}
	if k := schema.KindNamed(it.GetKind()); k != nil {
		out.What = a.T("recordkind." + k.Name)
		if it.GetRecord() != "" && k.Kind != schema.ServiceLine {
			out.Href = a.Href(it.GetRecord())
		}
	}
	if n := it.GetWaitsFor(); n > 0 {
		out.Reason, out.Waits = "", a.T("quarantine.waits", n)
	}
	return out
}

// settled says what became of the change that was just tried again or discarded, as far as the list shows.
func (a *ask) settled(items []*branchlinev1.QuarantineItem) *look.Note {
	change := a.Query("change")
	still := slices.ContainsFunc(items, func(it *branchlinev1.QuarantineItem) bool { return it.GetChange() == change })
	switch a.Query("done") {
	case "retry":
		if still {
			return &look.Note{Tone: "warn", Mark: "soon", Fact: a.T("quarantine.again"), Then: a.T("quarantine.again_then")}
		}
		return &look.Note{Tone: "info", Mark: "yes", Fact: a.T("quarantine.taken"), Then: a.T("quarantine.taken_then")}
	case "discard":
		return &look.Note{Tone: "info", Mark: "yes", Fact: a.T("quarantine.discarded"), Then: a.T("quarantine.discarded_then")}
	case "gone":
		return &look.Note{Tone: "warn", Mark: "soon", Fact: a.T("quarantine.gone"), Then: a.T("quarantine.gone_then")}
	}
	return nil
}

// settle is the form of one item.
func (s *Site) settle(a *ask) error {
	act, change := a.Form("act"), a.Form("change")
	if act != "retry" && act != "discard" {
		return schema.Invalid("act", "%q is neither retry nor discard", act)
	}
	if _, err := schema.ParseChangeID(change); err != nil {
		return schema.Invalid("change", "%q is no change", change)
	}
	_, err := s.api.Headquarters.SettleQuarantine(a.R.Context(), &branchlinev1.SettleQuarantineRequest{Change: change, Discard: act == "discard"})
	switch {
	case err == nil:
	case errors.Is(err, schema.ErrNotFound): // somebody else was faster
		act = "gone"
	default:
		return err
	}
	return a.GoTo("/quarantine?" + url.Values{"branch": {a.Form("branch")}, "done": {act}, "change": {change}}.Encode())
}
