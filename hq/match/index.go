package match

import (
	"math/bits"
	"runtime"
	"slices"
)

// index finds who has a key. Most keys have one holder or a few: theirs are numbers in
// blocks without a pointer, so that memory stays small and is not walked again and again.
// A key with more than long holders is long, and they stand in a row.
type index struct {
	long   uint32
	shards [256]shard // by the first byte of a key: growing one of them takes no pause
	blocks blocks
	nodes  [][]holder // by their numbers, in pages
	last   uint32     // numbers ever given
	unused []uint32   // numbers of nodes
	rows   []*row
	spare  []uint32 // places in rows
}

// slot is a key and its n holders: at is a node's number where there is one, a block of
// numbers where there are up to long, a place in rows where there are more.
type slot struct {
	key uint64
	at  uint32
	n   uint32 // 0: nothing stands here
}

// shard is a table with open addressing.
type shard struct {
	slots []slot
	used  int
}

// holder is a node, what of it is looked at when others are compared with it, and the tick
// in which it was seen last: side by side, since many are looked at and few found.
type holder struct {
	node   *node
	packed string
	seen   uint32
}

const holdersBits = 10 // of a page

// at is the holder with a number.
func (x *index) at(no uint32) *holder { return &x.nodes[no>>holdersBits][no&(1<<holdersBits-1)] }

func newIndex(long int) index { return index{long: uint32(long)} }

// number gives a new node its number.
func (x *index) number(n *node) {
	if last := len(x.unused) - 1; last >= 0 {
		n.no, x.unused = x.unused[last], x.unused[:last]
	} else {
		n.no = x.last
		if x.last++; int(n.no>>holdersBits) == len(x.nodes) {
			x.nodes = append(x.nodes, make([]holder, 1<<holdersBits))
		}
	}
	*x.at(n.no) = holder{node: n}
}

// forget takes the number of a node back, which has no key any more.
func (x *index) forget(n *node) {
	*x.at(n.no) = holder{}
	x.unused = append(x.unused, n.no)
}

// find gives the slot of a key, nil where nobody has it. It is good until the next add or
// remove.
func (x *index) find(key uint64) *slot {
	sh := &x.shards[key>>56]
	if len(sh.slots) == 0 {
		return nil
	}
	mask := uint64(len(sh.slots) - 1)
	for i := key & mask; sh.slots[i].n > 0; i = (i + 1) & mask {
		if sh.slots[i].key == key {
			return &sh.slots[i]
		}
	}
	return nil
}

// count is about how many holders keys have in all: of a key that does not stand where it
// belongs none. All slots are looked at in one go, so that the processor waits for them
// once: to wait for memory, again and again, is what takes the time.
func (x *index) count(keys []uint64) int {
	n := 0
	for _, k := range keys {
		if s := x.shards[k>>56].slots; len(s) > 0 {
			if s := &s[k&uint64(len(s)-1)]; s.key == k {
				n += int(min(s.n, x.long))
			}
		}
	}
	return n
}

// fetch has the processor fetch what some holders say before it is asked for, of all at
// once.
func (x *index) fetch(numbers []uint32) {
	const line = 64 // bytes fetched together
	sum := byte(0)
	for _, no := range numbers {
		s := x.at(no).packed
		for i := 0; i < len(s); i += line {
			sum += s[i]
		}
	}
	runtime.KeepAlive(sum)
}

// row is that of a long key, nil for others.
func (x *index) row(key uint64) *row {
	if s := x.find(key); s != nil && s.n > x.long {
		return x.rows[s.at]
	}
	return nil
}

// all are the holders of a key.
func (x *index) all(key uint64) []*node {
	s := x.find(key)
	switch {
	case s == nil:
		return nil
	case s.n > x.long:
		return x.rows[s.at].all()
	}
	var alone [1]uint32
	var out []*node
	for _, no := range x.holders(s, &alone) {
		out = append(out, x.at(no).node)
	}
	return out
}

// unseen appends the numbers of the holders of a key that is not long, but for those seen in
// this tick, and notes that they are now.
func (x *index) unseen(key uint64, tick uint32, out []uint32) []uint32 {
	var alone [1]uint32
	for _, no := range x.holders(x.find(key), &alone) {
		if h := x.at(no); h.seen != tick {
			h.seen = tick
			out = append(out, no)
		}
	}
	return out
}

// holders are the numbers of those who have a key that is not long; one alone is put into
// alone.
func (x *index) holders(s *slot, alone *[1]uint32) []uint32 {
	if s.n == 1 {
		alone[0] = s.at
		return alone[:]
	}
	return x.blocks.get(class(s.n), s.at)[:s.n]
}

