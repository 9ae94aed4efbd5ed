package link

import (
	"fmt"
	"slices"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// The three questions of a hello (DESIGN §6). Each is a table, the first row
// that fits answers; none reads a clock, a database or the other two's answers.
// HQ gathers the facts, checks every signature first, and asks them in order:
// gate, line, then life once for every incarnation the branch named.

// GateFacts is what the first question needs.
type GateFacts struct {
	// Revoked: the ledger names the key that opened the link.
	Revoked bool
	// Replaced: the branch has been registered with another key since. Retired: the branch is closed.
	Replaced, Retired bool
	// OtherBoot: another run of this branch's program answered the probe within 2 s.
	OtherBoot bool
	// What the branch and HQ can speak, both ends included.
	BranchMin, BranchMax uint32
	HQMin, HQMax         uint32
}

// JudgeGate answers who may come in, with a sentence for a person.
func JudgeGate(f GateFacts) (wirev1.Gate, string) {
	switch {
	case f.Revoked:
		return wirev1.Gate_REFUSED, "the branch's key is revoked"
	case f.Replaced:
		return wirev1.Gate_SALVAGE, "the branch's key has been replaced"
	case f.Retired:
		return wirev1.Gate_SALVAGE, "the branch is retired"
	case f.OtherBoot:
		return wirev1.Gate_READ_ONLY, "another machine answers as this branch"
	case f.BranchMax < f.HQMin || f.BranchMin > f.HQMax:
		return wirev1.Gate_LOCAL_ONLY, fmt.Sprintf("upgrade needed: the branch speaks schema %d to %d, headquarters %d to %d",
			f.BranchMin, f.BranchMax, f.HQMin, f.HQMax)
	}
	return wirev1.Gate_OPEN, ""
}

// Word is one receipt the branch holds.
type Word struct {
	Inc       schema.Incarnation
	Watermark schema.Seq
	Epoch     schema.EpochID
	Rev       schema.Rev
}

// LineFacts is what the second question needs. Only what HQ signed is evidence
// against HQ: a branch's bare word (a cursor, a claim) must not be able to make
// HQ stop feeding the others, so cursors are judged by JudgeCursor alone.
type LineFacts struct {
	// Signed are the receipts whose signature is HQ's and which name this branch, Unsigned all others.
	Signed, Unsigned []Word
	// Current is the branch's current incarnation, Claimed what it counts as acknowledged of it.
	Current schema.Incarnation
	Claimed schema.Seq
	// Theirs is the line of epochs the branch holds, nil unless HQ signed it.
	Theirs []*wirev1.Epoch
	// Ours is HQ's own line, oldest first; the last is the running epoch. Rev is HQ's present rev.
	Ours []*wirev1.Epoch
	Rev  schema.Rev
	// Marks are HQ's watermarks of the branch's incarnations, after UP was worked off; none means 0.
	Marks map[schema.Incarnation]schema.Seq
}

// LineVerdict answers the second question. Lost, with RESTORED, is the epoch of
// which HQ misses something: HQ keeps one record a lost epoch, so that a branch
// that still holds old words does not make it a new restore.
type LineVerdict struct {
	Line   wirev1.Line
	Lost   schema.EpochID
	Reason string
}

// JudgeLine answers whether this HQ is the one the branch knew.
func JudgeLine(f LineFacts) LineVerdict {
	if inc, seq, ok := f.falseAck(); ok {
		return LineVerdict{wirev1.Line_FALSE_ACK, 0, fmt.Sprintf("%s is counted as acknowledged up to %d, headquarters has %d and signed no such receipt", inc, seq, f.Marks[inc])}
	}
	if e, ok := f.supersededBy(); ok {
		return LineVerdict{wirev1.Line_SUPERSEDED, 0, fmt.Sprintf("epoch %s grew out of the one running here: a restored copy has taken over", e)}
	}
	if e, why := f.lost(); why != "" {
		return LineVerdict{wirev1.Line_RESTORED, e, why}
	}
	return LineVerdict{Line: wirev1.Line_SAME}
}

func (f LineFacts) falseAck() (schema.Incarnation, schema.Seq, bool) {
	for _, w := range f.Unsigned {
		if w.Watermark > f.Marks[w.Inc] {
			return w.Inc, w.Watermark, true
		}
	}
	proven := f.Marks[f.Current]
	for _, w := range f.Signed {
		if w.Inc == f.Current {
			proven = max(proven, w.Watermark)
		}
	}
	return f.Current, f.Claimed, f.Claimed > proven
}

// supersededBy names an epoch in the branch's line that descends from the one running here.
func (f LineFacts) supersededBy() (schema.EpochID, bool) {
	if len(f.Ours) == 0 {
		return 0, false
	}
	running := f.Ours[len(f.Ours)-1].GetId()
	parent := map[int64]int64{}
	for _, e := range f.Theirs {
		parent[e.GetId()] = e.GetParent()
	}
	for _, e := range f.Theirs {
		// Bounded by the number of epochs: a line with a circle in it is no line.
		for id, n := e.GetParent(), 0; id != 0 && n <= len(f.Theirs); id, n = parent[id], n+1 {
			if id == running && e.GetId() != running {
				return schema.EpochID(e.GetId()), true
			}
		}
	}
	return 0, false
}

// lost names the epoch of which the branch holds something signed that HQ does not have.
func (f LineFacts) lost() (schema.EpochID, string) {
	for i := len(f.Theirs) - 1; i >= 0; i-- {
		e := f.Theirs[i]
		if indexEpoch(f.Ours, schema.EpochID(e.GetId())) < 0 {
			return schema.EpochID(e.GetId()), "the branch has seen an epoch that headquarters does not have"
		}
	}
	for _, w := range f.Signed {
		switch end, known := EpochEnd(w.Epoch, f.Ours, f.Rev); {
		case !known:
			return w.Epoch, "the branch holds a receipt of an epoch that headquarters does not have"
		case w.Watermark > f.Marks[w.Inc]:
			return w.Epoch, fmt.Sprintf("the branch holds a receipt for %s up to %d, headquarters has %d", w.Inc, w.Watermark, f.Marks[w.Inc])
		case w.Rev > end:
			return w.Epoch, fmt.Sprintf("the branch holds a receipt that names rev %d of an epoch that ended at %d here", w.Rev, end)
		}
	}
	return 0, ""
}

func indexEpoch(line []*wirev1.Epoch, id schema.EpochID) int {
	return slices.IndexFunc(line, func(e *wirev1.Epoch) bool { return e.GetId() == int64(id) })
}

// EpochEnd is the last rev of an epoch in a line (oldest first, the last one
// running with the given present rev); false when the line does not have it.
func EpochEnd(id schema.EpochID, line []*wirev1.Epoch, rev schema.Rev) (schema.Rev, bool) {
	i := indexEpoch(line, id)
	switch {
	case i < 0:
		return 0, false
	case i+1 < len(line):
		return schema.Rev(line[i+1].GetBirthRev()), true
	}
	return rev, true
}

// CursorFacts is what is needed to tell where a branch's feed goes on.
type CursorFacts struct {
	// Newest is the branch's newest cursor; the zero cursor when it has none.
	Epoch schema.EpochID
	Rev   schema.Rev
	// Confirmed is the highest rev HQ has seen this branch confirm.
	Confirmed schema.Rev
	// Ours and HQRev are HQ's line, oldest first, and its present rev.
	Ours  []*wirev1.Epoch
	HQRev schema.Rev
}

// GoodCursor tells whether the feed can go on from the cursor. If not, the pass
// begins at zero, and what it has not shown by its end is swept.
func GoodCursor(f CursorFacts) bool {
	end, known := EpochEnd(f.Epoch, f.Ours, f.HQRev)
	return known && f.Rev <= end && f.Rev >= f.Confirmed
}
