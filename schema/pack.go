package schema

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// Limits of what goes over the link.
const (
	MaxChange      = 200 << 10 // bytes of payload of one change
	MaxPackChanges = 256
	MaxPackBytes   = 256 << 10 // raw bytes, unless one change alone is more
)

// A pack's form, version 1:
//
//	"BL" 1 | branch length, branch | incarnation 8 | gen 4 | first seq 8 | count 4 |
//	chain before 32 | chain after 32 | raw size 4 | signature 64 | zstd of the changes
//
// The signature covers all that stands before it: the chain covers every payload.
const (
	packVersion   = 1
	packSignature = 64
)

// PackHeader is what a pack's signature proves.
type PackHeader struct {
	Branch  BranchID
	Inc     Incarnation
	Gen     uint32 // the sender's rewind counter
	First   Seq
	Count   int
	Before  Hash // chain hash before the first change
	After   Hash // chain hash after the last
	RawSize int  // bytes of the changes before compression
}

// Last is the seq of the pack's last change.
func (h PackHeader) Last() Seq { return h.First + Seq(h.Count) - 1 }

func (h PackHeader) append(dst []byte) []byte {
	dst = append(dst, 'B', 'L', packVersion, byte(len(h.Branch)))
	dst = append(dst, h.Branch...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.Inc))
	dst = binary.BigEndian.AppendUint32(dst, h.Gen)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.First))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.Count))
	dst = append(dst, h.Before[:]...)
	dst = append(dst, h.After[:]...)
	return binary.BigEndian.AppendUint32(dst, uint32(h.RawSize))
}

// ParsePackHeader takes a pack apart: the header, the bytes that are signed,
// the signature and the compressed body. It checks form and limits only.
func ParsePackHeader(b []byte) (h PackHeader, signed, sig, body []byte, err error) {
	bad := func(why string) (PackHeader, []byte, []byte, []byte, error) {
		return PackHeader{}, nil, nil, nil, Invalid("pack", "%s", why)
	}
	if len(b) < 4 || b[0] != 'B' || b[1] != 'L' {
		return bad("is no pack")
	}
	if b[2] != packVersion {
		return bad(fmt.Sprintf("has version %d, this program reads %d", b[2], packVersion))
	}
	n := int(b[3])
	size := 4 + n + 8 + 4 + 8 + 4 + 32 + 32 + 4
	if len(b) < size+packSignature {
		return bad("is cut short")
	}
	if h.Branch, err = ParseBranchID(string(b[4 : 4+n])); err != nil {
		return PackHeader{}, nil, nil, nil, err
	}
	p := b[4+n:]
	h.Inc = Incarnation(binary.BigEndian.Uint64(p))
	h.Gen = binary.BigEndian.Uint32(p[8:])
	h.First = Seq(binary.BigEndian.Uint64(p[12:]))
	h.Count = int(binary.BigEndian.Uint32(p[20:]))
	copy(h.Before[:], p[24:56])
	copy(h.After[:], p[56:88])
	h.RawSize = int(binary.BigEndian.Uint32(p[88:]))
	const most = MaxPackBytes + MaxChange + 1<<12
	if h.Inc <= 0 || h.First <= 0 || h.First > 1<<60 || h.Count <= 0 || h.Count > MaxPackChanges || h.RawSize <= 0 || h.RawSize > most {
		return bad("has a header out of bounds")
	}
	return h, b[:size], b[size : size+packSignature], b[size+packSignature:], nil
}

// PackCodec compresses and reads packs. It is not safe for concurrent use.
type PackCodec struct {
	enc  *zstd.Encoder // packs: the sender's time counts
	page *zstd.Encoder // pages, which are read by many: bytes count
	dec  *zstd.Decoder
	raw  []byte
}

// NewPackCodec makes a codec. Close gives its memory back.
func NewPackCodec() (*PackCodec, error) {
	enc, err := newEncoder(zstd.SpeedFastest)
	if err != nil {
		return nil, err
	}
	page, err := newEncoder(zstd.SpeedDefault)
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(8<<20))
	if err != nil {
		return nil, fmt.Errorf("schema: zstd: %w", err)
	}
	return &PackCodec{enc: enc, page: page, dec: dec}, nil
}

// newEncoder makes an encoder whose window holds the largest pack or page; what
// it needs it takes at its first use.
func newEncoder(level zstd.EncoderLevel) (*zstd.Encoder, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("schema: zstd: %w", err)
	}
	return e, nil
}

// Close gives the codec's memory back.
func (c *PackCodec) Close() {
	c.dec.Close()
}

// Encode makes a pack of changes in seq order. Of h only Branch, Inc, Gen,
// First and Before count; the rest is filled in. sign gives 64 bytes (ed25519).
func (c *PackCodec) Encode(h PackHeader, changes []Sealed, sign func([]byte) ([]byte, error)) ([]byte, error) {
	if len(changes) == 0 || len(changes) > MaxPackChanges {
		return nil, fmt.Errorf("schema: a pack holds 1 to %d changes, not %d", MaxPackChanges, len(changes))
	}
	c.raw = c.raw[:0]
	for _, s := range changes {
		c.raw = s.Append(c.raw)
	}
	h.Count = len(changes)
	h.After = changes[len(changes)-1].Chain
	h.RawSize = len(c.raw)
	out := h.append(make([]byte, 0, 256+len(c.raw)/3))
	sig, err := sign(out)
	if err != nil {
		return nil, fmt.Errorf("schema: sign pack: %w", err)
	}
	if len(sig) != packSignature {
		return nil, fmt.Errorf("schema: a signature has %d bytes, not %d", packSignature, len(sig))
	}
	out = append(out, sig...)
	return c.enc.EncodeAll(c.raw, out), nil
}

// Decode reads the changes of a pack and checks that their chain leads from
// h.Before to h.After. The payloads share one buffer of their own.
func (c *PackCodec) Decode(h PackHeader, body []byte) ([]Sealed, error) {
	raw, err := c.dec.DecodeAll(body, make([]byte, 0, h.RawSize))
	if err != nil {
		return nil, Invalid("pack", "cannot be decompressed: %v", err)
	}
	if len(raw) != h.RawSize {
		return nil, Invalid("pack", "holds %d bytes, its header says %d", len(raw), h.RawSize)
	}
	out := make([]Sealed, 0, h.Count)
	chain := h.Before
	for i := range h.Count {
		s, rest, err := ParseSealed(raw)
		if err != nil {
			return nil, Invalid("pack", "change %d of %d: %v", i+1, h.Count, err)
		}
		chain = NextChain(chain, s.PayloadHash)
		s.Chain = chain
		s.ID = ChangeID{h.Branch, h.Inc, h.First + Seq(i)}
		out = append(out, s)
		raw = rest
	}
	if len(raw) != 0 {
		return nil, Invalid("pack", "has %d bytes after its last change", len(raw))
	}
	if chain != h.After {
		return nil, Invalid("pack", "its chain does not lead where its header says")
	}
	return out, nil
}

// Compress and Expand are zstd for pages and other bytes of the link.
func (c *PackCodec) Compress(dst, b []byte) []byte { return c.page.EncodeAll(b, dst) }

// Expand undoes Compress, refusing more than 8 MiB.
func (c *PackCodec) Expand(b []byte) ([]byte, error) {
	out, err := c.dec.DecodeAll(b, nil)
	if err != nil {
		return nil, Invalid("page", "cannot be decompressed: %v", err)
	}
	return out, nil
}
