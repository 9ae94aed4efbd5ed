package show

import (
	"context"
	"fmt"
	"time"

	"branchline/cmd/rig"
)

// Settle waits until every branch's changes are stored at HQ, worked into full
// pages, and everything each branch is entitled to is there.
func Settle(ctx context.Context, r *rig.Rig, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		waiting, err := unsettled(ctx, r)
		if err != nil {
			return fmt.Errorf("show: %w", err)
		}
		if waiting == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("show: %s after %s", waiting, patience)
		case <-tick.C:
		}
	}
}

// unsettled says what is still on its way; "" when nothing is.
func unsettled(ctx context.Context, r *rig.Rig) (string, error) {
	rev := r.HQ().Store().Rev()
	for _, s := range r.Sites() {
		l, err := s.Node().Store().Line(ctx)
		if err != nil {
			return "", err
		}
		switch {
		case l.Watermark < l.LastSeq:
			return fmt.Sprintf("%s still has %d changes to send", s.Code, l.LastSeq-l.Watermark), nil
		case l.Cursor < rev || l.FullPass:
			return fmt.Sprintf("%s has the feed up to %d of %d", s.Code, l.Cursor, rev), nil
		}
	}
	if r.HQ().Store().Rev() != rev {
		return "headquarters still writes", nil
	}
	return "", nil
}
