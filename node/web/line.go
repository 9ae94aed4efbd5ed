package web

import (
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/plate"
)

// changeRow is one own change: what it was about, what it wrote, how far it has got, what to do.
type changeRow struct {
	Text   string
	Kind   string
	Fields string
	Href   string
	Where  string
	Note   string
	Mark   string
	Tone   string
	Who    string
	At     int64
	Now    int64
	ID     string
}

type lineView struct {
	look.Frame
	Heard   heard
	Verdict string // why nothing goes through, in words; "" while all is well
	Said    string // what to do about it, or as the line itself put it
	Turned  *turned
	Facts   []savedRow
	LookAt  []changeRow
	Waiting []changeRow
	// Further pages of the two.
	LookPager, WaitPager look.Pager

	Warnings []string
	States   []string
	Outcomes []outcomeRow
}

type outcomeRow struct{ State, Text string }

// turned is when and why the branch last squared up with headquarters.
type turned struct {
	At   int64
	Text string
}

const pageOfChanges = 50

// standing says why nothing goes through and what to do about it; "" while all is well or merely cut off.
func (a *ask) standing(l *branchlinev1.LineStatus) (say, then string) {
	switch word := l.GetStanding(); {
	case word == "OPEN":
		return "", ""
	case a.Look.Has("standing." + word):
		return a.T("standing." + word), a.T("standing." + word + "_do")
	case l.GetVerdict() != "" && l.GetVerdict() != "OPEN":
		return a.T("line.verdict_not_open"), a.Sayer().Reason(l.GetVerdict())
	}
	return "", ""
}

func (a *ask) changeRow(c *branchlinev1.OwnChange) changeRow {
	row := changeRow{
		Text: c.GetTitle(), Href: a.Href(c.GetRecord()), Where: whereWord(c.GetWhere()), ID: c.GetChange(), At: c.GetAt(), Now: a.Now,
		Note: a.outcome(c.GetWhere(), a.siteOrNone(c.GetByBranch()), c.GetWaitsFor()),
		Who:  a.Names().Person(c.GetActor()),
	}
	row.Mark, row.Tone = "soon", "w"
	switch row.Where {
	case "REFUSED", "DISCARDED":
		row.Mark, row.Tone = "no", "b"
	case "WAITS", "PARKED", "QUARANTINED":
		row.Mark, row.Tone = "hold", "w"
	}
	if c.GetRecord() == "" {
		row.Text = a.T("change.hidden")
		return row
	}
	k, _, err := schema.ParseName(c.GetRecord())
	info := schema.KindOf(k)
	if err != nil || info == nil {
		if row.Text == "" {
			row.Text = c.GetRecord()
		}
		return row
	}
	row.Kind = a.Sayer().Kind(info)
	if lost := c.GetWhere().GetOverriddenFields(); len(lost) > 0 && row.Href != "" && (k == schema.Customer || k == schema.Vehicle) {
		row.Href += "#v-" + lost[0] // both values stand there, and the way back
	}
	if row.Text == c.GetRecord() {
		row.Text = row.Kind // it is called nothing
	}
	if plate.Key(row.Text) != "" {
		row.Text = plate.Format(row.Text)
	}
	if row.Text == "" { // it is not held here: HQ refused to have it made, or it has left the scope
		row.Text, row.Href = row.Kind, ""
	}
	switch {
	case c.GetCreated():
		row.Fields = a.T("change.made")
	case len(c.GetFields()) > 3:
		row.Fields = a.T("change.many", len(c.GetFields()))
	default:
		var list []string
		for _, f := range c.GetFields() {
			if info.Field(f) != nil && f != "states" { // its dates go with the state
				list = append(list, a.label(info, f))
			}
		}
		row.Fields = a.T("change.wrote", a.List(list))
	}
	return row
}

func (a *ask) siteOrNone(code string) string {
	if code == "" {
		return ""
	}
	return a.SiteName(code)
}

func (s *Site) line(a *ask) (*look.Page, look.View, error) {
	ctx := a.R.Context()
	l, err := s.c.Site.GetLine(ctx, &branchlinev1.Empty{})
	if err != nil {
		return nil, nil, err
	}
	v := lineView{Frame: a.live(a.T("rail.line"), "line"), Heard: a.heard(l)}
	for _, text := range l.GetWarnings() {
		v.Warnings = append(v.Warnings, a.Sayer().Reason(text))
	}
	v.Verdict, v.Said = a.standing(l)
	if why := l.GetTurn(); l.GetTurnedAt() > 0 && a.Look.Has("turn."+why) {
		v.Turned = &turned{At: l.GetTurnedAt(), Text: a.T("turn." + why)}
	}
	v.Facts = []savedRow{
		{a.T("line.stored"), a.T("line.stored_text", l.GetWatermark(), l.GetLastSeq())},
		{a.T("line.door"), a.T("line.door_text", l.GetAtDoor())},
		{a.T("line.here"), a.T("line.here_text", l.GetSaved())},
	}
	if l.GetHqRev() > 0 {
		text := a.T("line.feed_all")
		if behind := l.GetHqRev() - l.GetFeedRev(); behind > 0 {
			text = a.T("line.feed_behind", behind)
		}
		v.Facts = append(v.Facts, savedRow{a.T("line.feed"), text})
	}
	v.Facts = append(v.Facts, savedRow{a.T("line.records"), a.T("line.records_text", l.GetRecords())})
	if l.GetQuarantined() > 0 {
		v.Facts = append(v.Facts, savedRow{a.T("line.quarantined"), look.Num(l.GetQuarantined())})
	}
	if v.LookAt, v.LookPager, err = a.changes(true, "look"); err != nil {
		return nil, nil, err
	}
	if v.Waiting, v.WaitPager, err = a.changes(false, "wait"); err != nil {
		return nil, nil, err
	}
	v.LookPager.Label, v.WaitPager.Label = a.T("home.look_at"), a.T("line.waiting")
	for _, state := range []string{
		"SAVED", "AT_DOOR", "COMMITTED", "DELIVERED", "OVERRIDDEN", "WAITS", "PARKED", "QUARANTINED", "REFUSED",
	} {
		v.Outcomes = append(v.Outcomes, outcomeRow{state, a.T("means." + state)})
	}
	return s.pages.line, v, nil
}

// changes is a page of own changes; param holds its place.
func (a *ask) changes(lookAt bool, param string) ([]changeRow, look.Pager, error) {
	res, err := a.s.c.Site.ListChanges(a.R.Context(), &branchlinev1.ListChangesRequest{
		LookAt: lookAt, PageSize: pageOfChanges, PageToken: a.Query(param),
	})
	if err != nil {
		return nil, look.Pager{}, err
	}
	var out []changeRow
	for _, c := range res.GetChanges() {
		out = append(out, a.changeRow(c))
	}
	return out, a.Pager(param, res.GetNextPageToken()), nil
}
