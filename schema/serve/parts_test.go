package serve_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"branchline/schema/serve"
)

// The end of one part, with an error or without, ends them all, and no error is lost.
func TestRunParts_OnesEndIsEverybodys(t *testing.T) {
	boom, late := errors.New("boom"), errors.New("late")
	waits := serve.Part{Name: "waits", Run: func(ctx context.Context) error { <-ctx.Done(); return late }}
	for _, first := range []error{boom, nil} {
		err := serve.RunParts(t.Context(), []serve.Part{waits, {Name: "first", Run: func(context.Context) error { return first }}})
		if !errors.Is(err, late) || first != nil && !errors.Is(err, first) || !strings.Contains(err.Error(), "waits: late") {
			t.Errorf("ended with %v: %v", first, err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := serve.RunParts(ctx, []serve.Part{{Name: "calm", Run: func(ctx context.Context) error { <-ctx.Done(); return nil }}}); err != nil {
		t.Error(err)
	}
}
