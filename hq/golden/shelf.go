package golden

import (
	"sync"

	"branchline/hq/match"
)

// shelfSize bounds the customers kept taken apart, twice: those asked for lately, and before that.
const shelfSize = 10_000

// shelf keeps customers taken apart under one model while there is work: as match_node
// has them, or will once the transaction at hand commits. Where it does not, all is taken off.
type shelf struct {
	mu       sync.Mutex
	m        *match.Model
	new, old map[int64]*match.Prepared
}

func (s *shelf) get(m *match.Model, n int64) *match.Prepared {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m != m {
		return nil
	}
	if p := s.new[n]; p != nil {
		return p
	}
	p := s.old[n]
	if p != nil {
		s.add(n, p)
	}
	return p
}

func (s *shelf) put(m *match.Model, n int64, p *match.Prepared) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m != m {
		s.m, s.new, s.old = m, nil, nil
	}
	s.add(n, p)
}

func (s *shelf) add(n int64, p *match.Prepared) {
	if s.new == nil || len(s.new) >= shelfSize {
		s.old, s.new = s.new, make(map[int64]*match.Prepared)
	}
	s.new[n] = p
}

// drop takes one off.
func (s *shelf) drop(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.new, n)
	delete(s.old, n)
}

// clear gives the memory back.
func (s *shelf) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m, s.new, s.old = nil, nil, nil
}
