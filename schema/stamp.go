package schema

import (
	"cmp"
	"strings"
	"time"

	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// Tick is an effective time: 48 bits of unix milliseconds, 16 bits of counter
// (a hybrid logical clock: Kulkarni et al. 2014, "Logical Physical Clocks").
// A full counter carries into the time.
type Tick uint64

// TickAt is the first tick of the millisecond of t.
func TickAt(t time.Time) Tick { return Tick(uint64(t.UnixMilli()) << 16) }

// Next is the tick after t.
func (t Tick) Next() Tick { return t + 1 }

// Time is the millisecond t lies in.
func (t Tick) Time() time.Time { return time.UnixMilli(int64(t >> 16)) }

// UnixMilli is the millisecond t lies in, since 1970 UTC.
func (t Tick) UnixMilli() int64 { return int64(t >> 16) }

// Run is one opening of a branch's database: RunBits random bits drawn each time. 0 is none.
type Run uint32

// Of the 63 bits of a stamp's seq the lower SeqBits are the seq, the others the run.
const (
	SeqBits = 40
	RunBits = 63 - SeqBits
)

// Stamp is a value's place in the order of values, and with its branch,
// incarnation and seq the name of the edit that wrote it.
type Stamp struct {
	At     Tick
	Branch BranchID
	Inc    Incarnation
	// Seq is the seq the edit was first made under, with its run above it.
	Seq Seq
}

// StampOf is the stamp of a change's entries: that of the edit, wherever the
// change is another copy of it. A folder that was put back or copied writes other
// edits under numbers that were used already, and a re-issued edit gets a number
// of its own; the run tells the first apart, and the origin leads the second back.
// So copies are one edit whatever HQ is told first, and what anybody ever saw of
// one names it for ever.
func StampOf(id ChangeID, at Tick, b *wirev1.ChangeBody) Stamp {
	s := Stamp{At: at, Branch: id.Branch, Inc: id.Inc, Seq: id.Seq}
	if o := b.GetOrigin(); o != nil {
		s.Inc, s.Seq = Incarnation(o.GetIncarnation()), Seq(o.GetSeq())
	}
	s.Seq = s.Seq&(1<<SeqBits-1) | Seq(b.GetRun())<<SeqBits
	return s
}

// Edit is the name of the edit that wrote the value: equal for all its copies.
func (s Stamp) Edit() ChangeID { return ChangeID{s.Branch, s.Inc, s.Seq} }

// Change is the change by which the value was first written. Another change may
// stand under that id by now; Edit tells them apart.
func (s Stamp) Change() ChangeID { return ChangeID{s.Branch, s.Inc, s.Seq & (1<<SeqBits - 1)} }

// Run is the opening of the branch's database in which the value was first written.
func (s Stamp) Run() Run { return Run(s.Seq >> SeqBits) }

// IsZero tells whether s is no stamp at all.
func (s Stamp) IsZero() bool { return s == Stamp{} }

// Compare orders stamps: effective time, branch, incarnation as a number, seq.
func (s Stamp) Compare(o Stamp) int {
	if c := cmp.Compare(s.At, o.At); c != 0 {
		return c
	}
	if c := strings.Compare(string(s.Branch), string(o.Branch)); c != 0 {
		return c
	}
	if c := cmp.Compare(s.Inc, o.Inc); c != 0 {
		return c
	}
	return cmp.Compare(s.Seq, o.Seq)
}
