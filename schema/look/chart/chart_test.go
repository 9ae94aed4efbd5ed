package chart_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"branchline/schema/look/chart"
)

var update = flag.Bool("update", false, "write the golden files anew")

func vals(ns ...int64) []chart.Value {
	var v []chart.Value
	for _, n := range ns {
		v = append(v, chart.Value{N: n})
	}
	return v
}

func open(v []chart.Value, i int) []chart.Value { v[i].Open = true; return v }

func style() chart.Style {
	return chart.Style{AtLeast: func(s string) string { return s + " 起" }}
}

func TestGolden(t *testing.T) {
	months := []string{"2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11"}
	two := []chart.Series{
		{Name: "客户付", Values: open(vals(410, 388, 451, 296, 274, 251), 5)},
		{Name: "保险付 <&>", Values: open(vals(120, 90, 133, 71, 60, 58), 5)},
	}
	gapped := []chart.Series{
		{Name: "浦东店", Values: []chart.Value{{N: 7}, {N: 9}, {None: true}, {N: 4}, {N: 6}, {N: 8, Open: true}}},
		{Name: "虹桥店", Values: vals(3, 2, 5, 6, 1)},
	}
	for name, svg := range map[string]template.HTML{
		"bars": chart.Bars{Title: "进店量", Style: style(), Rows: []chart.Row{
			{"浦东店", chart.Value{N: 412}},
			{"苏州园区店", chart.Value{N: 351}},
			{"松江店", chart.Value{N: 296, Open: true}},
			{"南通店", chart.Value{None: true}},
		}}.SVG(),
		"bars-negative": chart.Bars{Title: "Change", Rows: []chart.Row{{"a", chart.Value{N: -30}}, {"b", chart.Value{N: 55}}}}.SVG(),
		"bars-empty":    chart.Bars{Title: "Nothing"}.SVG(),
		"grouped":       chart.Columns{Title: "营业额", Labels: months, Series: two, Style: style()}.SVG(),
		"stacked":       chart.Columns{Title: "营业额", Labels: months, Series: two, Stacked: true, Style: style()}.SVG(),
		"lines":         chart.Lines{Title: "留存", Labels: months, Series: gapped}.SVG(),
		"spark":         chart.Spark{Title: "近六个月", Values: open(vals(3, 5, 4, 9, 7, 8), 5)}.SVG(),
	} {
		t.Run(name, func(t *testing.T) {
			checkSVG(t, svg)
			file := filepath.Join("testdata", name+".svg")
			if *update {
				if err := os.WriteFile(file, []byte(svg+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(svg) + "\n"; got != string(want) {
				t.Errorf("drawing changed; look at it, then run with -update\n got %s\nwant %s", got, want)
			}
		})
	}
}

// checkSVG holds what the page's policy and a reader's ears need of any drawing.
func checkSVG(t testing.TB, svg template.HTML) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	first, titled := true, false
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, svg)
		}
		el, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		attrs := map[string]string{}
		for _, a := range el.Attr {
			attrs[a.Name.Local] = a.Value
		}
		if attrs["style"] != "" || attrs["id"] != "" {
			t.Fatalf("<%s> has a style or an id: %v", el.Name.Local, attrs)
		}
		if first && (attrs["role"] != "img" || attrs["aria-label"] == "") {
			t.Fatalf("no role and label: %v", attrs)
		}
		titled = titled || el.Name.Local == "title"
		first = false
	}
	if !titled {
		t.Fatal("no title")
	}
}

var rect = regexp.MustCompile(`<rect class="[^"]*" x="(-?\d+)" y="(-?\d+)" width="(-?\d+)" height="(-?\d+)"`)

// Whatever the values, no bar leaves the drawing and a larger value is never shorter.
func TestBars_StayInsideAndKeepOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.SliceOfN(rapid.Int64Range(0, 1e15), 1, 12).Draw(t, "values")
		var rows []chart.Row
		for i, n := range ns {
			rows = append(rows, chart.Row{Label: strconv.Itoa(i), Value: chart.Value{N: n}})
		}
		svg := string(chart.Bars{Title: "x", Rows: rows}.SVG())
		byY := map[string]int{}
		for _, m := range rect.FindAllStringSubmatch(svg, -1) {
			x, _ := strconv.Atoi(m[1])
			w, _ := strconv.Atoi(m[3])
			if x < 0 || w < 0 || x+w > 530 {
				t.Fatalf("bar leaves the drawing: %v", m)
			}
			byY[m[2]] = w
		}
		at := func(i int) int { return byY[strconv.Itoa(18+39*i)] }
		for i := range ns {
			for j := range ns {
				if ns[i] > ns[j] && at(i) < at(j) {
					t.Fatalf("%d is drawn shorter than %d", ns[i], ns[j])
				}
			}
		}
	})
}

func TestColumns_NeverBreak(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Custom(func(t *rapid.T) chart.Value {
			return chart.Value{
				N: rapid.Int64Range(-1e12, 1e15).Draw(t, "n"), Open: rapid.Bool().Draw(t, "open"),
				None: rapid.Bool().Draw(t, "none"),
			}
		})
		var series []chart.Series
		for range rapid.IntRange(0, 5).Draw(t, "series") {
			series = append(series, chart.Series{
				Name: rapid.StringMatching(`[a-z<&店 ]{0,12}`).Draw(t, "name"), Values: rapid.SliceOfN(value, 0, 14).Draw(t, "values"),
			})
		}
		labels := rapid.SliceOfN(rapid.StringMatching(`[0-9-]{0,9}`), 0, 14).Draw(t, "labels")
		c := chart.Columns{Title: "x", Labels: labels, Series: series, Stacked: rapid.Bool().Draw(t, "stacked")}
		svg := c.SVG()
		for _, m := range rect.FindAllStringSubmatch(string(svg), -1) {
			x, _ := strconv.Atoi(m[1])
			w, _ := strconv.Atoi(m[3])
			if x < 0 || x+w > 530 {
				t.Fatalf("column leaves the drawing: %v", m)
			}
		}
		if rows := c.Table().Rows; len(rows) != len(labels) {
			t.Fatalf("%d rows for %d labels", len(rows), len(labels))
		}
		_ = chart.Lines{Title: "x", Labels: labels, Series: series}.SVG()
	})
}

func TestTable_SaysOpenAndMissing(t *testing.T) {
	c := chart.Columns{
		Title: "x", First: "月", Labels: []string{"06", "07", "08"}, Style: style(),
		Series: []chart.Series{{Name: "单", Values: []chart.Value{{N: 4}, {N: 5, Open: true}}}},
	}
	got := c.Table()
	want := []string{"4", "5 起", "—"}
	for i, r := range got.Rows {
		if r.Cells[0] != want[i] {
			t.Errorf("row %d: %q, want %q", i, r.Cells[0], want[i])
		}
	}
	if got.Head[0] != "月" || got.Head[1] != "单" {
		t.Errorf("head %q", got.Head)
	}
}
