package bench_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"branchline/cmd/rig/bench"
)

func measure(t *testing.T, names ...string) map[string]bench.Figure {
	t.Helper()
	out := map[string]bench.Figure{}
	err := bench.Run(context.Background(), bench.Config{
		Quick: true, Dir: t.TempDir(), Seed: 1, Now: time.Now, Rand: rand.Reader,
		Emit: func(f bench.Figure) error {
			out[f.Name] = f
			return nil
		},
	}, names...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRun_figuresStandBesideTheirCeilings(t *testing.T) {
	figures := measure(t, "merge", "commit", "bootstrap")
	for _, name := range []string{"merge", "commit/p50", "commit/p99", "bootstrap", "bootstrap/before-index"} {
		f, ok := figures[name]
		if !ok {
			t.Errorf("no figure %s", name)
			continue
		}
		if f.Value <= 0 || f.Ceiling == nil || *f.Ceiling <= 0 || math.Abs(*f.Ratio - f.Value / *f.Ceiling) > 1e-9 {
			t.Errorf("%s: %+v", name, f)
		}
		if (f.Goal != nil || f.GoalRatio != nil) != (f.Holds != nil) {
			t.Errorf("%s: a goal and no verdict, or the other way round: %+v", name, f)
		}
	}
	for name := range figures {
		if strings.HasPrefix(name, "drain") || strings.HasPrefix(name, "wire") {
			t.Errorf("%s was not asked for", name)
		}
	}
	f := figures["commit/p50"]
	if want := f.Value <= *f.Goal && *f.Ratio <= *f.GoalRatio; want != *f.Holds {
		t.Errorf("commit: holds is %v: %+v", *f.Holds, f)
	}
}

func TestFigure_isOneObjectWithTheAgreedNames(t *testing.T) {
	b, err := json.Marshal(bench.Figure{Name: "drain", Value: 1.5, Unit: "s"})
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"name", "value", "unit", "ceiling", "ratio", "goal", "holds"} {
		if _, ok := m[k]; !ok {
			t.Errorf("%s lacks %q", b, k)
		}
	}
}

func TestRun_unknownNameIsRefused(t *testing.T) {
	err := bench.Run(context.Background(), bench.Config{Now: time.Now, Rand: rand.Reader, Emit: func(bench.Figure) error { return nil }}, "speed")
	var u *bench.UnknownError
	if !errors.As(err, &u) || u.Name != "speed" {
		t.Fatalf("got %v", err)
	}
}
