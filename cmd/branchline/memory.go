package main

import (
	"os"
	"runtime/debug"
)

// Soft limits of the memory Go takes for itself: near them it collects more often
// rather than growing. GOMEMLIMIT in the environment says otherwise.
const (
	nodeMemory = 96 << 20
	hqMemory   = 200 << 20
)

// limitMemory sets the soft limit of this process, unless the environment has.
func limitMemory(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}

// giveBack returns to the machine what a site at rest does not use. It is called
// once each time work has ended.
func giveBack() {
	debug.FreeOSMemory()
	forgetProgram()
}
