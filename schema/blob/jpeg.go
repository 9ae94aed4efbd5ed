package blob

import (
	"bytes"
	"encoding/binary"
)

// Markers of JPEG (ITU T.81) that are looked at.
const (
	mSOI   = 0xd8
	mEOI   = 0xd9
	mSOS   = 0xda
	mDHT   = 0xc4
	mDAC   = 0xcc
	mDQT   = 0xdb
	mDRI   = 0xdd
	mAPP0  = 0xe0
	mAPP1  = 0xe1
	mAPP2  = 0xe2
	mAPP14 = 0xee
)

var exifHead = []byte("Exif\x00\x00")

// cleanJPEG keeps what the pixels need (tables, frame, scans), the colour profile and which way up the picture is. What
// comes behind the picture's end, as some phones add films and second pictures, goes.
func (f *File) cleanJPEG() error {
	in := f.Bytes
	out := make([]byte, 0, len(in)+64)
	framed, scanned := false, false
	at := 2
	for {
		m, next := marker(in, at)
		if next < 0 {
			return &RefusedError{Damaged}
		}
		at = next
		if m == mEOI {
			break
		}
		if m == 0x01 || m >= 0xd0 && m <= 0xd7 {
			continue // stands alone and means nothing here
		}
		if m == mSOI || at+2 > len(in) {
			return &RefusedError{Damaged}
		}
		n := int(binary.BigEndian.Uint16(in[at:]))
		if n < 2 || at+n > len(in) {
			return &RefusedError{Damaged}
		}
		body := in[at+2 : at+n]
		at += n
		switch {
		case m == mAPP1 && bytes.HasPrefix(body, exifHead):
			if t := orientation(body[len(exifHead):]); t != 0 {
				f.turn = t
			}
		case m == mAPP0 && bytes.HasPrefix(body, []byte("JFIF\x00")) && len(body) >= 14:
			// Without the small picture that may stand in it.
			out = segment(out, m, append(bytes.Clone(body[:12]), 0, 0))
		case m == mAPP2 && bytes.HasPrefix(body, []byte("ICC_PROFILE\x00")), m == mAPP14 && bytes.HasPrefix(body, []byte("Adobe")),
			m == mDHT, m == mDAC, m == mDQT, m == mDRI:
			out = segment(out, m, body)
		case m >= 0xc0 && m <= 0xcf && m != 0xc8: // a frame; DHT and DAC were above
			if framed {
				return &RefusedError{Damaged}
			}
			framed = true
			if err := f.frame(m, body); err != nil {
				return err
			}
			out = segment(out, m, body)
		case m == mSOS:
			if !framed {
				return &RefusedError{Damaged}
			}
			scanned = true
			out = segment(out, m, body)
			end := scanEnd(in, at)
			out = append(out, in[at:end]...)
			at = end
		}
	}
	if !scanned {
		return &RefusedError{Damaged}
	}
	head := []byte{0xff, mSOI}
	if f.turn != 1 {
		head = segment(head, mAPP1, turned(f.turn))
	}
	f.Bytes = append(append(head, out...), 0xff, mEOI)
	return nil
}

// marker reads the marker at a place, fill bytes before it included, and gives the place behind it; -1: there is none.
func marker(in []byte, at int) (m byte, next int) {
	if at >= len(in) || in[at] != 0xff {
		return 0, -1
	}
	for at < len(in) && in[at] == 0xff {
		at++
	}
	if at >= len(in) || in[at] == 0 {
		return 0, -1
	}
	return in[at], at + 1
}

// scanEnd is where the next marker after a scan's pixels stands: no stuffed byte and no restart.
func scanEnd(in []byte, at int) int {
	for ; at+1 < len(in); at++ {
		if in[at] != 0xff {
			continue
		}
		if b := in[at+1]; b != 0 && b != 0xff && (b < 0xd0 || b > 0xd7) {
			return at
		}
	}
	return len(in)
}

func segment(out []byte, m byte, body []byte) []byte {
	out = append(out, 0xff, m)
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
	return append(out, body...)
}

// frame reads a picture's size and what decoding it takes: its planes, and for a progressive one four bytes more for each value.
func (f *File) frame(m byte, body []byte) error {
	if len(body) < 6 || len(body) < 6+3*int(body[5]) || body[5] == 0 {
		return &RefusedError{Damaged}
	}
	h, w := int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	if err := f.sized(w, h); err != nil {
		return err
	}
	var most, all int64
	for i := range int(body[5]) {
		s := body[6+3*i+1]
		n := int64(s>>4) * int64(s&15)
		if n == 0 || s>>4 > 4 || s&15 > 4 {
			return &RefusedError{Damaged}
		}
		most, all = max(most, n), all+n
	}
	f.memory = int64(w) * int64(h) * all / most
	if m == 0xc2 {
		f.memory *= 5
	}
	if body[5] == 4 {
		f.memory *= 2
	}
	return nil
}

// orientation is EXIF's word on which way up a picture is, 1 to 8; 0 when it says nothing that makes sense.
func orientation(tiff []byte) int {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(tiff, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(tiff, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return 0
	}
	if len(tiff) < 8 {
		return 0
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	n := int64(order.Uint16(tiff[at:]))
	for i := range n {
		e := at + 2 + 12*i
		if e+12 > int64(len(tiff)) {
			return 0
		}
		if order.Uint16(tiff[e:]) == 0x0112 {
			if v := int(order.Uint16(tiff[e+8:])); order.Uint16(tiff[e+2:]) == 3 && v >= 1 && v <= 8 {
				return v
			}
			return 0
		}
	}
	return 0
}

// turned is an EXIF that says which way up a picture is, and nothing else.
func turned(t int) []byte {
	b := append(bytes.Clone(exifHead), "MM\x00*\x00\x00\x00\x08\x00\x01"...)
	b = append(b, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, byte(t), 0, 0)
	return append(b, 0, 0, 0, 0)
}
