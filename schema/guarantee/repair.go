package guarantee

import (
	"cmp"
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Repair is how long the guarantee on a repair holds: a day and an odometer reading, whichever comes first; "" and 0 where
// there is none. A line's own term goes before that of its order, which was given when it was settled. l may be nil.
func Repair(o *branchlinev1.ServiceOrder, l *branchlinev1.ServiceLine) (until string, km int64) {
	if l.GetGuaranteeMonths() == 0 && l.GetGuaranteeKm() == 0 {
		return o.GetGuaranteeUntil(), o.GetGuaranteeKm()
	}
	if day, err := time.Parse(time.DateOnly, cmp.Or(o.GetSettledOn(), o.GetDay())); err == nil && l.GetGuaranteeMonths() > 0 {
		until = day.AddDate(0, int(l.GetGuaranteeMonths()), 0).Format(time.DateOnly)
	}
	if o.GetOdometerKm() > 0 && l.GetGuaranteeKm() > 0 {
		km = o.GetOdometerKm() + l.GetGuaranteeKm()
	}
	return until, km
}

// Covers tells whether a guarantee until a day and a reading holds on a day at a reading; 0: not read.
func Covers(until string, km int64, day string, odometer int64) bool {
	return (until != "" || km > 0) && (until == "" || day <= until) && (km == 0 || odometer <= km)
}
