package report_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// The same questions, put to all records one by one. Nothing here is shared with
// the package: it is what the formulas say, written down again.

type oracleOrder struct {
	id, day, branch, model, customer, car string
	revenue                               map[string]int64 // by currency and payer
}

type oracle struct {
	orders []oracleOrder
	gone   map[string]bool // cars of which every record is retired
}

func newOracle(all []fact) *oracle {
	o := &oracle{gone: map[string]bool{}}
	alias := map[string]string{}
	byN := map[int64]fact{}
	for _, f := range all {
		byN[f.n] = f
	}
	models := map[string]string{}
	alive, known := map[string]bool{}, map[string]bool{}
	for _, f := range all {
		id := f.id.String()
		alias[id] = id
		if f.grp != 0 {
			alias[id] = byN[f.grp].id.String()
		}
		if v, ok := f.m.(*branchlinev1.Vehicle); ok {
			models[id] = strings.TrimSpace(v.GetModel())
			known[alias[id]] = true
			if v.GetRetiredAt() == 0 {
				alive[alias[id]] = true
			}
		}
	}
	for car := range known {
		o.gone[car] = !alive[car]
	}
	real := func(id string) string {
		if a := alias[id]; a != "" {
			return a
		}
		return id
	}
	for _, f := range all {
		s, ok := f.m.(*branchlinev1.ServiceOrder)
		if !ok || s.GetRetiredAt() != 0 || s.GetState() != branchlinev1.OrderState_SETTLED && s.GetState() != branchlinev1.OrderState_HANDED_OVER {
			continue
		}
		x := oracleOrder{id: f.id.String(), day: s.GetSettledOn(), branch: s.GetBranch(), model: strings.TrimSpace(s.GetModel()), revenue: map[string]int64{}}
		if x.day == "" {
			x.day = s.GetDay()
		}
		if x.branch == "" {
			x.branch = f.home
		}
		if x.model == "" {
			x.model = models[s.GetVehicle()]
		}
		if s.GetCustomer() != "" {
			x.customer = real(s.GetCustomer())
		}
		if s.GetVehicle() != "" {
			x.car = real(s.GetVehicle())
		}
		for _, g := range all {
			l, ok := g.m.(*branchlinev1.ServiceLine)
			if !ok || l.GetOrder() != x.id || l.GetRetiredAt() != 0 || l.GetAmount() == 0 || l.GetAmount() > 1e12 || l.GetAmount() < -1e12 {
				continue
			}
			if l.GetState() != branchlinev1.LineState_LINE_APPROVED && l.GetState() != branchlinev1.LineState_LINE_DONE {
				continue
			}
			currency := strings.ToUpper(l.GetCurrency())
			if currency == "" {
				currency = strings.ToUpper(s.GetCurrency())
			}
			if currency == "" {
				currency = "CNY"
			}
			payer := ""
			if l.GetPayer() != 0 {
				payer = l.GetPayer().String()
			}
			x.revenue[currency+" "+payer] += l.GetAmount()
		}
		o.orders = append(o.orders, x)
	}
	return o
}

func (x *oracleOrder) key(by []string, month, payer string) string {
	var parts []string
	for _, b := range by {
		parts = append(parts, map[string]string{"month": month, "branch": x.branch, "model": x.model, "payer": payer}[b])
	}
	return strings.Join(parts, "|")
}

func firstSeven(day string) string { return day[:min(7, len(day))] }

// answer gives rows as text, "keys: values", sorted; the total under "total".
func (o *oracle) answer(req *branchlinev1.ReportRequest) []string {
	switch req.GetReport() {
	case "orders":
		return o.orderRows(req)
	case "customers":
		return o.customerRows(req)
	}
	return o.retentionRows(req)
}

func (o *oracle) orderRows(req *branchlinev1.ReportRequest) []string {
	in := func(x *oracleOrder) bool {
		return (req.GetFrom() == "" || x.day >= req.GetFrom()) && (req.GetTo() == "" || x.day != "" && x.day <= req.GetTo())
	}
	use := map[string]map[string]bool{}
	for _, x := range o.orders {
		for cp := range x.revenue {
			if in(&x) {
				c := cp[:3]
				if use[c] == nil {
					use[c] = map[string]bool{}
				}
				use[c][x.id] = true
			}
		}
	}
	currency := "CNY"
	for _, c := range []string{"EUR", "USD"} {
		if len(use[c]) > len(use[currency]) {
			currency = c
		}
	}
	count, sum := map[string]map[string]bool{}, map[string]int64{}
	add := func(key, id string, v int64) {
		if count[key] == nil {
			count[key] = map[string]bool{}
		}
		count[key][id] = true
		sum[key] += v
	}
	for _, x := range o.orders {
		if !in(&x) {
			continue
		}
		add("total", x.id, 0)
		byPayer := slices.Contains(req.GetBy(), "payer")
		if !byPayer {
			add(x.key(req.GetBy(), firstSeven(x.day), ""), x.id, 0)
		}
		for cp, v := range x.revenue {
			c, payer, _ := strings.Cut(cp, " ")
			if c != currency {
				v = 0
			} else {
				add("total", x.id, v)
			}
			if byPayer {
				add(x.key(req.GetBy(), firstSeven(x.day), payer), x.id, v)
			} else if v != 0 {
				add(x.key(req.GetBy(), firstSeven(x.day), ""), x.id, v)
			}
		}
	}
	if count["total"] == nil {
		count["total"] = map[string]bool{}
	}
	if len(req.GetBy()) == 0 {
		count[""], sum[""] = count["total"], sum["total"]
	}
	var out []string
	for key, ids := range count {
		average := int64(0)
		if len(ids) > 0 {
			average = int64(math.RoundToEven(float64(sum[key]) / float64(len(ids))))
		}
		out = append(out, fmt.Sprintf("%s: %d %d %d", key, len(ids), sum[key], average))
	}
	slices.Sort(out)
	return out
}

