package simrig

import (
	"os"
	"strconv"
	"testing"

	"branchline/sync/sim"
)

func envInt(name string, or int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return or
}

func TestFixed(t *testing.T) {
	b, err := Run(t.Context(), uint64(envInt("SIM_SEED", 1)), envInt("SIM_SEEDS", 20), func(r sim.Result) {
		if r.Failed != nil {
			t.Error(r.Failed)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d seeds, %d events, %d edits, %d failed, unseen %v", b.Seeds, b.Events, b.Edits, len(b.Failed), b.Unseen())
}
