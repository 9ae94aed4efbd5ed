package chart

import (
	"fmt"
	"html/template"
	"strings"
)

// Columns are standing bars, one group a label (months): side by side, or Stacked on each other.
type Columns struct {
	Title   string
	First   string // head of the label column in the table
	Labels  []string
	Series  []Series
	Stacked bool
	Width   int // 0 is Half
	Style   Style
}

const (
	plotTop    = 12
	plotHeight = 220
)

// SVG draws the columns, with a key above when there is more than one series.
func (c Columns) SVG() template.HTML {
	lo, hi := c.extent()
	sc := newScale(lo, hi)
	var d drawing
	g := startGrid(&d, c.Title, orHalf(c.Width), c.Labels, c.Series, sc, c.Style, func(d *drawing, i, x, y int) {
		d.block(seriesClass(i), false, x, y, 14, 14)
	})
	slot := g.plot / max(len(c.Labels), 1)
	inner := max(slot*7/10, 1)
	for i := range c.Labels {
		x := g.left + i*g.plot/max(len(c.Labels), 1) + (slot-inner)/2
		if c.Stacked {
			c.stack(&d, g, i, x, inner)
			continue
		}
		thick := max(inner/max(len(c.Series), 1), 1)
		for j, s := range c.Series {
			if v := s.at(i); !v.None {
				g.column(&d, seriesClass(j), v.Open, x+j*thick, max(thick-1, 1), 0, v.N)
			}
		}
	}
	return d.close()
}

func (c Columns) stack(d *drawing, g grid, i, x, thick int) {
	var up, down int64
	for j, s := range c.Series {
		v := s.at(i)
		switch {
		case v.None:
		case v.N < 0:
			g.column(d, seriesClass(j), v.Open, x, thick, down, down+v.N)
			down += v.N
		default:
			g.column(d, seriesClass(j), v.Open, x, thick, up, up+v.N)
			up += v.N
		}
	}
}

func (c Columns) extent() (lo, hi int64) {
	for i := range c.Labels {
		var up, down int64
		for _, s := range c.Series {
			v := s.at(i)
			if v.None {
				continue
			}
			lo, hi = min(lo, v.N), max(hi, v.N)
			up, down = up+max(v.N, 0), down+min(v.N, 0)
		}
		if c.Stacked {
			lo, hi = min(lo, down), max(hi, up)
		}
	}
	return lo, hi
}

// Table is the figures.
func (c Columns) Table() Table { return table(c.Title, c.First, c.Labels, c.Series, c.Style) }

// grid is the frame that standing charts share: key, axis, ticks, labels.
type grid struct {
	left, top, plot int
	sc              scale
}

func (g grid) y(v int64) int { return g.top + plotHeight - g.sc.pos(v, plotHeight) }

func (g grid) column(d *drawing, class string, open bool, x, w int, from, to int64) {
	a, b := g.y(from), g.y(to)
	d.block(class, open, x, min(a, b), w, max(a-b, b-a))
}

func startGrid(d *drawing, title string, width int, labels []string, series []Series, sc scale, st Style,
	sample func(d *drawing, i, x, y int),
) grid {
	g := grid{left: 20, top: plotTop, sc: sc}
	var key drawing
	if len(series) > 1 {
		x, y := 0, 2
		for i, s := range series {
			w := 14 + gap + textWidth(s.Name) + 2*gap
			if x > 0 && x+w > width {
				x, y = 0, y+24
			}
			sample(&key, i, x, y)
			key.text("tx", "", x+14+gap, y+12, s.Name)
			x += w
		}
		g.top += y + 24
	}
	for _, v := range sc.ticks() {
		g.left = max(g.left, textWidth(st.number(v))+gap)
	}
	g.left = min(g.left, width/3)
	g.plot = width - g.left - gap
	d.open(title, width, g.top+plotHeight+26)
	d.WriteString(key.String())
	for _, v := range sc.ticks() {
		class := "ax"
		if v == 0 {
			class = "ax0"
		}
		fmt.Fprintf(d, `<path class="%s" d="M%d %dH%d"/>`, class, g.left, g.y(v), g.left+g.plot)
		d.text("tx-q", "end", g.left-gap, g.y(v)+4, st.number(v))
	}
	last := 0
	for i, label := range labels {
		x := g.left + (2*i+1)*g.plot/(2*len(labels))
		half := textWidth(label) / 2
		if x-half < last || x+half > width {
			continue // the table beside has every label
		}
		d.text("tx-q", "middle", x, g.top+plotHeight+18, label)
		last = x + half + gap
	}
	return g
}

