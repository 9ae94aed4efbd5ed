package match

import (
	"cmp"
	"slices"
	"strings"
)

// row holds the nodes that have a key, by their words and then by their ids: in one piece,
// or where they are many in chunks, so that a row of all records is no slower than others.
type row struct {
	few    []*node
	chunks [][]*node
	size   int
}

const maxChunk = 256

func byWord(a, b *node) int {
	return cmp.Or(strings.Compare(a.rec.word, b.rec.word), byID(a, b))
}

// chunk is the ith of at least one.
func (r *row) chunk(i int) []*node {
	if r.chunks == nil {
		return r.few
	}
	return r.chunks[i]
}

// find gives the chunk where n stands or would stand, and its place in it.
func (r *row) find(n *node) (chunk, at int, ok bool) {
	if r.chunks != nil {
		i, same := slices.BinarySearchFunc(r.chunks, n, func(c []*node, n *node) int { return byWord(c[0], n) })
		if chunk = i; !same {
			chunk = max(0, i-1)
		}
	}
	at, ok = slices.BinarySearchFunc(r.chunk(chunk), n, byWord)
	return chunk, at, ok
}

// insert gives the place of the newcomer.
func (r *row) insert(n *node) (chunk, at int) {
	r.size++
	chunk, at, _ = r.find(n)
	if r.chunks == nil {
		if r.few = slices.Insert(r.few, at, n); len(r.few) <= maxChunk {
			return 0, at
		}
		r.chunks, r.few = [][]*node{r.few}, nil
	} else {
		r.chunks[chunk] = slices.Insert(r.chunks[chunk], at, n)
	}
	if l := r.chunks[chunk]; len(l) > maxChunk {
		const half = maxChunk / 2
		r.chunks = slices.Insert(r.chunks, chunk+1, slices.Clone(l[half:]))
		clear(l[half:])
		if r.chunks[chunk] = l[:half]; at >= half {
			chunk, at = chunk+1, at-half
		}
	}
	return chunk, at
}

// remove takes a node out that stands in the row.
func (r *row) remove(n *node) {
	c, at, ok := r.find(n)
	if !ok {
		panic("match: a record does not stand in the row of its key")
	}
	r.size--
	if r.chunks == nil {
		r.few = slices.Delete(r.few, at, at+1)
		return
	}
	if r.chunks[c] = slices.Delete(r.chunks[c], at, at+1); len(r.chunks[c]) == 0 {
		if r.chunks = slices.Delete(r.chunks, c, c+1); len(r.chunks) == 0 {
			r.chunks = nil
		}
	}
}

// around appends up to w nodes before and after a place, the nearest first.
func (r *row) around(c, at, w int, before, after []*node) (b, a []*node) {
	for i, j, l := c, at-1, r.chunk(c); len(before) < w; j-- {
		if j < 0 {
			if i--; i < 0 {
				break
			}
			l = r.chunk(i)
			j = len(l) - 1
		}
		before = append(before, l[j])
	}
	for i, j, l := c, at+1, r.chunk(c); len(after) < w; j++ {
		if j == len(l) {
			if i++; i >= len(r.chunks) {
				break
			}
			j, l = 0, r.chunks[i]
		}
		after = append(after, l[j])
	}
	return before, after
}

// near tells whether two nodes of the row stand at most w apart.
func (r *row) near(a, b *node, w int) bool {
	if r.size <= w+1 {
		return true
	}
	c, at, _ := r.find(a)
	d, to, _ := r.find(b)
	if c > d || c == d && at > to {
		c, at, d, to = d, to, c, at
	}
	for gone := -at; gone <= w; c++ {
		if c == d {
			return gone+to <= w
		}
		gone += len(r.chunk(c))
	}
	return false
}
