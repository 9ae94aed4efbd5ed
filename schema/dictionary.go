package schema

import (
	_ "embed"
)

// Dictionary is the number of the dictionary that small packs and pages are
// compressed with. Frames name it. One that was shipped is kept for ever as it is.
const Dictionary = 1

// dictionary is made by cmd/rig/lexicon.
//
//go:embed dict/1.zdict
var dictionary []byte

// smallBytes is up to where the dictionary is used: beyond, data has its own likeness.
const smallBytes = 8 << 10

// zstdMagic is how many bytes begin every zstd frame, always the same: small frames go without.
const zstdMagic = 4

var zstdHead = [zstdMagic]byte{0x28, 0xb5, 0x2f, 0xfd}

// appendSmall compresses a little text with the dictionary. readSmall undoes it.
func (c *PackCodec) appendSmall(dst, b []byte) ([]byte, error) {
	enc := c.enc
	if len(b) <= smallBytes {
		if c.small == nil {
			var err error
			if c.small, err = newSmallEncoder(); err != nil {
				return nil, err
			}
		}
		enc = c.small
	}
	c.packed = enc.EncodeAll(b, c.packed[:0])
	return append(dst, c.packed[zstdMagic:]...), nil
}

func (c *PackCodec) readSmall(dst, b []byte) ([]byte, error) {
	c.packed = append(append(c.packed[:0], zstdHead[:]...), b...)
	return c.dec.DecodeAll(c.packed, dst)
}

// Sample is what a pack of this one change compresses: what dictionaries are made of.
func (c *PackCodec) Sample(s Sealed) []byte {
	c.cols.reset(true)
	c.cols.add(s)
	x := &c.cols
	out := append([]byte(nil), x.tags...)
	return append(append(append(out, x.lens...), x.nums...), x.col[0]...)
}
