package hq

import (
	"context"

	"branchline/schema/look/front"
)

// changes tells open pages that something was committed. What a branch's silence changes, no commit tells: the pages
// follow the clock for it.
type changes struct{ committed func() <-chan struct{} }

func (c changes) Subscribe(ctx context.Context) <-chan front.Event {
	out := make(chan front.Event)
	next := c.committed()
	go func() {
		defer close(out)
		for {
			select {
			case <-next:
			case <-ctx.Done():
				return
			}
			next = c.committed() // before the page reads, so that no commit falls between
			select {
			case out <- front.Event{Line: true, Records: true}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