// Lines are values over time, a line a series; a missing value breaks the line, an open one is hollow.
type Lines struct {
	Title  string
	First  string // head of the label column in the table
	Labels []string
	Series []Series
	Width  int // 0 is Half
	Style  Style
}

func lineClass(n int) string { return [...]string{"pl", "pl2", "pl3"}[n%3] }

// SVG draws the lines, with a key above when there is more than one.
func (l Lines) SVG() template.HTML {
	var lo, hi int64
	for _, s := range l.Series {
		for i := range l.Labels {
			if v := s.at(i); !v.None {
				lo, hi = min(lo, v.N), max(hi, v.N)
			}
		}
	}
	sc := newScale(lo, hi)
	var d drawing
	g := startGrid(&d, l.Title, orHalf(l.Width), l.Labels, l.Series, sc, l.Style, func(d *drawing, i, x, y int) {
		fmt.Fprintf(d, `<path class="%s" d="M%d %dh14"/>`, lineClass(i), x, y+7)
	})
	for j, s := range l.Series {
		var dots drawing
		var points []string
		flush := func() {
			if len(points) > 1 {
				fmt.Fprintf(&d, `<polyline class="%s" points="%s"/>`, lineClass(j), strings.Join(points, " "))
			}
			points = nil
		}
		for i := range l.Labels {
			v := s.at(i)
			if v.None {
				flush()
				continue
			}
			x, y := g.left+(2*i+1)*g.plot/(2*len(l.Labels)), g.y(v.N)
			points = append(points, fmt.Sprintf("%d,%d", x, y))
			class := "own"
			if v.Open {
				class = "sis"
			}
			fmt.Fprintf(&dots, `<circle class="%s" cx="%d" cy="%d" r="3"/>`, class, x, y)
		}
		flush()
		d.WriteString(dots.String())
	}
	return d.close()
}

// Table is the figures.
func (l Lines) Table() Table { return table(l.Title, l.First, l.Labels, l.Series, l.Style) }

// Spark is a line the size of a word, for a table row. Its title says what it shows; the row has the figures.
type Spark struct {
	Title  string
	Values []Value
}

// SVG draws the line from the lowest value to the highest, with a dot at the last, hollow when that is open.
func (s Spark) SVG() template.HTML {
	const w, h, pad = 96, 22, 3
	var lo, hi int64
	known := 0
	for _, v := range s.Values {
		if v.None {
			continue
		}
		if known == 0 {
			lo, hi = v.N, v.N
		}
		lo, hi = min(lo, v.N), max(hi, v.N)
		known++
	}
	var d drawing
	fmt.Fprintf(&d, `<svg class="spark" viewBox="0 0 %d %d" role="img" aria-label="%s"><title>%s</title>`, w, h, esc(s.Title), esc(s.Title))
	var points []string
	flush := func() {
		if len(points) > 1 {
			fmt.Fprintf(&d, `<polyline class="pl" points="%s"/>`, strings.Join(points, " "))
		}
		points = nil
	}
	dot := ""
	for i, v := range s.Values {
		if v.None {
			flush()
			continue
		}
		x, y := pad+i*(w-2*pad)/max(len(s.Values)-1, 1), h/2
		if hi > lo {
			y = h - pad - int((v.N-lo)*(h-2*pad)/(hi-lo))
		}
		points = append(points, fmt.Sprintf("%d,%d", x, y))
		class := "dot"
		if v.Open {
			class = "dot open"
		}
		dot = fmt.Sprintf(`<circle class="%s" cx="%d" cy="%d" r="2.4"/>`, class, x, y)
	}
	flush()
	d.WriteString(dot)
	return d.close()
}