// hold makes numbers the holders of a slot that has none.
func (x *index) hold(s *slot, numbers []uint32) {
	if s.n = uint32(len(numbers)); s.n == 1 {
		s.at = numbers[0]
		return
	}
	c := class(s.n)
	s.at = x.blocks.take(c)
	copy(x.blocks.get(c, s.at), numbers)
}

// release gives the block of a slot back.
func (x *index) release(s *slot) {
	if s.n > 1 {
		x.blocks.drop(class(s.n), s.at)
	}
}

// add gives a node a key that it has not. grown: the key has become long by it.
func (x *index) add(key uint64, n *node) (grown bool) {
	s := x.find(key)
	var alone [1]uint32
	switch {
	case s == nil:
		x.shards[key>>56].put(slot{key, n.no, 1})
	case s.n > x.long:
		x.rows[s.at].insert(n)
		s.n++
	case s.n == x.long:
		all := append(x.all(key), n)
		x.release(s)
		s.at = x.place(newRow(all))
		s.n++
		return true
	case s.n > 1 && class(s.n) == class(s.n+1):
		x.blocks.get(class(s.n), s.at)[s.n] = n.no
		s.n++
	default:
		numbers := append(slices.Clone(x.holders(s, &alone)), n.no)
		x.release(s)
		x.hold(s, numbers)
	}
	return false
}

func (x *index) place(r *row) uint32 {
	if last := len(x.spare) - 1; last >= 0 {
		at := x.spare[last]
		x.spare, x.rows[at] = x.spare[:last], r
		return at
	}
	x.rows = append(x.rows, r)
	return uint32(len(x.rows) - 1)
}

// remove takes a key that is not long from a node that has it.
func (x *index) remove(key uint64, n *node) {
	s := x.find(key)
	if s.n == 1 {
		x.shards[key>>56].remove(s)
		return
	}
	list := x.blocks.get(class(s.n), s.at)[:s.n]
	at := slices.Index(list, n.no)
	last := len(list) - 1
	list[at] = list[last]
	if last > 1 && class(s.n) == class(s.n-1) {
		s.n--
		return
	}
	numbers := slices.Clone(list[:last])
	x.release(s)
	x.hold(s, numbers)
}

// less notes that a node has left the row of a long key. Where the key is not long any
// more it gives its holders.
func (x *index) less(key uint64) []*node {
	s := x.find(key)
	if s.n--; s.n > x.long {
		return nil
	}
	all := x.rows[s.at].all()
	x.rows[s.at] = nil
	x.spare = append(x.spare, s.at)
	numbers := make([]uint32, len(all))
	for i, n := range all {
		numbers[i] = n.no
	}
	x.hold(s, numbers)
	return all
}

// put takes a new key in.
func (h *shard) put(s slot) {
	if h.used++; h.used*5 > len(h.slots)*4 {
		old := h.slots
		h.slots = make([]slot, max(8, 2*len(old)))
		for _, o := range old {
			if o.n > 0 {
				h.set(o)
			}
		}
	}
	h.set(s)
}

func (h *shard) set(s slot) {
	mask := uint64(len(h.slots) - 1)
	i := s.key & mask
	for h.slots[i].n > 0 {
		i = (i + 1) & mask
	}
	h.slots[i] = s
}

// remove takes a key out, and has those behind it that could not stand where they belong
// move up.
func (h *shard) remove(s *slot) {
	mask := uint64(len(h.slots) - 1)
	hole := s.key & mask
	for &h.slots[hole] != s {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; h.slots[i].n > 0; i = (i + 1) & mask {
		if home := h.slots[i].key & mask; (i-home)&mask >= (i-hole)&mask {
			h.slots[hole] = h.slots[i]
			hole = i
		}
	}
	h.slots[hole] = slot{}
	h.used--
}

// blocks are lists of numbers in pages, by classes: of class c there is room for 1<<c.
type blocks struct {
	pages [8][][]uint32
	next  [8]uint32   // blocks ever taken
	free  [8][]uint32 // and given back
}

const pageBits = 10 // of numbers in a page

// class is that of a block for n numbers, of which there are two at least.
func class(n uint32) int { return bits.Len32(n - 1) }

func (b *blocks) get(c int, at uint32) []uint32 {
	per := uint32(1) << (pageBits - c)
	from := at % per << c
	return b.pages[c][at/per][from : from+1<<c]
}

func (b *blocks) take(c int) uint32 {
	if last := len(b.free[c]) - 1; last >= 0 {
		at := b.free[c][last]
		b.free[c] = b.free[c][:last]
		return at
	}
	at := b.next[c]
	if b.next[c]++; int(at>>(pageBits-c)) == len(b.pages[c]) {
		b.pages[c] = append(b.pages[c], make([]uint32, 1<<pageBits))
	}
	return at
}

func (b *blocks) drop(c int, at uint32) { b.free[c] = append(b.free[c], at) }
