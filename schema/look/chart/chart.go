// Package chart draws the few charts the pages need as SVG, on the server: bars, grouped and stacked columns, lines and
// a sparkline. Each has a title and role=img, and gives its figures as a Table to stand beside it: nobody has to read a
// figure off a picture.
//
// A value that is not complete yet (a branch not heard from) is drawn hatched or hollow and written "at least". Series
// differ by pattern or stroke, not by colour alone. The drawings use classes and presentation attributes only, and the
// patterns m-open and m-dots, which the frame of look puts on every page. Whole numbers in, no floating point: the same
// values give the same bytes.
package chart

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Style writes numbers. A nil Number writes plain digits, a nil AtLeast puts "≥ " before.
type Style struct {
	Number  func(int64) string
	AtLeast func(string) string
}

func (s Style) number(n int64) string {
	if s.Number == nil {
		return strconv.FormatInt(n, 10)
	}
	return s.Number(n)
}

func (s Style) say(v Value) string {
	switch {
	case v.None:
		return "—"
	case !v.Open:
		return s.number(v.N)
	case s.AtLeast == nil:
		return "≥ " + s.number(v.N)
	default:
		return s.AtLeast(s.number(v.N))
	}
}

// Value is one figure. Open says that it will still grow; None that there is no figure.
type Value struct {
	N    int64
	Open bool
	None bool
}

// Series is one named run of values, one for each label of its chart; missing ones at the end are None.
type Series struct {
	Name   string
	Values []Value
}

func (s Series) at(i int) Value {
	if i < len(s.Values) {
		return s.Values[i]
	}
	return Value{None: true}
}

// Table is a chart's figures in words, for the part "chart-table".
type Table struct {
	Caption string
	Head    []string
	Rows    []TableRow
}

// TableRow is a label and a cell for each further head. Sum marks the row of totals.
type TableRow struct {
	Label string
	Cells []string
	Sum   bool
}

const (
	// Half and Side are widths of a drawing, in units of about a pixel where it stands: half a page, a side column.
	Half = 530
	Side = 330

	gap = 7 // between a mark and its number
)

func orHalf(width int) int {
	if width <= 0 {
		return Half
	}
	return width
}

// textWidth is how wide a text may become, in the size it has on a phone (17 units): nothing may overlap there.
func textWidth(s string) int {
	w := 0
	for _, r := range s {
		if r < 0x2000 {
			w += 10
		} else {
			w += 17
		}
	}
	return w
}

func clip(s string, limit int) string {
	if textWidth(s) <= limit {
		return s
	}
	for s != "" && textWidth(s) > limit-17 {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s + "…"
}

// scale maps values to a length. It always holds zero, and its ends are ticks.
type scale struct{ lo, hi, step int64 }

// newScale takes steps of 1, 2 or 5 times a power of ten, at most six of them on each side of zero.
func newScale(lo, hi int64) scale {
	lo, hi = min(lo, 0), max(hi, 0)
	if lo == 0 && hi == 0 {
		hi = 1
	}
	step := int64(1)
	for i := 0; (hi-lo)/step > 5; i++ {
		if i%3 == 1 {
			step = step / 2 * 5
		} else {
			step *= 2
		}
	}
	up := func(n int64) int64 { return (n + step - 1) / step * step }
	return scale{lo: -up(-lo), hi: up(hi), step: step}
}

func (s scale) pos(v int64, length int) int {
	// In the order of magnitude of money the product stays far below 2^63: 10^15 times 530.
	return int((v - s.lo) * int64(length) / (s.hi - s.lo))
}

func (s scale) ticks() []int64 {
	var t []int64
	for v := s.lo; v <= s.hi; v += s.step {
		t = append(t, v)
	}
	return t
}

type drawing struct{ strings.Builder }

func (d *drawing) open(title string, width, height int) {
	fmt.Fprintf(d, `<svg class="chart far" viewBox="0 0 %d %d" role="img" aria-label="%s"><title>%s</title>`,
		width, height, esc(title), esc(title))
}

func (d *drawing) text(class, anchor string, x, y int, s string) {
	if anchor != "" {
		anchor = ` text-anchor="` + anchor + `"`
	}
	fmt.Fprintf(d, `<text class="%s" x="%d" y="%d"%s>%s</text>`, class, x, y, anchor, esc(s))
}

// block draws one bar: the fill of its series, or the hatch when the value is still open.
func (d *drawing) block(class string, open bool, x, y, w, h int) {
	if w <= 0 || h <= 0 {
		return
	}
	if open {
		fmt.Fprintf(d, `<rect class="open" x="%d" y="%d" width="%d" height="%d"/><rect class="lid" x="%d" y="%d" width="%d" height="%d"/>`,
			x, y, w, h, x, y, w, h)
		return
	}
	fmt.Fprintf(d, `<rect class="%s" x="%d" y="%d" width="%d" height="%d"/>`, class, x, y, w, h)
}

func (d *drawing) close() template.HTML {
	d.WriteString("</svg>")
	return template.HTML(d.String())
}

func esc(s string) string { return template.HTMLEscapeString(s) }

// seriesClass is the fill of the nth series; there are four that can be told apart on paper.
func seriesClass(n int) string { return "s" + strconv.Itoa(n%4+1) }

// table is the figures of labels against series.
func table(title, first string, labels []string, series []Series, st Style) Table {
	t := Table{Caption: title, Head: []string{first}}
	for _, s := range series {
		t.Head = append(t.Head, s.Name)
	}
	for i, label := range labels {
		row := TableRow{Label: label}
		for _, s := range series {
			row.Cells = append(row.Cells, st.say(s.at(i)))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
