package serve

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// How fast one account may look people and cars up, and take lists away. A person
// at a counter never comes near it; who tries every phone number there is does.
// The owner of the site's folder is not held back: the database is theirs.
const (
	// lookBurst look-ups at once, then one each lookEvery.
	lookBurst = 90
	lookEvery = 500 * time.Millisecond
	// rowBurst rows of lists at once, then one each rowEvery.
	rowBurst = 60_000
	rowEvery = time.Millisecond
	// maxPaced bounds the memory of who asked: whose allowance is whole again is forgotten first.
	maxPaced = 4096
)

// PacedError says that an account asks faster than it may. errors.Is(err, schema.ErrExhausted) holds.
type PacedError struct{ Wait time.Duration }

func (e *PacedError) Error() string {
	return fmt.Sprintf("too many look-ups or rows in a short time: wait %d s and go on", retryAfter(e.Wait))
}

// Is makes errors.Is(err, schema.ErrExhausted) hold.
func (e *PacedError) Is(target error) bool { return target == schema.ErrExhausted }

// retryAfter is a wait in whole seconds, at least one.
func retryAfter(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// allowances is what each account may still ask of one sort, by a clock that is the site's.
type allowances struct {
	now   func() time.Time
	burst float64
	every time.Duration

	mu  sync.Mutex
	all map[string]*allowance
}

type allowance struct {
	left float64
	at   time.Time
}

func newAllowances(now func() time.Time, burst int, every time.Duration) *allowances {
	return &allowances{now: now, burst: float64(burst), every: every, all: map[string]*allowance{}}
}

// take uses up n, all of it or nothing. What is more than a whole allowance needs a whole one.
func (a *allowances) take(who string, n int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, cost := a.now(), min(float64(n), a.burst)
	x := a.all[who]
	if x == nil {
		a.makeRoom(now)
		x = &allowance{a.burst, now}
		a.all[who] = x
	}
	a.fill(x, now)
	if x.left < cost {
		return &PacedError{time.Duration((cost - x.left) * float64(a.every))}
	}
	x.left -= cost
	return nil
}

// add returns n that were taken.
func (a *allowances) add(who string, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if x := a.all[who]; x != nil {
		x.left = min(x.left+float64(n), a.burst)
	}
}

// fill gives what time has brought; a clock that went back brings nothing and takes nothing.
func (a *allowances) fill(x *allowance, now time.Time) {
	if d := now.Sub(x.at); d > 0 {
		x.left = min(x.left+float64(d)/float64(a.every), a.burst)
	}
	x.at = now
}

// makeRoom forgets who has a whole allowance or, if nobody has, who has most of it.
func (a *allowances) makeRoom(now time.Time) {
	if len(a.all) < maxPaced {
		return
	}
	most, best := "", -1.0
	for who, x := range a.all {
		a.fill(x, now)
		if x.left >= a.burst {
			delete(a.all, who)
		} else if x.left > best {
			most, best = who, x.left
		}
	}
	if len(a.all) >= maxPaced {
		delete(a.all, most)
	}
}

// pace holds an account back that looks up or takes away more than a person could use.
func (s *Server) pace(ctx context.Context, m proto.Message) error {
	c := access.CallerFrom(ctx)
	if c.Local {
		return nil
	}
	switch m := m.(type) {
	case *branchlinev1.SearchRequest:
		return s.looks.take(c.Account, 1)
	case *branchlinev1.VehicleHistoryRequest:
		if m.GetVehicle() != "" && !m.GetAskHq() {
			return nil // of a car found before
		}
		return s.looks.take(c.Account, 1)
	case *branchlinev1.FindLikeRequest: // as typed; whoever asks for many numbers at once asks as often
		return s.looks.take(c.Account, max(1, len(m.GetCustomer().GetPhones())))
	case *branchlinev1.ListRecordsRequest:
		return s.rows.take(c.Account, pageSize(m))
	}
	return nil
}

func pageSize(m *branchlinev1.ListRecordsRequest) int {
	if n := int(m.GetPageSize()); n > 0 {
		return n
	}
	return 50
}

// giveBack returns what a list was charged for and did not give, but for a tenth: a page of a customer asks for the
// lines of twenty orders, which have three each, and an open one asks again whenever something changes.
func (s *Server) giveBack(ctx context.Context, m, res any) {
	c := access.CallerFrom(ctx)
	req, ok := m.(*branchlinev1.ListRecordsRequest)
	list, given := res.(*branchlinev1.ListRecordsResponse)
	if !ok || !given || c.Local {
		return
	}
	n := pageSize(req)
	if rest := n - max(len(list.GetRecords()), n/10); rest > 0 {
		s.rows.add(c.Account, rest)
	}
}
