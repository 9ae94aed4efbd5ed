// Package setting reads the figures of the house that change by date: how much
// discount a role may give, what a class of members gets, how long a repair is
// guaranteed, how far tyres and brake pads may be worn, what the law counts
// under the three guarantees.
//
// Rules:
//   - A setting is a record HQ writes: name, value, the day it counts from, and
//     for whom: the group, one company, one branch. The narrower outranks the
//     wider; of one breadth the latest day that has come counts, of one day the
//     record made last.
//   - A retired setting never counted. What counted on a day that is past is
//     asked by that day, so that an old sheet printed again says what it said.
//   - Where nothing is set, the figure is the one stated in this package, with
//     its source.
//   - A value is written as words key=number, apart by spaces; an unknown key,
//     a missing or a doubtful number is refused when it is written (Check) and
//     passed over when it is read, as if it were not set. That of a language is
//     its code alone.
package setting

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// The families of settings. A name is the family, or the family, a slash and what it is for:
// discount_limit/adviser, member/gold, repair_guarantee/engine.
const (
	DiscountLimit   = "discount_limit"
	Member          = "member"
	RepairGuarantee = "repair_guarantee"
	ThreeGuarantees = "three_guarantees"
	// Wear are the limits of tyres and brake pads: wear/tyre, wear/steered, wear/brake_pads, in hundredths of a millimetre.
	Wear = "wear"
	// CustomerLanguage is that of what is written for customers who have none of their own: zh-CN, zh-TW or en.
	CustomerLanguage = "customer_language"
)

// keys are the words of each family's value and the largest number each may have.
var keys = map[string]map[string]int64{
	DiscountLimit:   {"bp": 10_000},
	Member:          {"labour": 10_000, "part": 10_000},
	RepairGuarantee: {"days": 3_650, "km": 1_000_000},
	ThreeGuarantees: {
		"repair_months": 240, "repair_km": 1_000_000, "months": 240, "km": 1_000_000, "early_days": 3_650, "early_km": 100_000,
		"faults": 100, "days": 1_000, "assemblies": 100, "safety": 100, "loan_days": 100,
	},
	Wear:             {"now": 10_000, "soon": 10_000},
	CustomerLanguage: {},
}

// wears are what there is a Wear for.
var wears = []string{"brake_pads", "steered", "tyre"}

// languages are the values of CustomerLanguage.
var languages = map[string]branchlinev1.Language{
	"zh-CN": branchlinev1.Language_LANGUAGE_ZH_CN, "zh-TW": branchlinev1.Language_LANGUAGE_ZH_TW, "en": branchlinev1.Language_LANGUAGE_EN,
}

// Check refuses a setting nobody could read: ErrInvalid names the field and says what would do.
func Check(s *branchlinev1.Setting) error {
	family, of, _ := strings.Cut(s.GetName(), "/")
	want := keys[family]
	if want == nil {
		return schema.Invalid("name", "there is no setting %q: it is one of %s", s.GetName(), strings.Join(sorted(keys), ", "))
	}
	if needs := family == DiscountLimit || family == Member; needs && of == "" {
		return schema.Invalid("name", "say for whom: %s/…", family)
	}
	if family == Wear && !slices.Contains(wears, of) {
		return schema.Invalid("name", "there is no setting %q: it is one of %s", s.GetName(), Wear+"/"+strings.Join(wears, ", "+Wear+"/"))
	}
	if alone := family == ThreeGuarantees || family == CustomerLanguage; alone && of != "" {
		return schema.Invalid("name", "%s stands alone", family)
	}
	_, err := parse(family, s.GetValue())
	return err
}

func parse(family, value string) (map[string]int64, error) {
	if family == CustomerLanguage {
		l, known := languages[strings.TrimSpace(value)]
		if !known {
			return nil, schema.Invalid("value", "%q is none of %s", value, strings.Join(sorted(languages), ", "))
		}
		return map[string]int64{"language": int64(l)}, nil
	}
	want := keys[family]
	out := map[string]int64{}
	for word := range strings.FieldsSeq(value) {
		k, v, _ := strings.Cut(word, "=")
		limit, known := want[k]
		if !known {
			return nil, schema.Invalid("value", "%q is not understood: write %s", word, form(want))
		}
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 || n > limit {
			return nil, schema.Invalid("value", "%q: %s is a number from 0 to %d", word, k, limit)
		}
		if _, twice := out[k]; twice {
			return nil, schema.Invalid("value", "%s stands twice", k)
		}
		out[k] = n
	}
	for _, k := range sorted(want) {
		if _, is := out[k]; !is {
			return nil, schema.Invalid("value", "%s is missing: write %s", k, form(want))
		}
	}
	return out, nil
}

