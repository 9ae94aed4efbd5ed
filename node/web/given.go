package web

import (
	"cmp"
	"slices"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// given is what a customer said to lines of an order in one go: who, when and how, to how many, and the drawing if they
// signed by hand.
type given struct {
	Signed  signedView
	Way     branchlinev1.ApprovalWay
	Phone   string // short
	Yes, No int
}

// givenTo are the answers to the lines of an order, the last first; none for who may not know who said them.
func givenTo[L interface {
	GetApprovals() []*branchlinev1.Approval
}](a *ask, lines []L) (out []given, err error) {
	type key struct {
		at        int64
		way       branchlinev1.ApprovalWay
		by, drawn string
	}
	at := map[key]int{}
	for _, l := range lines {
		for _, x := range l.GetApprovals() {
			k := key{x.GetAt(), x.GetWay(), x.GetSaidBy(), x.GetSignature()}
			i, known := at[k]
			if !known {
				g := given{Way: k.way, Phone: shortPhone(x.GetPhone())}
				if g.Signed, err = a.signed(k.drawn, k.by, k.at); err != nil {
					return nil, err
				}
				g.Signed.Typed = false // Way says so, and a word is neither
				i, at[k] = len(out), len(out)
				out = append(out, g)
			}
			if x.GetState() == branchlinev1.LineState_LINE_DECLINED {
				out[i].No++
			} else {
				out[i].Yes++
			}
		}
	}
	slices.SortStableFunc(out, func(x, y given) int { return cmp.Compare(y.Signed.At, x.Signed.At) })
	return out, nil
}
