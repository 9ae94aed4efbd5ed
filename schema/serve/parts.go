package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Part is one of what a process does all the while it runs. Run blocks until its context ends.
type Part struct {
	Name string
	Run  func(context.Context) error
}

// RunParts runs the parts until ctx ends, or until one of them does: one part's end is everybody's. It blocks until all
// have ended, and gives their errors, each with the part's name.
func RunParts(ctx context.Context, parts []Part) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(parts))
	for i, p := range parts {
		wg.Go(func() {
			defer cancel()
			if err := p.Run(ctx); err != nil {
				errs[i] = fmt.Errorf("%s: %w", p.Name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