func form(want map[string]int64) string { return strings.Join(sorted(want), "=… ") + "=…" }

func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Entry is a setting and its record's id.
type Entry struct {
	ID      schema.RecordID
	Setting *branchlinev1.Setting
}

// Table answers what counts where and when. It is made once from all settings and never changes; nil is the table
// without any.
type Table struct{ by map[string][]term }

type term struct {
	from, entity, branch string
	values               map[string]int64
}

// Read makes the table. What cannot be read is left out.
func Read(all []Entry) *Table {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Entry) int { return slices.Compare(b.ID[:], a.ID[:]) }) // the latest first
	t := &Table{by: map[string][]term{}}
	for _, e := range all {
		s := e.Setting
		if s.GetRetiredAt() != 0 || Check(s) != nil {
			continue
		}
		family, _, _ := strings.Cut(s.GetName(), "/")
		values, err := parse(family, s.GetValue())
		if err != nil {
			continue
		}
		t.by[s.GetName()] = append(t.by[s.GetName()], term{s.GetFrom(), s.GetEntity(), s.GetBranch(), values})
	}
	for _, terms := range t.by {
		slices.SortStableFunc(terms, func(a, b term) int {
			return cmp.Or(cmp.Compare(breadth(a), breadth(b)), cmp.Compare(b.from, a.from))
		})
	}
	return t
}

// breadth is 0 for a branch's setting, 1 for a company's, 2 for the group's.
func breadth(t term) int {
	switch {
	case t.branch != "":
		return 0
	case t.entity != "":
		return 1
	}
	return 2
}

// Place is where and on which day (YYYY-MM-DD) a figure is asked for.
type Place struct{ Entity, Branch, Day string }

func (t *Table) at(name string, p Place) (term, bool) {
	if t == nil {
		return term{}, false
	}
	for _, x := range t.by[name] {
		if x.from <= p.Day && (x.branch == "" || x.branch == p.Branch) && (x.entity == "" || x.entity == p.Entity) {
			return x, true
		}
	}
	return term{}, false
}

// DiscountLimit is the largest discount, in basis points of the lines' sum, that somebody with the roles gives on his
// own word; beyond it a manager's is needed. Roles are named as in access.Name. Unset: a branch manager any, an adviser
// 5 %, nobody else any. (The 5 % is this house's choice; it has no source.)
func (t *Table) DiscountLimit(p Place, roles ...string) int64 {
	var most int64
	for _, role := range roles {
		limit := map[string]int64{"branch-manager": 10_000, "adviser": 500}[role]
		if x, is := t.at(DiscountLimit+"/"+role, p); is {
			limit = x.values["bp"]
		}
		most = max(most, limit)
	}
	return most
}

// MemberDiscount is what a class of members gets off labour and off parts, in basis points; false if the class is not
// set.
func (t *Table) MemberDiscount(p Place, class string) (labour, part int64, ok bool) {
	x, ok := t.at(Member+"/"+class, p)
	return x.values["labour"], x.values["part"], ok
}

// Classes are the classes of members that count at the place, sorted.
func (t *Table) Classes(p Place) []string {
	if t == nil {
		return nil
	}
	var out []string
	for name := range t.by {
		if class, is := strings.CutPrefix(name, Member+"/"); is {
			if _, counts := t.at(name, p); counts {
				out = append(out, class)
			}
		}
	}
	slices.Sort(out)
	return out
}

// CustomerLanguage is that of what is written for a customer who has none; unset, zh-CN.
func (t *Table) CustomerLanguage(p Place) branchlinev1.Language {
	x, is := t.at(CustomerLanguage, p)
	if !is {
		return branchlinev1.Language_LANGUAGE_ZH_CN
	}
	return branchlinev1.Language(x.values["language"])
}

