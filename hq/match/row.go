package match

import (
	"cmp"
	"slices"
	"strings"
)

// row holds the nodes that have a long key, by their words and then by their ids: in
// chunks, so that a row of all records is no slower than others. It is never empty.
type row struct {
	chunks [][]*node
	names  int // that its nodes have
}

const maxChunk = 256

func byWord(a, b *node) int {
	return cmp.Or(strings.Compare(a.rec.word, b.rec.word), byID(a, b))
}

func newRow(nodes []*node) *row {
	slices.SortFunc(nodes, byWord)
	r := &row{}
	for c := range slices.Chunk(nodes, maxChunk) {
		r.chunks = append(r.chunks, slices.Clone(c))
	}
	for i, n := range nodes {
		if i == 0 || !Namesakes(nodes[i-1].rec.word, n.rec.word) {
			r.names++
		}
	}
	return r
}

// named tells whether a node next to a place has the name of n.
func (r *row) named(chunk, at int, n *node) bool {
	is := func(c []*node, at int) bool {
		return at >= 0 && at < len(c) && Namesakes(c[at].rec.word, n.rec.word)
	}
	c := r.chunks[chunk]
	return is(c, at-1) || is(c, at) ||
		at == 0 && chunk > 0 && is(r.chunks[chunk-1], len(r.chunks[chunk-1])-1) ||
		at == len(c) && chunk+1 < len(r.chunks) && is(r.chunks[chunk+1], 0)
}

// find gives the chunk where n stands or would stand, and its place in it.
func (r *row) find(n *node) (chunk, at int) {
	chunk, same := slices.BinarySearchFunc(r.chunks, n, func(c []*node, n *node) int { return byWord(c[0], n) })
	if !same {
		chunk = max(0, chunk-1)
	}
	at, _ = slices.BinarySearchFunc(r.chunks[chunk], n, byWord)
	return chunk, at
}

func (r *row) insert(n *node) {
	chunk, at := r.find(n)
	if !r.named(chunk, at, n) {
		r.names++
	}
	l := slices.Insert(r.chunks[chunk], at, n)
	if r.chunks[chunk] = l; len(l) > maxChunk {
		const half = maxChunk / 2
		r.chunks = slices.Insert(r.chunks, chunk+1, slices.Clone(l[half:]))
		clear(l[half:])
		r.chunks[chunk] = l[:half]
	}
}

// remove takes a node out that stands in the row.
func (r *row) remove(n *node) {
	c, at := r.find(n)
	if at == len(r.chunks[c]) || r.chunks[c][at] != n {
		panic("match: a record does not stand in the row of its key")
	}
	r.chunks[c] = slices.Delete(r.chunks[c], at, at+1)
	if !r.named(c, at, n) {
		r.names--
	}
	if len(r.chunks[c]) == 0 && len(r.chunks) > 1 {
		r.chunks = slices.Delete(r.chunks, c, c+1)
	}
}

// all are its nodes in order.
func (r *row) all() []*node { return slices.Concat(r.chunks...) }

// around appends up to Beside nodes before and after one that stands in the row, the nearest first.
func (r *row) around(n *node, before, after []*node) (b, a []*node) {
	c, at := r.find(n)
	for i, j := c, at-1; len(before) < Beside; j-- {
		if j < 0 {
			if i--; i < 0 {
				break
			}
			j = len(r.chunks[i]) - 1
		}
		before = append(before, r.chunks[i][j])
	}
	for i, j := c, at+1; len(after) < Beside; j++ {
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

// near tells whether two nodes of the row stand at most Beside places apart.
func (r *row) near(a, b *node) bool {
	c, at := r.find(a)
	d, to := r.find(b)
	if c > d || c == d && at > to {
		c, at, d, to = d, to, c, at
	}
	for gone := -at; gone <= Beside; c++ {
		if c == d {
			return gone+to <= Beside
		}
		gone += len(r.chunks[c])
	}
	return false
}
