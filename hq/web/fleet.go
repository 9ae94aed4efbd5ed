package web

import (
	"cmp"
	"slices"
	"strings"

	"branchline/hq/store"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/reason"
)

// states of a branch, from what needs a person to what needs nobody.
const (
	needsPerson = iota
	cutOff
	revoked
	invited
	busy
	quiet
	retired
)

type fleetView struct {
	look.Frame
	Sub    string
	Big    []markedFigure
	Alarms []alarm // of headquarters itself
	Table  fleetTable
	// Columns a first page leaves out.
	Entire bool
}

type markedFigure struct {
	Number     int64
	Mark, Tone string
	Of         string
}

// fleetTable is branches with those that need somebody first.
type fleetTable struct {
	Rows    []branchRow
	More    int // rows left out, all of them quiet or of less urgency
	Working int64
	Aside   bool // whether the caller may look at what was set aside
	Now     int64
}

type branchRow struct {
	Code, Name, Company string
	State               int
	Mark, Tone          string
	Say, Then           string
	Heard               int64
	Pending             int64
	Unknown             bool  // how much waits there is not known: it is cut off
	Stored              int64 // up to which change HQ has it
	Has, Of             int64 // up to which of HQ's revisions it has confirmed them, and how many there are
	Aside               int64
	AsideHref           string
	Alarms              []alarm
	Gone                bool // nothing comes from it, or nothing has yet
}

// alarm is something a person should know: what it is about, and what was seen.
type alarm struct{ Say, Text string }

// farBehind is how many revisions a connected branch may lack before the page says that it is receiving: it confirms a
// page of its feed with the next pull only, so that a little is always open.
const farBehind = 5000

// working tells whether a branch is one that should be heard.
func working(b *branchlinev1.BranchStatus) bool {
	return b.GetState() != store.Retired && b.GetState() != store.Invited && b.GetState() != store.Revoked
}

func (s *Site) fleet(a *ask) (*look.Page, look.View, error) {
	res, err := a.fleet()
	if err != nil {
		return nil, nil, err
	}
	v := fleetView{Frame: a.live(a.T("rail.fleet"), "fleet"), Table: a.fleetTable(res, len(res.GetBranches())), Entire: true}
	v.Sub = a.T("fleet.sub", len(res.GetBranches()), s.look.Clock(a.Now))
	for _, text := range res.GetAlarms() {
		v.Alarms = append(v.Alarms, a.alarm(text))
	}
	v.Big = a.fleetFigures(v.Table.Rows)
	return s.pages.fleet, v, nil
}

func (a *ask) fleetFigures(rows []branchRow) []markedFigure {
	count := map[int]int64{}
	var waiting, aside int64
	for _, r := range rows {
		count[r.State]++
		waiting += r.Pending
		aside += r.Aside
	}
	out := []markedFigure{{count[quiet] + count[busy], "yes", "g", a.T("fleet.linked")}}
	if n := count[cutOff]; n > 0 {
		out = append(out, markedFigure{n, "off", "w", a.T("fleet.cut_off")})
	}
	if n := count[needsPerson]; n > 0 {
		out = append(out, markedFigure{n, "late", "b", a.T("fleet.need_person")})
	}
	out = append(out, markedFigure{Number: waiting, Of: a.T("fleet.still_there")})
	if a.May("GET /quarantine") {
		out = append(out, markedFigure{Number: aside, Of: a.T("fleet.set_aside")})
	}
	return out
}

func (a *ask) fleetTable(res *branchlinev1.ListBranchesResponse, most int) fleetTable {
	t := fleetTable{Now: a.Now, Aside: a.May("GET /quarantine")}
	for _, b := range res.GetBranches() {
		if working(b) {
			t.Working++
		}
		t.Rows = append(t.Rows, a.branchRow(b))
	}
	slices.SortStableFunc(t.Rows, func(x, y branchRow) int {
		return cmp.Or(cmp.Compare(x.State, y.State), cmp.Compare(y.Pending, x.Pending), cmp.Compare(x.Code, y.Code))
	})
	if len(t.Rows) > most {
		t.More, t.Rows = len(t.Rows)-most, t.Rows[:most]
	}
	return t
}

