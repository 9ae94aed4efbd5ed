package blob

import (
	"encoding/binary"
	"hash/crc32"
)

var pngHead = []byte("\x89PNG\r\n\x1a\n")

// cleanPNG keeps the chunks that the pixels and their colours need. Texts, times, EXIF and what is unknown go.
func (f *File) cleanPNG() error {
	in := f.Bytes
	out := append(make([]byte, 0, len(in)), pngHead...)
	pixels := false
	for at := len(pngHead); ; {
		if at+12 > len(in) {
			return &RefusedError{Damaged}
		}
		n := int64(binary.BigEndian.Uint32(in[at:]))
		end := int64(at) + 12 + n
		if end > int64(len(in)) {
			return &RefusedError{Damaged}
		}
		chunk, body := in[at:end], in[at+8:end-4]
		name := string(in[at+4 : at+8])
		at = int(end)
		first := len(out) == len(pngHead)
		switch name {
		case "IHDR":
			if !first || len(body) != 13 {
				return &RefusedError{Damaged}
			}
			if err := f.header(body); err != nil {
				return err
			}
		case "IDAT":
			pixels = true
		case "PLTE", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "sBIT", "bKGD", "pHYs", "cICP":
		default:
			continue
		}
		if first && name != "IHDR" || crc32.ChecksumIEEE(chunk[4:len(chunk)-4]) != binary.BigEndian.Uint32(chunk[len(chunk)-4:]) {
			return &RefusedError{Damaged}
		}
		out = append(out, chunk...)
		if name == "IEND" {
			break
		}
	}
	if !pixels {
		return &RefusedError{Damaged}
	}
	f.Bytes = out
	return nil
}

// header reads a picture's size and what decoding it takes.
func (f *File) header(body []byte) error {
	w, h := binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
	if w > maxSide || h > maxSide {
		return &RefusedError{TooMany}
	}
	if err := f.sized(int(w), int(h)); err != nil {
		return err
	}
	depth, colour, laced := body[8], body[9], body[12]
	each := int64(4)
	if colour == 0 || colour == 3 {
		each = 1
	}
	if depth == 16 {
		each *= 2
	}
	f.memory = int64(w) * int64(h) * each
	if laced != 0 {
		f.memory += f.memory / 2 // its last pass has half of the picture
	}
	return nil
}
