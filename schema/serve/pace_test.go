package serve

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"branchline/schema"
)

func TestAllowances(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	a := newAllowances(func() time.Time { return now }, 5, time.Second)
	take := func(who string, n int) error { return a.take(who, n) }
	for i := range 5 {
		if err := take("li", 1); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	var slow *PacedError
	if err := take("li", 1); !errors.As(err, &slow) || !errors.Is(err, schema.ErrExhausted) || slow.Wait != time.Second {
		t.Errorf("the sixth at once: %v", err)
	}
	if err := take("wu", 5); err != nil {
		t.Errorf("another account pays for the first: %v", err)
	}
	now = now.Add(2 * time.Second)
	if err := take("li", 3); !errors.As(err, &slow) || slow.Wait != time.Second {
		t.Errorf("three after two seconds: %v", err)
	}
	if err := take("li", 2); err != nil {
		t.Errorf("what was refused was taken all the same: %v", err)
	}
	now = now.Add(-time.Hour)
	if err := take("li", 1); err == nil {
		t.Error("a clock that went back gave something")
	}
	now = now.Add(5 * time.Second)
	if err := take("li", 99); err != nil {
		t.Errorf("more than a whole allowance takes a whole one: %v", err)
	}
}

func TestAllowances_whatWasNotGivenComesBack(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	a := newAllowances(func() time.Time { return now }, 5, time.Second)
	for i := range 20 {
		if err := a.take("li", 5); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		a.add("li", 5)
		a.add("nobody", 5)
	}
	a.add("li", 99)
	if err := a.take("li", 5); err != nil {
		t.Error(err)
	}
	if err := a.take("li", 1); err == nil {
		t.Error("more came back than there can be")
	}
}

func TestAllowances_memoryIsBounded(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	a := newAllowances(func() time.Time { return now }, 5, time.Second)
	if err := a.take("busy", 5); err != nil {
		t.Fatal(err)
	}
	for i := range 3 * maxPaced {
		if err := a.take(fmt.Sprint("who", i), 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(a.all); n > maxPaced {
		t.Errorf("%d accounts are remembered", n)
	}
	if err := a.take("busy", 1); err == nil {
		t.Error("who asked most was forgotten for others")
	}
}