func (a *ask) branchRow(b *branchlinev1.BranchStatus) branchRow {
	r := branchRow{
		Code: b.GetCode(), Name: b.GetName(), Company: a.Names().Company(b.GetEntity()), Heard: b.GetLastHeard(),
		Pending: b.GetPending(), Stored: b.GetWatermark(), Has: b.GetConfirmedRev(), Of: b.GetRev(),
		Aside: b.GetQuarantined(), Unknown: b.GetLeaves() == 0 && working(b),
	}
	if r.Name == "" {
		r.Name = r.Code
	}
	if r.Aside > 0 && a.May("GET /quarantine") {
		r.AsideHref = "/quarantine?branch=" + r.Code
	}
	for _, text := range b.GetAlarms() {
		r.Alarms = append(r.Alarms, a.alarm(text))
	}
	gone := a.s.look.Span(a.Lang, b.GetLastHeard(), a.Now)
	switch {
	case b.GetState() == store.Retired:
		r.State, r.Mark, r.Tone, r.Say, r.Gone = retired, "shut", "q", a.T("fleet.retired"), true
	case b.GetState() == store.Revoked:
		r.State, r.Mark, r.Tone, r.Say, r.Then = revoked, "shut", "w", a.T("fleet.revoked"), a.T("fleet.revoked_then")
	case b.GetState() == store.Invited:
		r.State, r.Mark, r.Tone, r.Say, r.Then = invited, "booked", "q", a.T("fleet.invited"), a.T("fleet.invited_then")
		r.Gone = true
	case len(r.Alarms) > 0:
		r.State, r.Mark, r.Tone, r.Say, r.Then = needsPerson, "late", "b", a.T("fleet.needs_you", r.Alarms[0].Say), r.Alarms[0].Text
		r.Alarms = r.Alarms[1:]
	case b.GetLeaves() == 0 && b.GetLastHeard() == 0:
		r.State, r.Mark, r.Tone, r.Say, r.Then = cutOff, "off", "w", a.T("fleet.never"), a.T("fleet.never_then")
	case b.GetLeaves() == 0:
		r.State, r.Mark, r.Tone, r.Say, r.Then = cutOff, "off", "w", a.T("fleet.off", gone), a.T("fleet.off_then")
	case r.Pending > 0:
		r.State, r.Mark, r.Tone, r.Say, r.Then = busy, "yes", "g", a.T("fleet.sending"), a.T("fleet.sending_then", r.Pending)
	case r.Of-r.Has > farBehind:
		r.State, r.Mark, r.Tone, r.Say, r.Then = busy, "yes", "g", a.T("fleet.getting"), a.T("fleet.getting_then", r.Of-r.Has)
	default:
		r.State, r.Mark, r.Tone, r.Say = quiet, "yes", "g", a.T("fleet.all_well")
	}
	return r
}

// alarm puts an alarm into words, and says what a person is to do: it comes as "what: text", what being a word of the machinery.
func (a *ask) alarm(text string) alarm {
	what, rest, _ := strings.Cut(text, ":")
	for _, known := range []string{
		store.AlarmBadPack, store.AlarmSideBranch, store.AlarmClone, store.AlarmFalseAck, store.AlarmRefused, store.AlarmToken,
		store.AlarmRestored, store.AlarmSuperseded, store.AlarmClock, store.AlarmDisk, store.AlarmGroup,
	} {
		if what == known {
			detail := strings.TrimSpace(rest)
			if r, ok := reason.Of(detail); ok && slices.Contains([]reason.Code{"disk_low", "clock_off", "token_again"}, r.Code) {
				detail = "" // the alarm's own words again
			}
			text := a.Sayer().Reason(detail)
			if do := "alarm_do." + known; a.Look.Has(do) {
				text = strings.TrimSpace(text + " " + a.T(do))
			}
			return alarm{a.T("alarm." + known), text}
		}
	}
	return alarm{a.T("alarm.other"), a.Sayer().Reason(text)}
}
