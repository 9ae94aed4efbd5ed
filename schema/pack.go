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

// A pack has one of two forms:
//
//	"BL" 1 | branch length, branch | incarnation 8 | gen 4 | first seq 8 | count 4 |
//	chain before 32 | chain after 32 | raw size 4 | signature 64 | zstd of the changes
//
//	"BL" 2 | branch length, branch | incarnation 8 | gen | first seq | count | raw size |
//	chain before 32 | signature 64 | the changes column by column
//
// with uvarints where no size is given. The signature covers all that stands before it, and in form 2 the chain hash
// after the last change, which follows from the changes: the chain covers every payload.
const (
	packSignature = 64

	// PackForm is the newest form there is. Older ones are read for ever.
	PackForm = 2
)

// PackHeader is what a pack's signature proves.
type PackHeader struct {
	Form    int // 0 is 1
	Branch  BranchID
	Inc     Incarnation
	Gen     uint32 // the sender's rewind counter
	First   Seq
	Count   int
	Before  Hash // chain hash before the first change
	After   Hash // chain hash after the last; of form 2 known only when the changes are read
	RawSize int  // bytes of the changes before compression
}

// Last is the seq of the pack's last change.
func (h PackHeader) Last() Seq { return h.First + Seq(h.Count) - 1 }

// Signed is what the signature covers: the header's bytes, and in form 2 the chain hash after the last change.
func (h PackHeader) Signed(header []byte) []byte {
	if h.Form < 2 {
		return header
	}
	return append(header[:len(header):len(header)], h.After[:]...)
}

func (h PackHeader) append(dst []byte) []byte {
	dst = append(dst, 'B', 'L', byte(max(h.Form, 1)), byte(len(h.Branch)))
	dst = append(dst, h.Branch...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.Inc))
	if h.Form == 2 {
		for _, v := range []uint64{uint64(h.Gen), uint64(h.First), uint64(h.Count), uint64(h.RawSize)} {
			dst = binary.AppendUvarint(dst, v)
		}
		return append(dst, h.Before[:]...)
	}
	dst = binary.BigEndian.AppendUint32(dst, h.Gen)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.First))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.Count))
	dst = append(dst, h.Before[:]...)
	dst = append(dst, h.After[:]...)
	return binary.BigEndian.AppendUint32(dst, uint32(h.RawSize))
}

// ParsePackHeader takes a pack apart: the header, its bytes, the signature and the
// body. It checks form and limits only.
func ParsePackHeader(b []byte) (h PackHeader, header, sig, body []byte, err error) {
	bad := func(why string) (PackHeader, []byte, []byte, []byte, error) {
		return PackHeader{}, nil, nil, nil, Invalid("pack", "%s", why)
	}
	if len(b) < 4 || b[0] != 'B' || b[1] != 'L' {
		return bad("is no pack")
	}
	if h.Form = int(b[2]); h.Form < 1 || h.Form > PackForm {
		return bad(fmt.Sprintf("has form %d, this program reads %d", b[2], PackForm))
	}
	n := int(b[3])
	if len(b) < 4+n+8 {
		return bad("is cut short")
	}
	if h.Branch, err = ParseBranchID(string(b[4 : 4+n])); err != nil {
		return PackHeader{}, nil, nil, nil, err
	}
	p := b[4+n:]
	h.Inc = Incarnation(binary.BigEndian.Uint64(p))
	if p = p[8:]; h.Form == 1 {
		p = h.fixed(p)
	} else {
		p = h.varints(p)
	}
	if len(p) < packSignature {
		return bad("is cut short")
	}
	const most = MaxPackBytes + MaxChange + 1<<12
	if h.Inc <= 0 || h.First <= 0 || h.First > 1<<60 || h.Count <= 0 || h.Count > MaxPackChanges || h.RawSize <= 0 || h.RawSize > most {
		return bad("has a header out of bounds")
	}
	return h, b[:len(b)-len(p)], p[:packSignature], p[packSignature:], nil
}

// fixed and varints read what follows the incarnation, and give what follows that; nil: it is cut short.
func (h *PackHeader) fixed(p []byte) []byte {
	if len(p) < 84 {
		return nil
	}
	h.Gen = binary.BigEndian.Uint32(p)
	h.First = Seq(binary.BigEndian.Uint64(p[4:]))
	h.Count = int(binary.BigEndian.Uint32(p[12:]))
	copy(h.Before[:], p[16:48])
	copy(h.After[:], p[48:80])
	h.RawSize = int(binary.BigEndian.Uint32(p[80:]))
	return p[84:]
}

