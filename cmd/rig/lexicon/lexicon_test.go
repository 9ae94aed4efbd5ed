package lexicon_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"branchline/cmd/rig/lexicon"
	"branchline/schema"
)

var update = flag.Bool("update", false, "write the dictionary if it is not there yet; one that is there is never changed")

func TestBuild_isTheSameTwice(t *testing.T) {
	a, err := lexicon.Build(schema.Dictionary)
	if err != nil {
		t.Fatal(err)
	}
	b, err := lexicon.Build(schema.Dictionary)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("two makings differ")
	}
	path := fmt.Sprintf("../../../schema/dict/%d.zdict", schema.Dictionary)
	if _, err := os.Stat(path); os.IsNotExist(err) && *update {
		if err := os.WriteFile(path, a, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || len(have) < 1<<10 {
		t.Errorf("the shipped dictionary: %d bytes, %v", len(have), err)
	}
}
