package hq

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"branchline/hq/inbox"
	"branchline/schema"
)

func TestPacer_sendsTheFirstAndTheLast(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	var sent []string
	p := newPacer(func() time.Time { return now }, func(r inbox.Receipt) {
		sent = append(sent, fmt.Sprintf("%s%d:%d", r.Branch, r.Inc, r.Mark))
	})
	check := func(want string) {
		t.Helper()
		if got := strings.Join(sent, " "); got != want {
			t.Errorf("sent %q, not %q", got, want)
		}
		sent = nil
	}
	give := func(inc schema.Incarnation, mark schema.Seq) {
		p.give(inbox.Receipt{Branch: "a", Inc: inc, Mark: mark})
	}
	give(1, 1)
	check("a1:1") // after a pause at once
	give(1, 2)
	give(1, 3)
	check("")
	<-p.armed
	p.take()
	check("a1:3")
	p.take()
	check("")
	give(1, 4)
	give(2, 9) // another incarnation's first: what was held goes before it, so that headquarters' rev does not go back
	check("a1:4 a2:9")
	give(1, 5)
	p.give(inbox.Receipt{Branch: "a", Inc: 1, Mark: 5, Urgent: true})
	check("a1:5")
	give(1, 5+paceChanges)
	check("a1:69") // the sender may wait for it
	give(1, 70)
	now = now.Add(paceEvery)
	give(1, 71)
	check("a1:71")
	give(1, 60) // headquarters was put back
	check("a1:60")
	give(1, 61)
	now = now.Add(-time.Hour) // and so was its clock
	give(1, 62)
	check("a1:62")
}
