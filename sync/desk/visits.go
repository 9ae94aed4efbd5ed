package desk

import (
	"cmp"
	"strings"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/guarantee"
)

// Systems are the parts of a car that work is filed under, in the order they are offered. A line may name another.
func Systems() []string {
	return []string{
		"engine", "gearbox", "drive_battery", "drive_motor", "brakes", "steering", "chassis", "tyres", "electrics",
		"air_conditioning", "body", "interior", "maintenance",
	}
}

// Assemblies are the main assemblies whose exchange the three guarantees count (order 43 of the market authority,
// article 24).
func Assemblies() []string { return []string{"engine", "gearbox", "drive_battery", "drive_motor"} }

// byInterval is the system of work that mends nothing.
const byInterval = "maintenance"

// Visits makes of a car's history what the three guarantees and comebacks are counted from: its orders that were not
// cancelled, with the lines that were or are to be done and mend something.
func Visits(in []*branchlinev1.HistoryVisit) []guarantee.Visit {
	var out []guarantee.Visit
	for _, v := range in {
		o := v.GetOrder().GetServiceOrder()
		if o.GetState() == branchlinev1.OrderState_CANCELLED || o.GetState() == branchlinev1.OrderState_BOOKED {
			continue
		}
		x := guarantee.Visit{Name: v.GetOrder().GetName(), Branch: SiteOf(v), Day: o.GetDay(), In: o.GetOpenedAt(), Ready: readyAt(o), Km: o.GetOdometerKm()}
		for _, r := range v.GetLines() {
			l := r.GetServiceLine()
			if l.GetState() == branchlinev1.LineState_LINE_DECLINED || l.GetSystem() == byInterval || l.GetRetiredAt() != 0 || l.GetTakenTo() != "" {
				continue // what was taken to a later order is counted there
			}
			x.Work = append(x.Work, guarantee.Work{
				Code: l.GetFaultCode(), System: l.GetSystem(), Complaint: l.GetComplaint(), Cause: l.GetCause(),
				Guaranteed: l.GetGuaranteed(), Assembly: l.GetAssembly(), Safety: l.GetSafetyFault(),
			})
		}
		out = append(out, x)
	}
	return out
}

// Declined is a line that the customer of a visit did not want.
type Declined struct {
	Visit *branchlinev1.HistoryVisit
	Line  *branchlinev1.ServiceLine
	Item  string // what it is
}

// StillDeclined are the lines that were not wanted and are open still, of visits the newest first: of one item only what
// the latest visit says of it counts.
func StillDeclined(visits []*branchlinev1.HistoryVisit) []Declined {
	var out []Declined
	told := map[string]bool{}
	for _, v := range visits {
		for _, r := range v.GetLines() {
			l := r.GetServiceLine()
			item := cmp.Or(l.GetItem(), l.GetPartName())
			key := strings.Join(strings.Fields(strings.ToLower(item)), " ")
			if key == "" || told[key] {
				continue
			}
			told[key] = true
			if l.GetState() == branchlinev1.LineState_LINE_DECLINED {
				out = append(out, Declined{v, l, item})
			}
		}
	}
	return out
}

// SiteOf is the branch a visit was at.
func SiteOf(v *branchlinev1.HistoryVisit) string {
	if b := v.GetOrder().GetServiceOrder().GetBranch(); b != "" {
		return b
	}
	return v.GetOrder().GetHome()
}

// readyAt is when the work on an order ended: when it last became ready, or left without that; 0 while it goes on.
func readyAt(o *branchlinev1.ServiceOrder) int64 {
	if s := o.GetState(); s < branchlinev1.OrderState_READY && s != branchlinev1.OrderState_ORDER_STATE_UNSPECIFIED {
		return 0
	}
	var ready, left int64
	for _, s := range o.GetStates() {
		switch s.GetState() {
		case branchlinev1.OrderState_READY:
			ready = max(ready, s.GetAt())
		case branchlinev1.OrderState_SETTLED, branchlinev1.OrderState_HANDED_OVER:
			if left == 0 || s.GetAt() < left {
				left = s.GetAt()
			}
		}
	}
	switch {
	case ready != 0:
		return ready
	case left != 0:
		return left
	case o.GetHandedOverAt() != 0:
		return o.GetHandedOverAt()
	}
	return o.GetOpenedAt() + 1 // over, and nobody wrote down when: the least it can have been
}
