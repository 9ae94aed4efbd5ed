//go:build !unix

package bench

import "time"

// cpuTime is not to be had here: growth and search then show wall time only.
func cpuTime() time.Duration { return 0 }
