package simrig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"branchline/sync/sim"
)

// ScratchRoot is where runs put their folders: in memory where the system has
// such a folder, since a simulated disk loses nothing anyway.
func ScratchRoot() string {
	const shm = "/dev/shm"
	if fi, err := os.Stat(shm); err == nil && fi.IsDir() {
		return shm
	}
	return os.TempDir()
}

// Batch is what many seeds came to.
type Batch struct {
	Seeds  int
	Events int
	Edits  int
	Faults map[sim.Fault]int
	Failed []*sim.Failure
}

// Unseen are the faults that never fired: I10 wants none over a batch of some size.
func (b *Batch) Unseen() []sim.Fault {
	var out []sim.Fault
	for _, f := range sim.Faults() {
		if b.Faults[f] == 0 {
			out = append(out, f)
		}
	}
	return out
}

// Run runs seeds first to first+n-1 until ctx ends, and calls each after every
// one; each may be nil. The error is the machine's (disk, memory), not a party's.
func Run(ctx context.Context, first uint64, n int, each func(sim.Result)) (b *Batch, err error) {
	dir, err := os.MkdirTemp(ScratchRoot(), "branchline-sim-")
	if err != nil {
		return nil, fmt.Errorf("simrig: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tmpl := filepath.Join(dir, "templates")
	run := filepath.Join(dir, "run")
	for _, d := range []string{tmpl, run} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, fmt.Errorf("simrig: %w", err)
		}
	}
	t := NewTemplates(tmpl)
	b = &Batch{Faults: map[sim.Fault]int{}}
	for i := range n {
		if ctx.Err() != nil {
			return b, nil
		}
		r, err := sim.Run(sim.Config{Seed: first + uint64(i), Rig: New(t), Dir: run})
		if err != nil {
			return b, err
		}
		b.Seeds++
		b.Events += r.Events
		b.Edits += r.Edits
		for f, n := range r.Faults {
			b.Faults[f] += n
		}
		if r.Failed != nil {
			b.Failed = append(b.Failed, r.Failed)
		}
		if each != nil {
			each(r)
		}
	}
	return b, nil
}
