package web

import (
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// reach is the little line of a record's last own change, in words: how far it has got and what became of it.
type reach struct {
	Where  string // state of the vocabulary; "" when nothing was ever written here
	Note   string // what it means and what to do, when it is not simply on its way
	Sites  string // that have it
	Change string
}

func (a *ask) reach(w *branchlinev1.Where) reach {
	out := reach{Where: whereWord(w), Change: w.GetChange()}
	out.Note = a.outcome(w, "", 0)
	var sites []string
	for _, b := range w.GetDelivered() {
		sites = append(sites, a.SiteName(b))
	}
	out.Sites = a.List(sites)
	return out
}

// outcome says in one sentence what became of a change and what a person can do; "" while all goes well.
func (a *ask) outcome(w *branchlinev1.Where, bySite string, waitsFor int64) string {
	switch w.GetOutcome() {
	case branchlinev1.ChangeOutcome_CHANGE_OVERRIDDEN:
		if bySite != "" {
			return a.T("outcome.overridden_by", bySite)
		}
		return a.T("outcome.overridden")
	case branchlinev1.ChangeOutcome_CHANGE_REFUSED:
		return a.T("outcome.refused") + a.reason(w)
	case branchlinev1.ChangeOutcome_CHANGE_WAITS:
		if waitsFor > 0 {
			return a.T("outcome.waits_for", waitsFor)
		}
		return a.T("outcome.waits")
	case branchlinev1.ChangeOutcome_CHANGE_PARKED:
		return a.T("outcome.parked")
	case branchlinev1.ChangeOutcome_CHANGE_QUARANTINED:
		return a.T("outcome.quarantined") + a.reason(w)
	case branchlinev1.ChangeOutcome_CHANGE_DISCARDED:
		return a.T("outcome.discarded") + a.reason(w)
	case branchlinev1.ChangeOutcome_CHANGE_OVERDRAWN:
		return a.T("outcome.overdrawn") + a.reason(w)
	}
	return ""
}

// reason is why, as far as HQ has said.
func (a *ask) reason(w *branchlinev1.Where) string {
	if w.GetReason() == "" {
		return ""
	}
	return a.T("outcome.reason", a.Sayer().Reason(w.GetReason()))
}
