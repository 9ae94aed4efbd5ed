package web

import (
	"cmp"
	"strings"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
	"branchline/schema/setting"
)

// wear judges what was measured at the points of an inspection, by the limits of its branch and day (setting.Wear).
type wear struct {
	a     *ask
	rules *setting.Table
	place setting.Place
}

// worn is what a measure comes to; the zero worn where there is nothing to judge.
type worn struct {
	Finding branchlinev1.Finding
	Text    string // the limit it is below, in words; "" when it is above all
}

func (a *ask) wear(i *branchlinev1.Inspection) (wear, error) {
	rules, err := front.Settings(a.R.Context(), a.s.c.Records)
	branch := cmp.Or(i.GetBranch(), a.branch())
	return wear{a, rules, setting.Place{Branch: branch, Entity: a.Names().EntityOf(branch), Day: cmp.Or(i.GetDay(), a.today())}}, err
}

func (w wear) judge(p *branchlinev1.CheckPoint) worn {
	now, soon, judged := w.rules.Wear(w.place, p.GetItem())
	n, number := parseFixed(strings.TrimSuffix(strings.ToLower(strings.TrimSpace(p.GetMeasured())), "mm"), 2)
	switch {
	case !judged, !number, p.GetMeasured() == "":
		return worn{}
	case n < now:
		return worn{branchlinev1.Finding_FINDING_NOW, w.a.T("inspect.below", millimetres(now))}
	case n < soon:
		return worn{branchlinev1.Finding_FINDING_SOON, w.a.T("inspect.below", millimetres(soon))}
	}
	return worn{Finding: branchlinev1.Finding_FINDING_GOOD}
}

// limits are those of a point as a script reads them; "" where nothing is judged.
func (w wear) limits(item string) (now, soon string) {
	if n, s, judged := w.rules.Wear(w.place, item); judged {
		now, soon = millimetres(n), millimetres(s)
	}
	return now, soon
}

// millimetres are hundredths of them without idle zeros.
func millimetres(n int64) string {
	return strings.TrimSuffix(strings.TrimRight(look.Fixed(n, 2), "0"), ".")
}

// fill gives points that nobody judged the finding of what was measured there.
func (w wear) fill(points []*branchlinev1.CheckPoint) {
	for _, p := range points {
		if f := w.judge(p).Finding; p.Finding == nil && f != 0 {
			p.Finding = f.Enum()
		}
	}
}

// said is a point as it is read.
func (w wear) said(p *branchlinev1.CheckPoint) pointSaid {
	return pointSaid{
		Word: w.a.Sayer().Code("point", p.GetItem()), Text: joinNew(p.GetMeasured(), p.GetNote()), Item: p.GetItem(), Finding: p.GetFinding(), Worn: w.judge(p),
	}
}

// Asks tells whether somebody found, or a measure says, that the point wants work.
func (p pointSaid) Asks() bool {
	return max(p.Finding, p.Worn.Finding) > branchlinev1.Finding_FINDING_GOOD
}

// asks are the points of an inspection that want work.
func (a *ask) asks(i *branchlinev1.Inspection) (out []pointSaid, err error) {
	w, err := a.wear(i)
	if err != nil {
		return nil, err
	}
	for _, p := range i.GetPoints() {
		if said := w.said(p); said.Asks() {
			out = append(out, said)
		}
	}
	return out, nil
}
