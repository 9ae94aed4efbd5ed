package serve_test

import (
	"testing"

	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
)

// What a call costs beside its handler: HTTP on loopback, the caller, the rules, validation; and in process, as pages call.
func BenchmarkCall(b *testing.B) {
	r := newRig(b, access.Node, nil)
	api := r.API()
	c, err := serve.NewClient(r.url, r.accounts.LocalToken(), "")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	req := &branchlinev1.GetRecordRequest{Name: "x"}
	b.Run("http", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.Records.GetRecord(b.Context(), req); err != nil {
				b.Fatal(err)
			}
		}
	})
	me, err := r.accounts.Authenticate(b.Context(), r.accounts.LocalToken())
	if err != nil {
		b.Fatal(err)
	}
	ctx := access.With(b.Context(), me)
	b.Run("process", func(b *testing.B) {
		for b.Loop() {
			if _, err := api.Records.GetRecord(ctx, req); err != nil {
				b.Fatal(err)
			}
		}
	})
}
