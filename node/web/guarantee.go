package web

import (
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/front"
	"branchline/schema/setting"
	"branchline/sync/desk"
)

// judge counts for a car by the rule of this branch. car is nil where only its history is known.
func (a *ask) judge(car *branchlinev1.Vehicle, name string, res *branchlinev1.VehicleHistoryResponse) (front.Judged, error) {
	rules, err := front.Settings(a.R.Context(), a.s.c.Records)
	if err != nil {
		return front.Judged{}, err
	}
	j := front.Judging{
		Car: car, Visits: desk.Visits(res.GetVisits()), Km: front.LastKm(res), Rules: rules,
		Place: setting.Place{Branch: a.branch(), Entity: a.Names().EntityOf(a.branch())},
	}
	if a.Writes(schema.Vehicle) && name != "" {
		j.Write = "/" + name + "/edit#f-sold_on"
	}
	return a.Judge(j), nil
}
