package store

import "sync"

// commits tells who waits that something was committed.
type commits struct {
	mu   sync.Mutex
	next chan struct{} // nil while nobody waits
}

// Committed is closed at the next commit. Who asks for it before it reads misses nothing.
func (s *Store) Committed() <-chan struct{} {
	c := &s.commits
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.next
}

func (c *commits) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
}
