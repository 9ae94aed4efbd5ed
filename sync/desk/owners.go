package desk

import (
	"cmp"
	"slices"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Ownership is what one tie says of whose a car is.
type Ownership struct {
	Tie      string // ties/…
	Car      string // the same for all records of one car
	Who      string // the same for all records of one customer
	Customer string // customers/…, the record the tie names
	// Days, YYYY-MM-DD. From and To are "" when nobody wrote them down. Known is the
	// first day that anything shows the ownership: the tie written down, an order.
	From, To, Known string
}

// start is the day the ownership began, as far as is known.
func (o *Ownership) start() string { return cmp.Or(o.From, o.Known) }

// OwnershipOf reads a tie; false unless it says who owns a car and is in force.
// created is when the tie was made, unix ms.
func OwnershipOf(name string, t *branchlinev1.Tie, created int64, zone *time.Location) (Ownership, bool) {
	if t.GetRole() != branchlinev1.TieRole_OWNER || t.GetVehicle() == "" || t.GetCustomer() == "" || t.GetRetiredAt() != 0 {
		return Ownership{}, false
	}
	return Ownership{
		Tie: name, Customer: schema.KindOf(schema.Customer).Collection + "/" + t.GetCustomer(), From: t.GetFrom(), To: t.GetTo(),
		Known: time.UnixMilli(created).In(zone).Format(time.DateOnly),
	}, true
}

// Seen brings the first day an ownership is known forward to that of an order.
func (o *Ownership) Seen(day string) {
	if day != "" && day < o.Known {
		o.Known = day
	}
}

// Owners are the lines of owners of the cars: the present ones first, then the
// latest. It is a pure function of the ties, in whatever order they come:
//   - Ties of one customer to one car are one term, under however many records
//     either stands, unless somebody else bought it in between.
//   - A term ends on the day its ties say. Where none says, it ends when somebody
//     else's begins of whom a later first day is written down: the car was sold on,
//     and nobody told this tie.
//   - Who began on the same day, or later without a day that is written down, owns it
//     beside: husband and wife are both written down as owners, at different visits.
//     That a car was sold is never concluded from when somebody was first seen.
//
// Where the day a term began was not written down, the first day it is known counts
// for it; if a day is written down elsewhere in such a term, the day the former one's
// ended is the latest it can be.
func Owners(ties []Ownership, today string) []*branchlinev1.Owner {
	ties = slices.SortedFunc(slices.Values(ties), func(a, b Ownership) int {
		return cmp.Or(cmp.Compare(a.Car, b.Car), cmp.Compare(a.start(), b.start()), cmp.Compare(a.Who, b.Who), cmp.Compare(a.Tie, b.Tie))
	})
	var out []*branchlinev1.Owner
	for len(ties) > 0 {
		n := 1
		for n < len(ties) && ties[n].Car == ties[0].Car {
			n++
		}
		out = append(out, line(ties[:n], today)...)
		ties = ties[n:]
	}
	slices.SortStableFunc(out, func(a, b *branchlinev1.Owner) int {
		return cmp.Or(cmp.Compare(a.GetVehicle(), b.GetVehicle()), presentFirst(a, b), cmp.Compare(began(b), began(a)), cmp.Compare(a.GetTies()[0], b.GetTies()[0]))
	})
	return out
}

func presentFirst(a, b *branchlinev1.Owner) int {
	switch {
	case a.GetPresent() == b.GetPresent():
		return 0
	case a.GetPresent():
		return -1
	}
	return 1
}

func began(o *branchlinev1.Owner) string { return cmp.Or(o.GetFrom(), o.GetKnownFrom()) }

// term is one customer's ownership of a car, of one or several ties.
type term struct {
	ties []Ownership // by start
	to   string      // the latest that a tie says
}

func (t *term) start() string { return t.ties[0].start() }

func (t *term) latest() *Ownership { return &t.ties[len(t.ties)-1] }

// end is the day the ties say the term ended; "" when the latest of them began after it.
func (t *term) end() string {
	if t.to < t.latest().start() {
		return ""
	}
	return t.to
}

// bought tells whether a first day after this one is written down for the term.
func (t *term) bought(after string) bool {
	return slices.ContainsFunc(t.ties, func(x Ownership) bool { return x.From > after })
}

// line is the line of one car's owners; ties are by start.
func line(ties []Ownership, today string) []*branchlinev1.Owner {
	var terms []*term
	for _, x := range ties {
		var own, last *term // the customer's latest, and that of anybody who bought the car after it
		for _, t := range terms {
			if t.ties[0].Who == x.Who {
				own, last = t, nil
			} else if own != nil && t.start() > own.latest().start() && t.start() < x.start() && t.bought(own.latest().start()) {
				last = t
			}
		}
		if own == nil || last != nil || own.end() != "" && own.end() < x.start() {
			own = &term{}
			terms = append(terms, own)
		}
		own.ties, own.to = append(own.ties, x), max(own.to, x.To)
	}
	out := make([]*branchlinev1.Owner, 0, len(terms))
	for i, t := range terms {
		first, latest := t.ties[0], t.latest()
		o := &branchlinev1.Owner{Vehicle: first.Car, Customer: latest.Customer, From: first.From, To: t.end()}
		if o.From == "" {
			o.KnownFrom = first.Known
		}
		for _, x := range t.ties {
			o.Ties = append(o.Ties, x.Tie)
		}
		if o.To == "" {
			// Terms are by start: the next that began later, by a day that is written down.
			for _, next := range terms[i+1:] {
				if next.start() > latest.start() && next.bought(latest.start()) {
					o.To, o.Derived, o.AtLatest, o.EndedBy = next.start(), true, next.ties[0].From == "", next.ties[0].Tie
					break
				}
			}
		}
		o.Present = o.To == "" || o.To > today || o.To == today && !o.Derived
		out = append(out, o)
	}
	return out
}
