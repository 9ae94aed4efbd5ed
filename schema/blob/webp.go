package blob

import "encoding/binary"

// What VP8X says is in the file.
const (
	vp8xXMP  = 0x04
	vp8xEXIF = 0x08
)

// cleanWebP keeps pixels, transparency, animation and colour profile. No thumbnail is made of WebP: the standard library
// does not read it.
func (f *File) cleanWebP() error {
	in := f.Bytes
	all := 8 + int64(binary.LittleEndian.Uint32(in[4:]))
	if all > int64(len(in)) {
		return &RefusedError{Damaged}
	}
	in = in[:all]
	out := append(make([]byte, 0, len(in)), in[:12]...)
	pixels := false
	for at := int64(12); at < all; {
		if at+8 > all {
			return &RefusedError{Damaged}
		}
		n := int64(binary.LittleEndian.Uint32(in[at+4:]))
		end := at + 8 + n
		if end > all {
			return &RefusedError{Damaged}
		}
		name, body := string(in[at:at+4]), in[at+8:end]
		from := len(out)
		switch name {
		case "VP8X", "VP8 ", "VP8L", "ALPH", "ANIM", "ANMF", "ICCP":
			out = append(out, in[at:end]...)
			if n%2 == 1 {
				out = append(out, 0)
			}
		}
		at = end + n%2
		w, h := 0, 0
		switch {
		case name == "VP8X" && n >= 10:
			out[from+8] &^= vp8xXMP | vp8xEXIF
			w, h = 1+int(body[4])+int(body[5])<<8+int(body[6])<<16, 1+int(body[7])+int(body[8])<<8+int(body[9])<<16
		case name == "VP8 " && n >= 10:
			pixels = true
			w, h = int(binary.LittleEndian.Uint16(body[6:])&0x3fff), int(binary.LittleEndian.Uint16(body[8:])&0x3fff)
		case name == "VP8L" && n >= 5:
			pixels = true
			v := binary.LittleEndian.Uint32(body[1:])
			w, h = 1+int(v&0x3fff), 1+int(v>>14&0x3fff)
		case name == "ANMF":
			pixels = true
			continue
		case name == "VP8X" || name == "VP8 " || name == "VP8L":
			return &RefusedError{Damaged}
		default:
			continue
		}
		if f.Width == 0 { // what comes first says it for the whole
			if err := f.sized(w, h); err != nil {
				return err
			}
		}
	}
	if !pixels || f.Width == 0 {
		return &RefusedError{Damaged}
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	f.Bytes = out
	return nil
}
