package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSim_LastLineSaysWhatItCameTo(t *testing.T) {
	e, out, errs := testEnv()
	if code := run(t.Context(), []string{"branchline", "sim", "--seeds", "2", "--seed", "3", "--json"}, e); code != 0 {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var last struct {
		Seeds, Events int
		Failed        []uint64
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	if last.Seeds != 2 || last.Events < 500 || last.Failed == nil || len(last.Failed) != 0 {
		t.Errorf("%+v", last)
	}
	e, _, errs = testEnv()
	if code := run(t.Context(), []string{"branchline", "sim", "--seeds", "0"}, e); code != exitUsage || errs.Len() == 0 {
		t.Errorf("no seeds: exit %d: %s", code, errs)
	}
}
