package schema

import (
	"cmp"
	"strings"
	"time"
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

// Stamp is a value's place in the order of values.
type Stamp struct {
	At     Tick
	Branch BranchID
	Inc    Incarnation
	Seq    Seq
}

// Change is the change that wrote the value.
func (s Stamp) Change() ChangeID { return ChangeID{s.Branch, s.Inc, s.Seq} }

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
