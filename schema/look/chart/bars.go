package chart

import (
	"fmt"
	"html/template"
)

// Bars are lying bars, one a label: figures of branches side by side.
type Bars struct {
	Title string
	First string // head of the label column in the table
	Unit  string // head of the figures in the table
	Rows  []Row
	Width int // 0 is Half
	Style Style
}

// Row is one bar.
type Row struct {
	Label string
	Value
}

// SVG draws the bars in their order.
func (b Bars) SVG() template.HTML {
	const rowHeight, thick, top = 39, 17, 18
	width := orHalf(b.Width)
	left, right := 40, 40
	var lo, hi int64
	for _, r := range b.Rows {
		left = max(left, textWidth(r.Label)+gap)
		right = max(right, textWidth(b.Style.say(r.Value))+2*gap)
		if !r.None {
			lo, hi = min(lo, r.N), max(hi, r.N)
		}
	}
	left = min(left, width/3)
	right = min(right, width/3)
	plot := width - left - right
	sc := newScale(lo, hi)
	bottom := top + rowHeight*len(b.Rows)
	var d drawing
	d.open(b.Title, width, bottom+24)
	last := -1
	for _, v := range sc.ticks() {
		x := left + sc.pos(v, plot)
		class := "ax"
		if v == 0 {
			class = "ax0"
		}
		fmt.Fprintf(&d, `<path class="%s" d="M%d %dV%d"/>`, class, x, top-10, bottom)
		say := b.Style.number(v)
		if half := textWidth(say) / 2; (last < 0 || x-half > last) && x+half <= width {
			d.text("tx-q", "middle", x, bottom+16, say)
			last = x + half
		}
	}
	zero := left + sc.pos(0, plot)
	for i, r := range b.Rows {
		y := top + i*rowHeight
		d.text("tx-k s-lab", "", 0, y+13, clip(r.Label, left-gap))
		end := zero
		if !r.None {
			end = left + sc.pos(r.N, plot)
			d.block("fill", r.Open, min(zero, end), y, max(end-zero, zero-end), thick)
		}
		d.text("tx-k", "", max(end, zero)+gap, y+13, b.Style.say(r.Value))
	}
	return d.close()
}

// Table is the figures.
func (b Bars) Table() Table {
	t := Table{Caption: b.Title, Head: []string{b.First, b.Unit}}
	for _, r := range b.Rows {
		t.Rows = append(t.Rows, TableRow{Label: r.Label, Cells: []string{b.Style.say(r.Value)}})
	}
	return t
}
