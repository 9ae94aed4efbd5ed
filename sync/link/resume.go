package link

import (
	"fmt"
	"maps"
	"slices"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// LifeFacts is what the third question needs, for one incarnation the branch keeps.
type LifeFacts struct {
	Inc schema.Incarnation
	// Certified: the branch holds HQ's signed certificate that names it and this incarnation.
	Certified bool
	// Last is the branch's last seq; changes at or below Cut are forgotten there.
	Last, Cut schema.Seq
	// Restored: the branch says its folder was put back from a copy.
	Restored bool
	// Former: the branch writes under another incarnation now.
	Former bool

	// Known: HQ has a row for it. Frozen: it is frozen or superseded there, or in the ledger.
	Known, Frozen bool
	// Mark is HQ's watermark after UP was worked off, 0 if unknown.
	Mark schema.Seq
	// ReEnrol: a person has opened a re-enrolment of this branch.
	ReEnrol bool

	// Equal has an entry for every seq at which both sides' chain hashes are known: whether they are equal.
	// The branch's Life gives Last and Cut, its answers to Ask the others. Seq 0 need not be there.
	Equal map[schema.Seq]bool
}

// LifeOut answers the third question. When Ask is not empty nothing is decided:
// HQ needs the branch's chain hashes at those seqs (rising, at most 32, all in
// reach of both sides) and asks again with Equal filled in.
type LifeOut struct {
	Resume wirev1.Resume
	// From, with CONTINUE: the first seq to send. With FORKED and REBUILD: the greatest seq with equal hashes.
	From   schema.Seq
	Ask    []schema.Seq
	Reason string
}

// maxAsk bounds the hashes asked for in one round: 32 places a round find the
// fork of a million changes in four rounds.
const maxAsk = 32

// JudgeLife answers how an incarnation goes on. A former one continues, up to
// where it was frozen (its Last). FORKED says of it that HQ has another end: what
// the branch took back of it, and HQ has lost since, is re-issued under the
// current incarnation; there is no new one. So with REBUILD, also of what another
// HQ issued.
func JudgeLife(f LifeFacts) LifeOut {
	if f.Former {
		return f.former()
	}
	switch {
	case !f.Known && !f.Certified && f.ReEnrol:
		return LifeOut{Resume: wirev1.Resume_ADOPT, Reason: "unknown here, a re-enrolment is open"}
	case !f.Known && !f.Certified:
		return LifeOut{Resume: wirev1.Resume_REFUSE, Reason: "headquarters never issued this incarnation; re-enrol the branch"}
	case f.Known && f.Frozen:
		return f.forked("the incarnation was frozen")
	case f.Restored:
		return f.forked("the branch was restored from a copy")
	case f.Mark < f.Cut:
		return LifeOut{Resume: wirev1.Resume_REBUILD, From: f.Mark, Reason: fmt.Sprintf("headquarters has %d changes, the branch has forgotten those up to %d", f.Mark, f.Cut)}
	case f.Last < f.Mark:
		return f.forked(fmt.Sprintf("the branch has %d changes, headquarters %d", f.Last, f.Mark))
	}
	equal, known := f.equalAt(f.Mark)
	switch {
	case !known:
		return LifeOut{Ask: []schema.Seq{f.Mark}}
	case !equal:
		return f.forked(fmt.Sprintf("the branch's change %d is not headquarters'", f.Mark))
	}
	return LifeOut{Resume: wirev1.Resume_CONTINUE, From: f.Mark + 1}
}

func (f LifeFacts) former() LifeOut {
	switch {
	case !f.Known && !f.Certified && f.ReEnrol && f.Cut == 0:
		// With the branch that is adopted comes what it wrote before: all of it, under its own name.
		return LifeOut{Resume: wirev1.Resume_CONTINUE, From: 1}
	case !f.Known && !f.Certified:
		return LifeOut{Resume: wirev1.Resume_REBUILD, Reason: "headquarters never issued this former incarnation"}
	case f.Mark < f.Cut && f.Mark < f.Last:
		return LifeOut{Resume: wirev1.Resume_REBUILD, From: f.Mark, Reason: "the branch has forgotten what headquarters misses of a former incarnation"}
	}
	at := min(f.Last, f.Mark)
	equal, known := f.equalAt(at)
	switch {
	case !known:
		return LifeOut{Ask: []schema.Seq{at}}
	case !equal:
		return f.forked("the former incarnation went another way at headquarters")
	}
	return LifeOut{Resume: wirev1.Resume_CONTINUE, From: f.Mark + 1}
}

func (f LifeFacts) equalAt(seq schema.Seq) (equal, known bool) {
	if seq == 0 {
		return true, true
	}
	equal, known = f.Equal[seq]
	return equal, known
}

// forked finds the greatest seq with equal hashes. Equality of chain hashes is
// true up to some seq and false above it, so it is searched between the two.
func (f LifeFacts) forked(why string) LifeOut {
	low, high := f.Cut, min(f.Mark, f.Last)+1
	if f.Mark < f.Cut {
		return LifeOut{Resume: wirev1.Resume_REBUILD, From: f.Mark, Reason: why + "; what headquarters misses is forgotten at the branch"}
	}
	if f.Cut > 0 {
		switch equal, known := f.equalAt(f.Cut); {
		case !known:
			return LifeOut{Ask: []schema.Seq{f.Cut}}
		case !equal:
			return LifeOut{Resume: wirev1.Resume_REBUILD, Reason: why + "; they parted below what the branch still has"}
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(f.Equal)) {
		if f.Equal[seq] && seq < high {
			low = max(low, seq)
		} else if !f.Equal[seq] {
			high = min(high, seq)
		}
	}
	if high-low <= 1 {
		return LifeOut{Resume: wirev1.Resume_FORKED, From: low, Reason: why}
	}
	return LifeOut{Ask: between(low, high)}
}

// between is at most maxAsk seqs strictly between low and high, evenly spread, the last below high always among them.
func between(low, high schema.Seq) []schema.Seq {
	n := min(high-low-1, maxAsk)
	ask := make([]schema.Seq, 0, n)
	for i := schema.Seq(1); i <= n; i++ {
		ask = append(ask, low+(high-1-low)*i/n)
	}
	return ask
}
