// Package code draws what a scanner reads: a Code 128 of a number for the workshop's paper, a QR of a text for a
// customer's phone.
//
// A drawing is the d of one SVG path in whole modules, the quiet zone the scanner needs included; who shows it puts it
// into a viewBox of its size and fills it black on white, whatever the theme. The same text gives the same path. What a
// reader at the counter would not get off paper or screen is refused.
package code

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/boombuler/barcode/code128"
	"github.com/boombuler/barcode/qr"

	"branchline/schema"
)

const (
	// MaxBars is the longest text of a Code 128, in characters: as many as a hand scanner reads off the width of a sheet.
	MaxBars = 40
	// MaxDots is the longest text of a QR, in bytes: a phone still tells its modules apart at 5 cm.
	MaxDots = 600

	quietBars = 10 // modules on either side of a Code 128
	quietDots = 4  // modules around a QR
)

// Bars is a Code 128. The zero value is none.
type Bars struct{ on []bool }

// Code128 encodes printable ASCII; ErrInvalid for anything else, for none and for more than MaxBars characters.
func Code128(text string) (Bars, error) {
	if text == "" || len(text) > MaxBars {
		return Bars{}, schema.Invalid("text", "a bar code holds 1 to %d characters", MaxBars)
	}
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return Bars{}, schema.Invalid("text", "a bar code holds letters, digits and signs of ASCII only")
		}
	}
	img, err := code128.Encode(text)
	if err != nil {
		// The library's own words hold the text, which may be a person's.
		return Bars{}, errors.New("code: the text has no Code 128")
	}
	on := make([]bool, img.Bounds().Dx())
	for x := range on {
		on[x] = dark(img, x, 0)
	}
	return Bars{on}, nil
}

// Width is in modules, with the quiet zones; 0 of the zero value.
func (b Bars) Width() int {
	if len(b.on) == 0 {
		return 0
	}
	return len(b.on) + 2*quietBars
}

// Path draws the bars height modules high.
func (b Bars) Path(height int) string {
	var d strings.Builder
	for x := 0; x < len(b.on); {
		n := run(b.on[x:])
		if b.on[x] {
			fmt.Fprintf(&d, "M%d 0v%dh%dV0Z", quietBars+x, height, n)
		}
		x += n
	}
	return d.String()
}

// Dots is a QR. The zero value is none.
type Dots struct{ rows [][]bool }

// QR encodes UTF-8, so that a seventh of the picture may be unreadable (level M). ErrInvalid for what is no UTF-8, for
// none and for more than MaxDots bytes.
func QR(text string) (Dots, error) {
	if text == "" || len(text) > MaxDots {
		return Dots{}, schema.Invalid("text", "a QR holds 1 to %d bytes", MaxDots)
	}
	if !utf8.ValidString(text) {
		return Dots{}, schema.Invalid("text", "a QR holds UTF-8")
	}
	img, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return Dots{}, errors.New("code: the text has no QR")
	}
	rows := make([][]bool, img.Bounds().Dy())
	for y := range rows {
		rows[y] = make([]bool, img.Bounds().Dx())
		for x := range rows[y] {
			rows[y][x] = dark(img, x, y)
		}
	}
	return Dots{rows}, nil
}

// Size is the length of a side in modules, with the quiet zone; 0 of the zero value.
func (q Dots) Size() int {
	if len(q.rows) == 0 {
		return 0
	}
	return len(q.rows) + 2*quietDots
}

// Path draws the dots, those of one row that touch as one.
func (q Dots) Path() string {
	var d strings.Builder
	for y, row := range q.rows {
		for x := 0; x < len(row); {
			n := run(row[x:])
			if row[x] {
				w := strconv.Itoa(n)
				fmt.Fprintf(&d, "M%d %dh%sv1h-%sz", quietDots+x, quietDots+y, w, w)
			}
			x += n
		}
	}
	return d.String()
}

// run is how many of the first are alike.
func run(on []bool) int {
	n := 1
	for n < len(on) && on[n] == on[0] {
		n++
	}
	return n
}

func dark(img image.Image, x, y int) bool {
	return color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y < 128
}
