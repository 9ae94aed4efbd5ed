package account

import (
	"fmt"
	"sync"
	"time"

	"branchline/schema"
)

// ThrottledError says that too many tries failed. errors.Is(err, schema.ErrExhausted) holds.
type ThrottledError struct{ Wait time.Duration }

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many failed tries: wait %d s", int64((e.Wait+time.Second-1)/time.Second))
}

// Is makes errors.Is(err, schema.ErrExhausted) hold.
func (e *ThrottledError) Is(target error) bool { return target == schema.ErrExhausted }

// throttle lets burst tries through at once and then one every so often, by key. It remembers at most maxKeys keys.
type throttle struct {
	now   func() time.Time
	burst float64
	every time.Duration

	mu   sync.Mutex
	keys map[string]*bucket
}

const maxKeys = 4096

// bucket holds the tries left at a time.
type bucket struct {
	left float64
	at   time.Time
}

func newThrottle(now func() time.Time, burst int, every time.Duration) *throttle {
	return &throttle{now: now, burst: float64(burst), every: every, keys: map[string]*bucket{}}
}

// take uses up one try, or says how long to wait for the next.
func (t *throttle) take(key string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.keys[key]
	if b == nil {
		t.makeRoom()
		b = &bucket{left: t.burst, at: t.now()}
		t.keys[key] = b
	}
	t.fill(b)
	if b.left < 1 {
		return &ThrottledError{Wait: time.Duration((1 - b.left) * float64(t.every))}
	}
	b.left--
	return nil
}

// giveBack returns a try that did not fail.
func (t *throttle) giveBack(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b := t.keys[key]; b != nil {
		b.left = min(b.left+1, t.burst)
	}
}

// fill gives the tries that time has brought; a clock that went back brings none and takes none.
func (t *throttle) fill(b *bucket) {
	now := t.now()
	if d := now.Sub(b.at); d > 0 {
		b.left = min(b.left+float64(d)/float64(t.every), t.burst)
	}
	b.at = now
}

// makeRoom forgets keys whose tries are all back or, if there is none, the one with the most left.
func (t *throttle) makeRoom() {
	if len(t.keys) < maxKeys {
		return
	}
	most, best := "", -1.0
	for key, b := range t.keys {
		t.fill(b)
		if b.left >= t.burst {
			delete(t.keys, key)
		} else if b.left > best {
			most, best = key, b.left
		}
	}
	if len(t.keys) >= maxKeys {
		delete(t.keys, most)
	}
}
