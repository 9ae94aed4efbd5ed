package match

import (
	"slices"
	"strings"
)

// employs tells whether the company column of records is where a customer works, rather
// than the customer himself with a contact in the name's place. The records say so: people
// of one employer have ids, birthdays and addresses of e-mail of their own; contacts of one
// customer do not; and where the customers are companies, some of them are named as such.
func employs(c []comparison, fields []Field, records []Record) bool {
	names := slices.IndexFunc(c, func(c comparison) bool { return c.typ == Name })
	if names < 0 {
		return false
	}
	var companies, others []int
	for _, i := range c[names].fields {
		if fields[i].Type == Company {
			companies = append(companies, i)
		} else {
			others = append(others, i)
		}
	}
	if len(companies) == 0 || len(others) == 0 {
		return false
	}
	own := comparison{typ: Name, fields: others}
	staff := map[uint64][]*sheet{}
	var order []uint64
	filled, named := 0, 0
	for _, r := range records {
		name := ""
		for _, i := range companies {
			if s := clean(r.Values[i]); s != "" && !slices.Contains(nobody, s) && !generic(Company, s) {
				name = s
			}
		}
		forms := readNames(&own, fields, r)
		if name == "" || len(forms) == 0 {
			continue
		}
		filled++
		if slices.ContainsFunc(forms, func(f form) bool { return f.party == company }) {
			named++
			continue
		}
		x := read(c, fields, r)
		x.vals[names].forms = forms
		h := companyForm(name).whole
		if staff[h] = append(staff[h], x); len(staff[h]) == 2 {
			order = append(order, h)
		}
	}
	same, differ := 0, 0
	for _, h := range order {
		l := staff[h][:min(len(staff[h]), across)]
		for i, a := range l {
			for _, b := range l[:i] {
				if oneName(a.vals[names].forms, b.vals[names].forms) {
					continue
				}
				for k := range c {
					switch c[k].typ {
					case NationalID, Last4, Birthday, Email, Plate, VIN:
						if x := c[k].compare(&a.vals[k], &b.vals[k]); x.level == int8(c[k].levels-1) {
							same++
						} else if x.level == 0 && c[k].typ != Plate && c[k].typ != VIN {
							differ++ // a company's cars differ too
						}
					}
				}
			}
		}
	}
	if same+differ >= 5 {
		return differ > same
	}
	return named*20 < filled
}

// oneName tells whether two records name one person at a glance.
func oneName(a, b []form) bool {
	return slices.ContainsFunc(a, func(f form) bool {
		return slices.ContainsFunc(b, func(g form) bool {
			return f.whole == g.whole || strings.Contains(f.text, g.text) || strings.Contains(g.text, f.text)
		})
	})
}
