package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

func TestLimitMemory(t *testing.T) {
	was := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(was)
	t.Setenv("GOMEMLIMIT", "")
	limitMemory(nodeMemory)
	if got := debug.SetMemoryLimit(-1); got != nodeMemory {
		t.Errorf("the limit is %d", got)
	}
	t.Setenv("GOMEMLIMIT", "1GiB") // said by the person who starts the site: Go has read it
	limitMemory(hqMemory)
	if got := debug.SetMemoryLimit(-1); got != nodeMemory {
		t.Errorf("the environment says otherwise, and the limit is %d", got)
	}
}

// resident is a line of this process's status in kilobytes.
func resident(t *testing.T, line string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.SplitSeq(string(b), "\n") {
		if f := strings.Fields(l); len(f) == 3 && f[0] == line+":" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Skipf("no %s here", line)
	return 0
}

// At rest neither the heap that work needed nor the program's own pages stay, and all goes on.
func TestGiveBack(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	heap := make([]byte, 64<<20)
	for i := 0; i < len(heap); i += 4096 {
		heap[i] = 1
	}
	newApp(&env{}) // touches much of the program
	before, file := resident(t, "VmRSS"), resident(t, "RssFile")
	runtime.KeepAlive(heap)
	heap = nil
	giveBack()
	if after := resident(t, "VmRSS"); before-after < 48<<10 {
		t.Errorf("%d kB resident before, %d after", before, after)
	}
	if after := resident(t, "RssFile"); after > file*2/3 {
		t.Errorf("%d kB of files before, %d after", file, after)
	}
	if len(newApp(&env{}).Commands) == 0 {
		t.Error("the program does not go on")
	}
}
