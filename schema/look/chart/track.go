package chart

import (
	"fmt"
	"html/template"
	"strings"
)

// Track is readings over time: a line through those that fit each other, filled where they are this site's own, hollow
// where another site's, and a cross for one that cannot be. Unlike Lines, its points stand where their time is.
type Track struct {
	Title  string
	First  string // head of the label column in the table
	Value  string // head of the value column
	Remark string // head of the remark column
	Points []TrackPoint
	// The words of the key, and of a reading that cannot be.
	Own, Other, Odd string
	Width           int // 0 is Side
	Style           Style
}

// TrackPoint is one reading. At is its place on the axis, in any unit; points come in its order.
type TrackPoint struct {
	Label string
	At    int64
	N     int64
	Own   bool
	Odd   bool
	Note  string // in the table
}

// SVG draws the readings. The scale is that of the readings that fit: one that cannot be stands at the edge, with its
// number.
func (t Track) SVG() template.HTML {
	width := t.Width
	if width <= 0 {
		width = Side
	}
	var hi int64
	for _, p := range t.Points {
		if !p.Odd {
			hi = max(hi, p.N)
		}
	}
	sc := newScale(0, hi)
	g := grid{left: 20, top: plotTop, sc: sc}
	for _, v := range sc.ticks() {
		g.left = max(g.left, textWidth(t.Style.number(v))+gap)
	}
	g.left = min(g.left, width/3)
	g.plot = width - g.left - 2*gap
	var d drawing
	keyTop := g.top + plotHeight + 34
	d.open(t.Title, width, keyTop+t.keyHeight(width))
	for _, v := range sc.ticks() {
		class := "ax"
		if v == 0 {
			class = "ax0"
		}
		fmt.Fprintf(&d, `<path class="%s" d="M%d %dH%d"/>`, class, g.left, g.y(v), g.left+g.plot)
		d.text("tx-q", "end", g.left-gap, g.y(v)+4, t.Style.number(v))
	}
	if n := len(t.Points); n > 0 {
		d.text("tx-q", "start", g.left, g.top+plotHeight+18, t.Points[0].Label)
		if last := t.Points[n-1].Label; last != t.Points[0].Label {
			d.text("tx-q", "end", g.left+g.plot, g.top+plotHeight+18, last)
		}
	}
	var line []string
	var dots, odd drawing
	for _, p := range t.Points {
		x := g.left + t.place(p.At, g.plot)
		if p.Odd {
			y := g.y(min(max(p.N, sc.lo), sc.hi))
			oddMark(&odd, x, y)
			anchor, at := "end", x-gap-2
			if x-g.left < g.plot/2 {
				anchor, at = "start", x+gap+2
			}
			odd.text("tx-b", anchor, at, y+4, t.Style.number(p.N))
			continue
		}
		class := "sis"
		if p.Own {
			class = "own"
		}
		line = append(line, fmt.Sprintf("%d,%d", x, g.y(p.N)))
		fmt.Fprintf(&dots, `<circle class="%s" cx="%d" cy="%d" r="4"/>`, class, x, g.y(p.N))
	}
	if len(line) > 1 {
		fmt.Fprintf(&d, `<polyline class="pl" points="%s"/>`, strings.Join(line, " "))
	}
	d.WriteString(dots.String())
	d.WriteString(odd.String())
	t.key(&d, width, keyTop)
	return d.close()
}

func oddMark(d *drawing, x, y int) {
	fmt.Fprintf(d, `<path class="imp" d="m%d %d 10 10m0-10-10 10"/>`, x-5, y-5)
}

// place is where on the axis an At stands; a single one stands in the middle.
func (t Track) place(at int64, length int) int {
	from, to := t.Points[0].At, t.Points[len(t.Points)-1].At
	if to <= from {
		return length / 2
	}
	return int((at - from) * int64(length) / (to - from))
}

func (t Track) words() [3]string { return [3]string{t.Own, t.Other, t.Odd} }

// key explains the three marks, in as many rows as it needs.
func (t Track) key(d *drawing, width, top int) {
	x, y := 4, top+8
	for i, word := range t.words() {
		if word == "" {
			continue // headquarters has no readings of its own
		}
		w := 14 + textWidth(word) + 2*gap
		if x > 4 && x+w > width {
			x, y = 4, y+22
		}
		switch i {
		case 0:
			fmt.Fprintf(d, `<circle class="own" cx="%d" cy="%d" r="4"/>`, x+5, y)
		case 1:
			fmt.Fprintf(d, `<circle class="sis" cx="%d" cy="%d" r="4"/>`, x+5, y)
		case 2:
			oddMark(d, x+5, y)
		}
		d.text("tx", "", x+14, y+4, word)
		x += w
	}
}

func (t Track) keyHeight(width int) int {
	x, rows := 4, 1
	for _, word := range t.words() {
		if word == "" {
			continue
		}
		w := 14 + textWidth(word) + 2*gap
		if x > 4 && x+w > width {
			x, rows = 4, rows+1
		}
		x += w
	}
	return rows*22 + 2
}

// Table is the readings, newest first, with a remark where there is one.
func (t Track) Table() Table {
	out := Table{Caption: t.Title, Head: []string{t.First, t.Value, t.Remark}}
	for i := len(t.Points) - 1; i >= 0; i-- {
		p := t.Points[i]
		note := p.Note
		if p.Odd {
			note = strings.TrimPrefix(note+" · "+t.Odd, " · ")
		}
		out.Rows = append(out.Rows, TableRow{Label: p.Label, Cells: []string{t.Style.number(p.N), note}})
	}
	return out
}
