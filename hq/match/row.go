package match

import (
	"cmp"
	"slices"
	"strings"
)

// row holds the nodes that have a key, by their words and then by their ids, in chunks so
// that a row of all records is no slower than others.
type row struct {
	chunks [][]*node
	size   int
}

const maxChunk = 256

func byWord(a, b *node) int {
	return cmp.Or(strings.Compare(a.rec.word, b.rec.word), byID(a, b))
}

// find gives the chunk where n stands or would stand, and its place in it.
func (r *row) find(n *node) (chunk, at int, ok bool) {
	if len(r.chunks) > 1 {
		i, same := slices.BinarySearchFunc(r.chunks, n, func(c []*node, n *node) int { return byWord(c[0], n) })
		if chunk = i; !same {
			chunk = max(0, i-1)
		}
	} else if len(r.chunks) == 0 {
		return 0, 0, false
	}
	at, ok = slices.BinarySearchFunc(r.chunks[chunk], n, byWord)
	return chunk, at, ok
}

func (r *row) insert(n *node) {
	r.size++
	if len(r.chunks) == 0 {
		r.chunks = [][]*node{{n}}
		return
	}
	c, at, _ := r.find(n)
	l := slices.Insert(r.chunks[c], at, n)
	if len(l) > maxChunk {
		r.chunks = slices.Insert(r.chunks, c+1, slices.Clone(l[maxChunk/2:]))
		clear(l[maxChunk/2:])
		l = l[:maxChunk/2]
	}
	r.chunks[c] = l
}

// remove takes a node out that stands in the row.
func (r *row) remove(n *node) {
	c, at, ok := r.find(n)
	if !ok {
		panic("match: a record does not stand in the row of its key")
	}
	r.size--
	if r.chunks[c] = slices.Delete(r.chunks[c], at, at+1); len(r.chunks[c]) == 0 {
		r.chunks = slices.Delete(r.chunks, c, c+1)
	}
}

// around gives up to w nodes before n and after it, the nearest first.
func (r *row) around(n *node, w int) (before, after []*node) {
	if r.size == 1 {
		return nil, nil
	}
	c, at, _ := r.find(n)
	for i, j := c, at-1; len(before) < w; j-- {
		if j < 0 {
			if i--; i < 0 {
				break
			}
			j = len(r.chunks[i]) - 1
		}
		before = append(before, r.chunks[i][j])
	}
	for i, j := c, at+1; len(after) < w; j++ {
		if j == len(r.chunks[i]) {
			if i++; i == len(r.chunks) {
				break
			}
			j = 0
		}
		after = append(after, r.chunks[i][j])
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
		gone += len(r.chunks[c])
	}
	return false
}
