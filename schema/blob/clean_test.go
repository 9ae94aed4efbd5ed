package blob

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"runtime"
	"testing"

	"branchline/schema"
)

const canary = "31.2304N 121.4737E Wang"

// quarters is a picture whose corners differ: red, green, blue, white, from the upper left clockwise.
func quarters(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := [][]color.RGBA{{{255, 0, 0, 255}, {0, 255, 0, 255}}, {{255, 255, 255, 255}, {0, 0, 255, 255}}}[2*y/h][2*x/w]
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func jpegOf(t testing.TB, img image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(t testing.TB, img image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// exif is one as a phone writes it: which way up, then things nobody is to know.
func exif(turn int, order binary.AppendByteOrder) []byte {
	b := bytes.Clone(exifHead)
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		b = append(b, "II*\x00"...)
	} else {
		b = append(b, "MM\x00*"...)
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	entry := func(tag, typ uint16, count, value uint32) {
		b = order.AppendUint16(order.AppendUint16(b, tag), typ)
		b = order.AppendUint32(b, count)
		if typ == 3 {
			b = append(order.AppendUint16(b, uint16(value)), 0, 0)
		} else {
			b = order.AppendUint32(b, value)
		}
	}
	entry(0x0112, 3, 1, uint32(turn))
	entry(0x8825, 4, 1, 38) // GPS
	b = order.AppendUint32(b, 0)
	return append(b, canary...)
}

// photo is a JPEG as a phone makes it.
func photo(t testing.TB, img image.Image, turn int) []byte {
	plain := jpegOf(t, img)
	b := segment([]byte{0xff, mSOI}, mAPP1, exif(turn, binary.LittleEndian))
	b = segment(b, mAPP1, []byte("http://ns.adobe.com/xap/1.0/\x00"+canary))
	b = segment(b, mAPP2, []byte("ICC_PROFILE\x00\x01\x01colours"))
	b = segment(b, mAPP2, []byte("MPF\x00"+canary))
	b = segment(b, 0xed, []byte("Photoshop 3.0\x00"+canary))
	b = segment(b, 0xfe, []byte(canary))
	b = append(b, 0xff, 0xff) // fill
	b = append(b, plain[3:]...)
	return append(append(b, "a film "+canary...), plain...)
}

func chunk(name, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, name...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func riff(chunks ...string) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WEBP")
	for i := 0; i < len(chunks); i += 2 {
		b = append(b, chunks[i]...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(chunks[i+1])))
		b = append(b, chunks[i+1]...)
		if len(chunks[i+1])%2 == 1 {
			b = append(b, 0)
		}
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

const vp8xHead = "\x3c\x00\x00\x00\x7f\x02\x00\xdf\x01\x00" // 640 × 480, all flags

func TestClean_TakesAwayWhatTellsAndNothingElse(t *testing.T) {
	img := quarters(64, 48)
	plainPNG := pngOf(t, img)
	for name, c := range map[string]struct {
		raw  []byte
		typ  string
		w, h int
	}{
		"a photo":             {photo(t, img, 1), JPEG, 64, 48},
		"a photo on its side": {photo(t, img, 6), JPEG, 48, 64},
		"a plain jpeg":        {jpegOf(t, img), JPEG, 64, 48},
		"a png":               {append(bytes.Join([][]byte{plainPNG[:33], chunk("tEXt", "Author\x00"+canary), chunk("eXIf", canary), chunk("zzZz", canary), chunk("gAMA", "\x00\x00\xb1\x8f"), plainPNG[33:]}, nil), canary...), PNG, 64, 48},
		"a webp":              {append(riff("VP8X", vp8xHead, "ICCP", "odd", "VP8L", "\x2f\x7f\xc2\x77\x00pixels", "EXIF", canary, "XMP ", canary, "zzzz", canary), canary...), WebP, 640, 480},
	} {
		f, err := Clean(c.raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f.Type != c.typ || f.Width != c.w || f.Height != c.h {
			t.Errorf("%s is a %s of %d × %d", name, f.Type, f.Width, f.Height)
		}
		if bytes.Contains(f.Bytes, []byte(canary)) {
			t.Errorf("%s still tells where and who", name)
		}
		again, err := Clean(f.Bytes)
		if err != nil || !bytes.Equal(again.Bytes, f.Bytes) || again.turn != f.turn {
			t.Errorf("%s changes when it is cleaned again: %v", name, err)
		}
		if c.typ == WebP {
			if bytes.Contains(f.Bytes, []byte("EXIF")) || f.Bytes[20]&(vp8xXMP|vp8xEXIF) != 0 || !bytes.Contains(f.Bytes, []byte("odd\x00VP8L")) {
				t.Errorf("%s: %q", name, f.Bytes)
			}
			continue
		}
		was, _, err := image.Decode(bytes.NewReader(c.raw))
		must(t, err)
		is, _, err := image.Decode(bytes.NewReader(f.Bytes))
		must(t, err)
		for y := range 48 {
			for x := range 64 {
				if was.At(x, y) != is.At(x, y) {
					t.Fatalf("%s: the pixel at %d,%d was touched", name, x, y)
				}
			}
		}
	}
	f, err := Clean(photo(t, img, 1))
	must(t, err)
	if !bytes.Contains(f.Bytes, []byte("ICC_PROFILE")) {
		t.Error("the colours are gone")
	}
	pdf := []byte("%PDF-1.7\n" + canary)
	if f, err := Clean(pdf); err != nil || f.Type != PDF || !bytes.Equal(f.Bytes, pdf) {
		t.Errorf("a PDF: %v %v", f, err)
	}
}

func TestClean_Refuses(t *testing.T) {
	photo, picture := photo(t, quarters(8, 8), 1), pngOf(t, quarters(8, 8))
	damaged := bytes.Clone(picture)
	damaged[40]++
	large := func(w, h uint32) []byte {
		b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
		return append(bytes.Clone(pngHead), chunk("IHDR", string(b)+"\x08\x02\x00\x00\x00")...)
	}
	for name, c := range map[string]struct {
		raw []byte
		why Why
	}{
		"nothing":              {nil, Empty},
		"text":                 {[]byte("hello"), WrongType},
		"a page":               {[]byte("<html><script>alert(1)</script>"), WrongType},
		"a drawing":            {[]byte("<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>"), WrongType},
		"a gif":                {[]byte("GIF89a\x01\x00\x01\x00"), WrongType},
		"a program":            {[]byte("MZ\x90\x00"), WrongType},
		"a sound":              {riff("fmt ", "x")[:8], WrongType},
		"half a photo":         {photo[:len(photo)/4], Damaged},
		"a photo without scan": {[]byte("\xff\xd8\xff\xd9\xff\xd9\xff\xd9"), Damaged},
		"a damaged png":        {damaged, Damaged},
		"half a png":           {picture[:len(picture)-20], Damaged},
		"a bomb":               {large(60000, 60000), TooMany},
		"a greater bomb":       {large(1<<31, 1<<31), TooMany},
		"a bomb of no height":  {large(60000, 0), Damaged},
		"an empty webp":        {riff("EXIF", canary), Damaged},
	} {
		f, err := Clean(c.raw)
		var no *RefusedError
		if !errors.As(err, &no) || no.Why != c.why || !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%s: %v, %v; want %s", name, f, err, c.why)
		}
	}
	if _, err := Clean(make([]byte, MaxFile+1)); !errors.Is(err, schema.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	// A head that is good and pixels that are none.
	head, err := Clean(append(append(large(40, 40), chunk("IDAT", "no pixels")...), chunk("IEND", "")...))
	must(t, err)
	if _, err := head.Thumb(); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("no pixels: %v", err)
	}
}

func TestThumb_IsUpright(t *testing.T) {
	red, green, blue, white := [3]bool{true, false, false}, [3]bool{false, true, false}, [3]bool{false, false, true}, [3]bool{true, true, true}
	// Corners from the upper left clockwise, as EXIF says they are to be seen.
	for turn, want := range [][4][3]bool{
		1: {red, green, blue, white}, 2: {green, red, white, blue}, 3: {blue, white, red, green}, 4: {white, blue, green, red},
		5: {red, white, blue, green}, 6: {white, red, green, blue}, 7: {blue, green, red, white}, 8: {green, blue, white, red},
	} {
		if turn == 0 {
			continue
		}
		f, err := Clean(photo(t, quarters(800, 400), turn))
		must(t, err)
		b, err := f.Thumb()
		must(t, err)
		img, err := jpeg.Decode(bytes.NewReader(b))
		must(t, err)
		w, h := 320, 160
		if turn >= 5 {
			w, h = h, w
		}
		if img.Bounds().Dx() != w || img.Bounds().Dy() != h {
			t.Errorf("turn %d: %v", turn, img.Bounds())
			continue
		}
		for i, p := range []image.Point{{10, 10}, {w - 10, 10}, {w - 10, h - 10}, {10, h - 10}} {
			r, g, bl, _ := img.At(p.X, p.Y).RGBA()
			if got := [3]bool{r > 0x8000, g > 0x8000, bl > 0x8000}; got != want[i] {
				t.Errorf("turn %d, corner %d: %v, want %v", turn, i, got, want[i])
			}
		}
	}
}

func TestThumb_IsSmallOfAnything(t *testing.T) {
	noisy := image.NewNRGBA(image.Rect(0, 0, 700, 700))
	copy(noisy.Pix, noise(len(noisy.Pix), 3))
	grey := image.NewGray(image.Rect(0, 0, 900, 3))
	clear := image.NewNRGBA(image.Rect(0, 0, 10, 10)) // transparent: white
	for name, raw := range map[string][]byte{
		"noise": pngOf(t, noisy), "noise in jpeg": jpegOf(t, noisy), "a grey line": pngOf(t, grey), "grey in jpeg": jpegOf(t, grey),
		"transparent": pngOf(t, clear), "one pixel": jpegOf(t, quarters(1, 1)), "odd sides": jpegOf(t, quarters(333, 331)),
	} {
		f, err := Clean(raw)
		must(t, err)
		b, err := f.Thumb()
		if err != nil || len(b) > ThumbBytes {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
			continue
		}
		img, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil || max(img.Bounds().Dx(), img.Bounds().Dy()) > ThumbSide {
			t.Errorf("%s: %v", name, err)
		}
		if r, g, bl, _ := img.At(0, 0).RGBA(); name == "transparent" && (r < 0xf000 || g < 0xf000 || bl < 0xf000) {
			t.Errorf("%s: %x %x %x", name, r, g, bl)
		}
	}
	for name, f := range map[string]*File{"a pdf": {Type: PDF}, "a webp": {Type: WebP, memory: 0}, "a greedy one": {Type: JPEG, memory: decodeMemory + 1}} {
		if _, err := f.Thumb(); !errors.Is(err, ErrNoThumb) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A photo of twelve million pixels takes no more than 100 MB, all told.
func TestThumb_OfALargePhotoTakesLittleMemory(t *testing.T) {
	img := image.NewYCbCr(image.Rect(0, 0, 4000, 3000), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = byte(i / 7)
	}
	raw := jpegOf(t, img)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f, err := Clean(raw)
	must(t, err)
	b, err := f.Thumb()
	must(t, err)
	runtime.ReadMemStats(&after)
	took := after.TotalAlloc - before.TotalAlloc
	t.Logf("a photo of %d bytes gives a thumbnail of %d and takes %d MB", len(raw), len(b), took>>20)
	if took > 100<<20 {
		t.Errorf("%d MB", took>>20)
	}
}

func FuzzClean(f *testing.F) {
	for _, b := range [][]byte{photo(f, quarters(9, 7), 6), jpegOf(f, quarters(3, 3)), pngOf(f, quarters(5, 4)), riff("VP8X", vp8xHead, "VP8 ", "0123456789", "EXIF", canary), []byte("%PDF-1"), []byte("\xff\xd8\xff\xe1\x00\x04")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		x, err := Clean(raw)
		if err != nil {
			if !errors.Is(err, schema.ErrInvalid) && !errors.Is(err, schema.ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
		if len(x.Bytes) > len(raw)+64 {
			t.Fatalf("%d bytes have become %d", len(raw), len(x.Bytes))
		}
		if x.Type != PDF && int64(x.Width)*int64(x.Height) > maxPixels {
			t.Fatalf("%d × %d", x.Width, x.Height)
		}
		again, err := Clean(x.Bytes)
		if err != nil || !bytes.Equal(again.Bytes, x.Bytes) || again.Type != x.Type || again.Width != x.Width || again.Height != x.Height {
			t.Fatalf("cleaned again it is another file: %v", err)
		}
		if x.memory > 4<<20 {
			return
		}
		if b, err := x.Thumb(); err == nil && len(b) > ThumbBytes {
			t.Fatalf("a thumbnail of %d bytes", len(b))
		}
	})
}
