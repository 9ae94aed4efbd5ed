package bench_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"branchline/cmd/rig/bench"
)

// TestRun_quick runs what BRANCHLINE_BENCH names, quickly: it shows that figures come, not that goals hold.
func TestRun_quick(t *testing.T) {
	names := strings.Fields(os.Getenv("BRANCHLINE_BENCH"))
	if len(names) == 0 {
		t.Skip("BRANCHLINE_BENCH names no measure")
	}
	full := slices.Contains(names, "full")
	names = slices.DeleteFunc(names, func(s string) bool { return s == "full" })
	var log *slog.Logger
	if os.Getenv("BRANCHLINE_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	err := bench.Run(context.Background(), bench.Config{
		Log: log, Quick: !full, Dir: t.TempDir(), Seed: 1, Now: time.Now, Rand: rand.Reader, Step: func(s string) { t.Log(s) },
		Emit: func(f bench.Figure) error {
			b, err := json.Marshal(f)
			t.Logf("%s", b)
			return err
		},
	}, names...)
	if err != nil {
		t.Fatal(err)
	}
}

func TestRun_unknownNameIsRefused(t *testing.T) {
	err := bench.Run(context.Background(), bench.Config{Now: time.Now, Rand: rand.Reader, Emit: func(bench.Figure) error { return nil }}, "speed")
	var u *bench.UnknownError
	if !errors.As(err, &u) || u.Name != "speed" {
		t.Fatalf("got %v", err)
	}
}
