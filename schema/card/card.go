// Package card counts what is left on a card (套餐卡, 次卡, 储值卡).
//
// Rules:
//   - The sale and every use are facts; what is left is the sale minus the uses,
//     whatever the order they come in, and never a number that is stored.
//   - A use that was taken back, and the entry that takes it back, count
//     together for nothing. Any number of entries that name a use take it back
//     once; an entry that takes back another such entry does nothing.
//   - A branch that is cut off goes by what it last knew. When two use the last
//     one, both uses stay: less than nothing is left, and the uses beyond the
//     balance are named in order of time, so that people can say who bears them.
//   - Stored money is spent with headquarters at hand only; a counted card is used
//     at any branch of the company that sold it.
package card

import (
	"cmp"
	"fmt"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/till"
)

// Use is a use and its record's name, cardUses/….
type Use struct {
	Name string
	*branchlinev1.CardUse
}

// amount is what the use takes off a card of the form.
func (u Use) amount(form branchlinev1.CardForm) int64 {
	if form == branchlinev1.CardForm_CARD_STORED_MONEY {
		return u.GetAmount()
	}
	return int64(u.GetUses())
}

// Balance is how a card stands, as far as is known here.
type Balance struct {
	// Left is uses, or minor units of money; below zero when more was used than was sold.
	Left int64
	// Counting are the uses that count, by time and then by name.
	Counting []Use
	// Over are those of them with which more is gone than there was, the earliest first. Last is the use before
	// them, with which the card was used up; nil if nothing is over or the first use was already too much.
	Over []Use
	Last *Use
	// Open are those of Over that nobody bears yet.
	Open []Use
}

// Count makes the balance of a card from all its uses that are known, in any order. Uses of other cards and retired ones
// are passed over.
func Count(name string, c *branchlinev1.PackageCard, uses []Use) Balance {
	id := afterSlash(name)
	mine := make([]Use, 0, len(uses))
	for _, u := range uses {
		if u.GetCard() == id && u.GetRetiredAt() == 0 {
			mine = append(mine, u)
		}
	}
	slices.SortFunc(mine, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.GetUsedAt(), b.GetUsedAt()), cmp.Compare(a.Name, b.Name))
	})
	mine = slices.CompactFunc(mine, func(a, b Use) bool { return a.Name == b.Name })
	isUse := map[string]bool{}
	for _, u := range mine {
		if u.GetReverses() == "" {
			isUse[afterSlash(u.Name)] = true
		}
	}
	taken := map[string]bool{}
	for _, u := range mine {
		if r := u.GetReverses(); isUse[r] {
			taken[r] = true
		}
	}
	b := Balance{Left: sold(c)}
	for _, u := range mine {
		if u.GetReverses() != "" || taken[afterSlash(u.Name)] || u.amount(c.GetForm()) <= 0 {
			continue
		}
		b.Left -= u.amount(c.GetForm())
		b.Counting = append(b.Counting, u)
		if b.Left >= 0 {
			continue
		}
		b.Over = append(b.Over, u)
		if u.GetBorneBy() == "" {
			b.Open = append(b.Open, u)
		}
	}
	if within := len(b.Counting) - len(b.Over); within > 0 && len(b.Over) > 0 {
		b.Last = &b.Counting[within-1]
	}
	return b
}

func sold(c *branchlinev1.PackageCard) int64 {
	if c.GetForm() == branchlinev1.CardForm_CARD_STORED_MONEY {
		return c.GetStored()
	}
	return int64(c.GetUses())
}

func afterSlash(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			return name[i+1:]
		}
	}
	return name
}

// Verdict says whether a card may be used now.
type Verdict int

// The verdicts, the first that fits.
const (
	Good      Verdict = iota
	Retired           // the sale was taken back
	Elsewhere         // sold by another company of the group
	Expired
	OtherCar // sold for another car
	NeedsHQ  // stored money, and headquarters is not at hand
	TooLittle
)

// Ask is a use somebody wants to make.
type Ask struct {
	Take    int64  // uses, or minor units
	Day     string // YYYY-MM-DD
	Vehicle string // record id; "" if no car is named
	// Company is the legal entity of the branch that asks, Seller that of the branch that sold the card.
	Company, Seller string
	// HQ tells that headquarters is at hand.
	HQ bool
}

// May tells whether the use may be made by what is known.
func May(c *branchlinev1.PackageCard, b Balance, a Ask) Verdict {
	switch {
	case c.GetRetiredAt() != 0:
		return Retired
	case a.Company != a.Seller:
		return Elsewhere
	case c.GetValidTo() != "" && c.GetValidTo() < a.Day:
		return Expired
	case c.GetVehicle() != "" && c.GetVehicle() != a.Vehicle:
		return OtherCar
	case c.GetForm() == branchlinev1.CardForm_CARD_STORED_MONEY && !a.HQ:
		return NeedsHQ
	case b.Left < a.Take:
		return TooLittle
	}
	return Good
}

// Why says in one sentence why a verdict is no; "" for Good.
func Why(v Verdict, c *branchlinev1.PackageCard, b Balance) string {
	switch v {
	case Retired:
		return "the sale of the card was taken back"
	case Elsewhere:
		return "another company of the group sold the card"
	case Expired:
		return "the card was good until " + c.GetValidTo()
	case OtherCar:
		return "the card is for another car"
	case NeedsHQ:
		return "stored money needs headquarters, which cannot be reached now"
	case TooLittle:
		if c.GetForm() == branchlinev1.CardForm_CARD_STORED_MONEY {
			return "there is less on the card: " + till.Text(b.Left)
		}
		return fmt.Sprintf("there are fewer uses left: %d", b.Left)
	}
	return ""
}

// Customer is who bears a use when it is the customer; else it is a branch's code.
const Customer = "customer"

// CheckBear refuses to say who bears a use that is not beyond what was sold, or that somebody bears already: it is said
// once. ErrInvalid.
func CheckBear(b Balance, use string) error {
	is := func(u Use) bool { return u.Name == use }
	switch {
	case slices.ContainsFunc(b.Open, is):
		return nil
	case slices.ContainsFunc(b.Over, is):
		return schema.Invalid("borne_by", "it is said already who bears it")
	}
	return schema.Invalid("use", "is within what was sold")
}