func (h *PackHeader) varints(p []byte) []byte {
	var v [4]uint64
	for i := range v {
		x, n := binary.Uvarint(p)
		if n <= 0 || x > 1<<60 {
			return nil
		}
		v[i], p = x, p[n:]
	}
	if len(p) < 32 || v[0] > 1<<32-1 || v[2] > MaxPackChanges || v[3] > 1<<30 {
		return nil
	}
	h.Gen, h.First, h.Count, h.RawSize = uint32(v[0]), Seq(v[1]), int(v[2]), int(v[3])
	copy(h.Before[:], p)
	return p[32:]
}

// PackCodec compresses and reads packs. It is not safe for concurrent use.
type PackCodec struct {
	enc  *zstd.Encoder // packs: the sender's time counts
	page *zstd.Encoder // pages, which are read by many: bytes count
	// small is for what is small, with the dictionary; nil before its first use
	small *zstd.Encoder
	dec   *zstd.Decoder
	cols  columns
	// used again and again
	raw, long, packed []byte
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
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(8<<20), zstd.WithDecoderDicts(dictionary))
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

func newSmallEncoder() (*zstd.Encoder, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(64<<10), zstd.WithLowerEncoderMem(true), zstd.WithEncoderDict(dictionary))
	if err != nil {
		return nil, fmt.Errorf("schema: zstd: %w", err)
	}
	return e, nil
}

// Close gives the codec's memory back.
func (c *PackCodec) Close() {
	c.dec.Close()
}

// Encode makes a pack of changes in seq order. Of h only Form, Branch, Inc, Gen,
// First and Before count; the rest is filled in. sign gives 64 bytes (ed25519).
func (c *PackCodec) Encode(h PackHeader, changes []Sealed, sign func([]byte) ([]byte, error)) ([]byte, error) {
	if len(changes) == 0 || len(changes) > MaxPackChanges {
		return nil, fmt.Errorf("schema: a pack holds 1 to %d changes, not %d", MaxPackChanges, len(changes))
	}
	if h.Form > PackForm {
		return nil, fmt.Errorf("schema: a pack has no form %d", h.Form)
	}
	h.Count = len(changes)
	h.After = changes[len(changes)-1].Chain
	if h.Form == 2 {
		h.RawSize = 0
		c.cols.reset(len(changes) <= inLineChanges)
		for _, s := range changes {
			h.RawSize += s.size()
			c.cols.add(s)
		}
	} else {
		c.raw = c.raw[:0]
		for _, s := range changes {
			c.raw = s.Append(c.raw)
		}
		h.RawSize = len(c.raw)
	}
	out := h.append(make([]byte, 0, 256+h.RawSize/3))
	sig, err := sign(h.Signed(out))
	if err != nil {
		return nil, fmt.Errorf("schema: sign pack: %w", err)
	}
	if len(sig) != packSignature {
		return nil, fmt.Errorf("schema: a signature has %d bytes, not %d", packSignature, len(sig))
	}
	out = append(out, sig...)
	if h.Form == 2 {
		return c.appendBody(out, h.Count)
	}
	return c.enc.EncodeAll(c.raw, out), nil
}

// Decode reads the changes of a pack and checks that their chain leads from
// h.Before to h.After, where the header has that. The payloads share one buffer of
// their own.
func (c *PackCodec) Decode(h PackHeader, body []byte) ([]Sealed, error) {
	raw, err := c.expand(h, body)
	if err != nil {
		return nil, Invalid("pack", "%v", err)
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
	if h.Form < 2 && chain != h.After {
		return nil, Invalid("pack", "its chain does not lead where its header says")
	}
	return out, nil
}

func (c *PackCodec) expand(h PackHeader, body []byte) ([]byte, error) {
	if h.Form == 2 {
		return c.body(body, h.Count, h.RawSize)
	}
	raw, err := c.dec.DecodeAll(body, make([]byte, 0, h.RawSize))
	if err != nil {
		return nil, fmt.Errorf("cannot be decompressed: %w", err)
	}
	return raw, nil
}

// CompressSmall is Compress for what is likely to be small; only ExpandSmall undoes it.
func (c *PackCodec) CompressSmall(dst, b []byte) ([]byte, error) { return c.appendSmall(dst, b) }

// ExpandSmall undoes CompressSmall, refusing more than 8 MiB.
func (c *PackCodec) ExpandSmall(b []byte) ([]byte, error) {
	out, err := c.readSmall(nil, b)
	if err != nil {
		return nil, Invalid("page", "cannot be decompressed: %v", err)
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
