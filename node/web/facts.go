package web

import (
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

// A record's values, each with where it is from: the panel that customers and cars share.

type factRow struct {
	Field  string
	Label  string
	Values []factValue
	Edit   string // address of the form, "" when it may not be edited
}

type factValue struct {
	Text   string
	Href   string // of what it names
	Strong bool
	VIN    bool
	Source look.Source
	Member string // the site whose record the value is from, when it is another member's
	Same   string // the sites that wrote the same, in words
	Also   string // those that spelled it otherwise
	Pinned bool   // headquarters chose it
	Lost   []lostValue
}

// lostValue is one that lost against the shown one. Restore is where to post it, "" when it may not be edited.
type lostValue struct {
	Own     bool
	Text    string
	Site    string
	At      int64
	Now     int64
	WinSite string
	WinAt   int64
	Restore string
	Keep    string // where to post that it may stay so, "" when nobody asks any more
	Change  string
	Field   string
	JSON    string
	Etag    string
}

// facts are the shown values of a record. edit is the address of its form, "" when the caller may not edit it.
func (a *ask) facts(sh *sheet, edit string) []factRow {
	k, body := sh.k, sh.body
	where := a.whereOf(sh)
	var rows []factRow
	for _, name := range say.Fields(k.Kind) {
		f := k.Field(name)
		if !a.sees(k.Kind, name) || !body.ProtoReflect().Has(f.Desc) && (f.Desc.IsList() || sourceOf(sh.r, name, -1) == nil) {
			continue
		}
		row := factRow{Field: name, Label: a.label(k, name)}
		if edit != "" && editable(k.Kind, name) {
			row.Edit = edit + "#f-" + name
		}
		row.Values = a.factValues(sh, f, where, edit != "")
		if len(row.Values) > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

func (a *ask) factValues(sh *sheet, f *schema.FieldInfo, where func(*branchlinev1.FieldSource) string, mayEdit bool) []factValue {
	r, k, m := sh.r, sh.k, sh.body.ProtoReflect()
	homes := map[string]string{}
	for _, x := range sh.members {
		homes[x.GetName()] = x.GetHome()
	}
	var out []factValue
	add := func(text string, index int32) {
		if text == "" {
			return
		}
		v := factValue{Text: text, Strong: f.Name == "name" || f.Name == "phones", VIN: f.Name == "vin"}
		if src := sourceOf(r, f.Name, index); src != nil {
			v.Source = a.source(src, where(src))
			v.Member = a.member(r, src, homes)
			v.Pinned = src.GetPin() != ""
			v.Same, v.Also = a.also(text, k, src)
			// Of a group, a value beside another member's is no edit that failed: both were written down.
			own := len(sh.members) == 0 || src.GetRecord() == sh.target
			for _, l := range src.GetLost() {
				lost := lostValue{
					Own: own && l.GetBranch() == a.branch() && !l.GetKept(), Change: l.GetChange(), Text: a.sayJSON(k, f.Name, l.GetJson()), Site: a.SiteName(l.GetBranch()),
					At: l.GetAt(), Now: a.Now, WinSite: a.SiteName(src.GetBranch()), WinAt: src.GetAt(),
					Field: f.Name, JSON: l.GetJson(), Etag: r.GetEtag(),
				}
				if mayEdit && !v.Pinned {
					lost.Restore = "/" + r.GetName() + "/restore"
					if lost.Own && l.GetRecord() != "" {
						lost.Keep = "/" + l.GetRecord() + "/keep"
					} else if lost.Own {
						lost.Keep = "/" + r.GetName() + "/keep"
					}
				}
				if l.GetJson() == "" {
					lost.Text = a.T("clash.removed")
				}
				// The same value lost at several sites is told once, by the latest.
				told := slices.ContainsFunc(v.Lost, func(x lostValue) bool { return x.Text == lost.Text && x.Own == lost.Own })
				if lost.Text != "" && lost.Text != text && !told {
					v.Lost = append(v.Lost, lost)
				}
			}
		}
		out = append(out, v)
	}
	switch {
	case !m.Has(f.Desc): // a value was removed, and one that was written beside it lost
		add(a.T("clash.removed"), -1)
		return out
	case !f.Desc.IsList():
		add(a.say(f, m.Get(f.Desc)), -1)
		return out
	}
	list := m.Get(f.Desc).List()
	for i := range list.Len() {
		add(a.say(f, list.Get(i)), int32(i))
	}
	return out
}

func sourceOf(r *branchlinev1.Record, field string, index int32) *branchlinev1.FieldSource {
	for _, s := range r.GetSources() {
		if s.GetField() == field && s.GetIndex() == index {
			return s
		}
	}
	return nil
}

func (a *ask) source(s *branchlinev1.FieldSource, where string) look.Source {
	src := look.Source{
		Where: where, Site: a.SiteName(s.GetBranch()), Own: s.GetBranch() == a.branch(), At: s.GetAt(), Now: a.Now,
		Who: a.Names().Person(s.GetActor()),
	}
	if src.Own && s.GetActor() != "" && s.GetActor() == a.Who.Staff {
		src.Who = a.T("customer.you")
	}
	return src
}

// member names the site of the member a golden value is from, when that is not the record shown nor plain from its source.
func (a *ask) member(r *branchlinev1.Record, s *branchlinev1.FieldSource, homes map[string]string) string {
	if s.GetRecord() == "" || s.GetRecord() == r.GetName() || len(r.GetGroup()) < 2 {
		return ""
	}
	site := s.GetBranch()
	if s.GetPin() != "" { // the member's, whoever chose it
		site = homes[s.GetRecord()]
	}
	if site == "" {
		return ""
	}
	return a.T("customer.of_member", a.SiteName(site))
}

// whereOf tells how far each value has got. A value from elsewhere came through HQ; an own one is as far as its change.
func (a *ask) whereOf(sh *sheet) func(*branchlinev1.FieldSource) string {
	known := map[string]string{sh.r.GetWhere().GetChange(): whereWord(sh.r.GetWhere())}
	for _, m := range sh.members {
		known[m.GetWhere().GetChange()] = whereWord(m.GetWhere())
	}
	return func(s *branchlinev1.FieldSource) string {
		if s.GetBranch() != a.branch() {
			return "DELIVERED"
		}
		if w, ok := known[s.GetChange()]; ok {
			return w
		}
		res, err := a.s.c.Records.Where(a.R.Context(), &branchlinev1.WhereRequest{Name: s.GetChange()})
		word := ""
		if err == nil { // else it is left out: the value and its source are what counts
			word = whereWord(res.GetWhere())
		}
		known[s.GetChange()] = word
		return word
	}
}

// whereWord is the state of the vocabulary (look: group where) that a change is in: its outcome where that says more.
func whereWord(w *branchlinev1.Where) string {
	switch w.GetOutcome() {
	case branchlinev1.ChangeOutcome_CHANGE_OVERRIDDEN:
		return "OVERRIDDEN"
	case branchlinev1.ChangeOutcome_CHANGE_REFUSED:
		return "REFUSED"
	case branchlinev1.ChangeOutcome_CHANGE_WAITS:
		return "WAITS"
	case branchlinev1.ChangeOutcome_CHANGE_PARKED:
		return "PARKED"
	case branchlinev1.ChangeOutcome_CHANGE_QUARANTINED:
		return "QUARANTINED"
	case branchlinev1.ChangeOutcome_CHANGE_DISCARDED:
		return "DISCARDED"
	case branchlinev1.ChangeOutcome_CHANGE_OVERDRAWN:
		return "OVERDRAWN"
	}
	if w.GetState() == branchlinev1.WhereState_WHERE_UNSPECIFIED {
		return ""
	}
	return w.GetState().String()
}

// newest is where the latest of a record's values came from.
func newest(r *branchlinev1.Record) *branchlinev1.FieldSource {
	var best *branchlinev1.FieldSource
	for _, s := range r.GetSources() {
		if best == nil || s.GetAt() > best.GetAt() {
			best = s
		}
	}
	return best
}