func daysOf(req *branchlinev1.ReportRequest, orders []oracleOrder) (ends []string) {
	to := req.GetTo()
	if !slices.Contains(req.GetBy(), "month") {
		return []string{to}
	}
	from := req.GetFrom()
	if from == "" {
		from = to
		for _, x := range orders {
			if x.day != "" && x.day < from {
				from = x.day
			}
		}
	}
	for d, _ := time.Parse(time.DateOnly, from); d.Format(time.DateOnly) <= to; d = d.AddDate(0, 0, 1) {
		if next := d.AddDate(0, 0, 1); next.Month() != d.Month() || d.Format(time.DateOnly) == to {
			ends = append(ends, d.Format(time.DateOnly))
		}
	}
	return ends
}

func yearAgo(day string) string {
	if strings.HasSuffix(day, "-02-29") {
		day = day[:8] + "28"
	}
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic(err)
	}
	return t.AddDate(-1, 0, 0).Format(time.DateOnly)
}

func (o *oracle) customerRows(req *branchlinev1.ReportRequest) []string {
	active, fresh := map[string]map[string]bool{}, map[string]map[string]bool{}
	put := func(m map[string]map[string]bool, key, id string) {
		if m[key] == nil {
			m[key] = map[string]bool{}
		}
		m[key][id] = true
	}
	first := map[string]oracleOrder{}
	for _, x := range o.orders {
		if x.customer == "" || x.day == "" || x.day > req.GetTo() {
			continue
		}
		for _, end := range daysOf(req, o.orders) {
			if x.day > yearAgo(end) && x.day <= end {
				put(active, x.key(req.GetBy(), end[:7], ""), x.customer)
				if end == req.GetTo() {
					put(active, "total", x.customer)
				}
			}
		}
		f, ok := first[x.customer]
		if !ok || x.day < f.day || x.day == f.day && x.id < f.id {
			first[x.customer] = x
		}
	}
	for customer, x := range first {
		if x.day >= req.GetFrom() {
			put(fresh, "total", customer)
			put(fresh, x.key(req.GetBy(), x.day[:7], ""), customer)
		}
	}
	keys := map[string]bool{"total": true}
	if len(req.GetBy()) == 0 {
		keys[""] = true
	}
	for k := range active {
		keys[k] = true
	}
	for k := range fresh {
		keys[k] = true
	}
	var out []string
	for k := range keys {
		out = append(out, fmt.Sprintf("%s: %d %d", k, len(active[k]), len(fresh[k])))
	}
	slices.Sort(out)
	return out
}

func (o *oracle) retentionRows(req *branchlinev1.ReportRequest) []string {
	by := req.GetBy()
	if len(by) == 0 {
		by = []string{"branch"}
	}
	sites := slices.Contains(by, "branch")
	model := map[string]oracleOrder{}
	visits := map[string][]oracleOrder{} // by car, and by branch and car
	for _, x := range o.orders {
		if x.car == "" || x.day == "" || x.day > req.GetTo() || o.gone[x.car] {
			continue
		}
		visits["/"+x.car] = append(visits["/"+x.car], x)
		visits[x.branch+"/"+x.car] = append(visits[x.branch+"/"+x.car], x)
		if m, ok := model[x.car]; x.model != "" && (!ok || x.day > m.day || x.day == m.day && x.id > m.id) {
			model[x.car] = x
		}
	}
	cohort, kept := map[string]int64{"total": 0}, map[string]int64{}
	for place, list := range visits {
		branch, car, _ := strings.Cut(place, "/")
		firstDay := list[0].day
		for _, v := range list {
			firstDay = min(firstDay, v.day)
		}
		if firstDay < req.GetFrom() {
			continue
		}
		for _, end := range daysOf(&branchlinev1.ReportRequest{Report: "retention", By: by, From: req.GetFrom(), To: req.GetTo()}, o.orders) {
			if firstDay > yearAgo(end) {
				continue
			}
			seen := int64(0)
			for _, v := range list {
				if v.day > yearAgo(end) && v.day <= end {
					seen = 1
				}
			}
			if branch == "" && end == req.GetTo() {
				cohort["total"]++
				kept["total"] += seen
			}
			if (branch != "") == sites {
				x := oracleOrder{branch: branch, model: model[car].model}
				cohort[x.key(by, end[:7], "")]++
				kept[x.key(by, end[:7], "")] += seen
			}
		}
	}
	var out []string
	for k, n := range cohort {
		ratio := int64(0)
		if n > 0 {
			ratio = int64(math.RoundToEven(float64(kept[k]) * 10000 / float64(n)))
		}
		out = append(out, fmt.Sprintf("%s: %d %d %d", k, n, kept[k], ratio))
	}
	slices.Sort(out)
	return out
}

// text is a response in the oracle's form.
func text(r *branchlinev1.ReportResponse) []string {
	line := func(key string, v []int64) string {
		return key + ": " + strings.Trim(fmt.Sprint(v), "[]")
	}
	out := []string{line("total", r.GetTotal().GetValues())}
	for _, row := range r.GetRows() {
		out = append(out, line(strings.Join(row.GetKeys(), "|"), row.GetValues()))
	}
	slices.Sort(out)
	return out
}
