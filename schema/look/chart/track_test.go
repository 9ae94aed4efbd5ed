package chart_test

import (
	"strings"
	"testing"

	"branchline/schema/look/chart"
)

func TestTrack_MarksWhatCannotBe(t *testing.T) {
	tr := chart.Track{
		Title: "里程", First: "日期", Value: "km", Remark: "说明", Own: "本店", Other: "别的店", Odd: "前后对不上", Style: style(),
		Points: []chart.TrackPoint{
			{Label: "2025-01-01", At: 0, N: 10_000, Own: true, Note: "浦东店"},
			{Label: "2025-07-01", At: 181, N: 199_105, Odd: true, Note: "松江店"},
			{Label: "2026-01-01", At: 365, N: 20_000, Note: "虹桥店"},
		},
	}
	svg := string(tr.SVG())
	// One dot of each sort and one cross, and one of each in the key; the line passes the odd one by.
	for part, n := range map[string]int{`class="own"`: 2, `class="sis"`: 2, `class="imp"`: 2, `class="tx-b"`: 1, `<polyline`: 1} {
		if got := strings.Count(svg, part); got != n {
			t.Errorf("%d of %s, want %d", got, part, n)
		}
	}
	line := svg[strings.Index(svg, `points="`)+8:]
	if line = line[:strings.IndexByte(line, '"')]; len(strings.Fields(line)) != 2 {
		t.Errorf("the line goes through %s", line)
	}
	if strings.Contains(svg, "100000") {
		t.Error("the odd reading stretches the scale")
	}
	table := tr.Table()
	if len(table.Rows) != 3 || table.Rows[0].Label != "2026-01-01" || table.Rows[1].Cells[1] != "松江店 · 前后对不上" || table.Rows[0].Cells[1] != "虹桥店" {
		t.Errorf("%+v", table.Rows)
	}
	if one := string(chart.Track{Points: tr.Points[:1]}.SVG()); strings.Contains(one, "polyline") {
		t.Error("a line of one point")
	}
	if none := string(chart.Track{}.SVG()); !strings.HasSuffix(none, "</svg>") {
		t.Error(none)
	}
}