// Guarantee is the guarantee on a repair of a part of the car: whichever ends first. Unset for the part, the one
// without a part counts; unset altogether, 10 days and 2,000 km, the least the Chinese rule of motor vehicle maintenance
// asks of a small or single repair (100 days and 20,000 km after a whole car or an assembly: system "assembly").
func (t *Table) Guarantee(p Place, system string) (days, km int64) {
	if x, is := t.at(RepairGuarantee+"/"+system, p); is && system != "" {
		return x.values["days"], x.values["km"]
	}
	if system == "assembly" {
		return 100, 20_000
	}
	if x, is := t.at(RepairGuarantee, p); is {
		return x.values["days"], x.values["km"]
	}
	return 10, 2_000
}

// Wear are the limits in hundredths of a millimetre for a point of an inspection (tyre_fl, spare, brake_pads_front …): what
// measures less than now is to be changed, less than soon before long. ok is false for what is not judged by its measure.
//
// Unset: tread 1.6 mm, the least that GB 7258-2017 allows of passenger cars and trailers, soon 3 mm; brake pads 3 mm, soon
// 5 mm. (The 3 mm of tread, and both of pads, are what workshops commonly go by; they have no source in law.) The same
// standard asks 3.2 mm of the steered wheels of other vehicles: a branch of lorries and buses sets wear/steered to now=320,
// and its front tyres are judged by that.
func (t *Table) Wear(p Place, point string) (now, soon int64, ok bool) {
	name := "tyre"
	switch {
	case strings.HasPrefix(point, "brake_pads_"):
		name, now, soon = "brake_pads", 300, 500
	case strings.HasPrefix(point, "tyre_"), point == "spare":
		now, soon = 160, 300
	default:
		return 0, 0, false
	}
	x, is := t.at(Wear+"/"+name, p)
	if y, steered := t.at(Wear+"/steered", p); steered && strings.HasPrefix(point, "tyre_f") {
		x, is = y, true
	}
	if is {
		now, soon = x.values["now"], x.values["soon"]
	}
	return now, soon, true
}

// Rule is one version of the three guarantees (三包). From is the first day a car must have been sold on for it to count.
type Rule struct {
	From string
	// The term in which repairs cost nothing, and that in which a car may be exchanged or given back.
	RepairMonths, RepairKm, Months, Km int64
	// The early term: a faulty main part gives a new assembly, failed steering or brakes another car.
	EarlyDays, EarlyKm int64
	// More repairs of one fault, or days in the workshop in all, than these give exchange or return.
	Faults, Days int64
	// So many exchanges of one assembly, or repairs of grave safety faults, without success do.
	Assemblies, Safety int64
	// A repair of more days than these calls for a car on loan.
	LoanDays int64
}

// law is what is in force where nothing is set. 2013: order 150 of the quality authority, as DOMAIN §2.4 has it. 2022:
// order 43 of the market authority, article 24, for the counts; the terms did not change.
var law = []Rule{
	{"2022-01-01", 36, 60_000, 24, 50_000, 60, 3_000, 4, 30, 2, 2, 5},
	{"2013-10-01", 36, 60_000, 24, 50_000, 60, 3_000, 5, 35, 2, 2, 5},
}

// ThreeGuarantees is the version that counts for a car sold on the day of p; false if none does (a car sold before
// there was a rule, or a day nobody knows).
func (t *Table) ThreeGuarantees(p Place) (Rule, bool) {
	x, is := t.at(ThreeGuarantees, p)
	for _, r := range law {
		if r.From > p.Day || p.Day == "" {
			continue
		}
		if is && x.from >= r.From {
			break
		}
		return r, true
	}
	if !is || p.Day == "" {
		return Rule{}, false
	}
	v := x.values
	return Rule{
		x.from, v["repair_months"], v["repair_km"], v["months"], v["km"], v["early_days"], v["early_km"],
		v["faults"], v["days"], v["assemblies"], v["safety"], v["loan_days"],
	}, true
}

// String writes a rule as a setting's value is written.
func (r Rule) String() string {
	return fmt.Sprintf("repair_months=%d repair_km=%d months=%d km=%d early_days=%d early_km=%d faults=%d days=%d assemblies=%d safety=%d loan_days=%d",
		r.RepairMonths, r.RepairKm, r.Months, r.Km, r.EarlyDays, r.EarlyKm, r.Faults, r.Days, r.Assemblies, r.Safety, r.LoanDays)
}
