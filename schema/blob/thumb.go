package blob

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
)

const (
	// ThumbSide is the longer side of a thumbnail in pixels, ThumbBytes the most it may have.
	ThumbSide  = 320
	ThumbBytes = 24 << 10
	// decodeMemory is what decoding a picture may take: a photo of 12 million pixels takes 18 MB, 90 when it is progressive.
	decodeMemory = 96 << 20
)

// ErrNoThumb says that a file is kept without a thumbnail: a PDF, a WebP, or a picture whose decoding would take too much memory.
var ErrNoThumb = errors.New("blob: no thumbnail is made of this file")

// Thumb is a small JPEG of a picture, the right way up. It takes up to 100 MB while it works: one at a time is for the
// caller to see to. ErrNoThumb; *RefusedError when the picture cannot be decoded.
func (f *File) Thumb() ([]byte, error) {
	if f.memory == 0 || f.memory > decodeMemory {
		return nil, ErrNoThumb
	}
	var img image.Image
	var err error
	switch f.Type {
	case JPEG:
		img, err = jpeg.Decode(bytes.NewReader(f.Bytes))
	case PNG:
		img, err = png.Decode(bytes.NewReader(f.Bytes))
	default:
		return nil, ErrNoThumb
	}
	var strange jpeg.UnsupportedError
	var rare png.UnsupportedError
	if errors.As(err, &strange) || errors.As(err, &rare) {
		return nil, ErrNoThumb // a good picture of a sort the library does not read
	}
	if err != nil {
		return nil, &RefusedError{Damaged}
	}
	small := upright(shrink(img), f.turn)
	var out bytes.Buffer
	for _, quality := range []int{80, 65, 50, 35, 20, 5} {
		out.Reset()
		if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: quality}); err != nil {
			return nil, err
		}
		if out.Len() <= ThumbBytes {
			break
		}
	}
	return out.Bytes(), nil
}

// shrink scales a picture down by the mean of what falls into each pixel. A small one stays as large as it is.
func shrink(img image.Image) *image.RGBA {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if long := max(w, h); long > ThumbSide {
		w, h = max(1, w*ThumbSide/long), max(1, h*ThumbSide/long)
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	switch x := img.(type) {
	case *image.YCbCr:
		c := x.Bounds()
		cw, ch := chroma(c.Dx(), x.SubsampleRatio, true), chroma(c.Dy(), x.SubsampleRatio, false)
		at := x.COffset(c.Min.X, c.Min.Y)
		luma := plane(x.Y[x.YOffset(c.Min.X, c.Min.Y):], x.YStride, c.Dx(), c.Dy(), w, h)
		cb, cr := plane(x.Cb[at:], x.CStride, cw, ch, w, h), plane(x.Cr[at:], x.CStride, cw, ch, w, h)
		for i := range luma {
			r, g, b := color.YCbCrToRGB(luma[i], cb[i], cr[i])
			out.Pix[4*i], out.Pix[4*i+1], out.Pix[4*i+2], out.Pix[4*i+3] = r, g, b, 255
		}
	case *image.Gray:
		for i, v := range plane(x.Pix, x.Stride, b.Dx(), b.Dy(), w, h) {
			out.Pix[4*i], out.Pix[4*i+1], out.Pix[4*i+2], out.Pix[4*i+3] = v, v, v, 255
		}
	default:
		mean(img, out)
	}
	return out
}

// chroma is the number of chroma values along a side.
func chroma(n int, r image.YCbCrSubsampleRatio, across bool) int {
	by := 1
	switch r {
	case image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420:
		by = 2
	case image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410:
		by = 4
	}
	if !across {
		by = 1
		switch r {
		case image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio410:
			by = 2
		}
	}
	return (n + by - 1) / by
}

// plane scales one plane of a picture, up or down.
func plane(pix []byte, stride, w, h, dw, dh int) []byte {
	out := make([]byte, dw*dh)
	for y := range dh {
		y0 := y * h / dh
		y1 := max(y0+1, (y+1)*h/dh)
		for x := range dw {
			x0 := x * w / dw
			x1 := max(x0+1, (x+1)*w/dw)
			sum := 0
			for sy := y0; sy < y1; sy++ {
				for _, v := range pix[sy*stride+x0 : sy*stride+x1] {
					sum += int(v)
				}
			}
			out[y*dw+x] = byte(sum / ((y1 - y0) * (x1 - x0)))
		}
	}
	return out
}

// mean scales any picture, on white where it is transparent.
func mean(img image.Image, out *image.RGBA) {
	b := img.Bounds()
	dw, dh := out.Rect.Dx(), out.Rect.Dy()
	for y := range dh {
		y0 := y * b.Dy() / dh
		y1 := max(y0+1, (y+1)*b.Dy()/dh)
		for x := range dw {
			x0 := x * b.Dx() / dw
			x1 := max(x0+1, (x+1)*b.Dx()/dw)
			var r, g, bl, n uint64
			for sy := y0; sy < y1; sy++ {
				for sx := x0; sx < x1; sx++ {
					cr, cg, cb, ca := img.At(b.Min.X+sx, b.Min.Y+sy).RGBA()
					white := uint64(0xffff - ca)
					r, g, bl, n = r+uint64(cr)+white, g+uint64(cg)+white, bl+uint64(cb)+white, n+1
				}
			}
			i := 4 * (y*dw + x)
			out.Pix[i], out.Pix[i+1], out.Pix[i+2], out.Pix[i+3] = byte(r/n>>8), byte(g/n>>8), byte(bl/n>>8), 255
		}
	}
}

// upright turns a picture as EXIF's orientation says.
func upright(img *image.RGBA, turn int) *image.RGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if turn < 2 || turn > 8 {
		return img
	}
	ow, oh := w, h
	if turn >= 5 {
		ow, oh = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, ow, oh))
	for y := range oh {
		for x := range ow {
			sx, sy := x, y
			switch turn {
			case 2:
				sx = w - 1 - x
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sy = h - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			copy(out.Pix[out.PixOffset(x, y):], img.Pix[img.PixOffset(sx, sy):img.PixOffset(sx, sy)+4])
		}
	}
	return out
}
