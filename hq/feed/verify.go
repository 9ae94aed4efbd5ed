package feed

import (
	"context"
	stdsql "database/sql"
	"fmt"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// Verify gives digests of what the branch is to hold (schema.Digests), with the
// rev and the watermarks of the snapshot they were read in: the branch compares
// when it has applied a full page of that very rev and these marks.
func (f *Feed) Verify(ctx context.Context, code schema.BranchID, req *wirev1.VerifyRequest) (*wirev1.VerifyReply, error) {
	b := f.st.Branch(code)
	if b == nil || b.Num == store.HQNum {
		return nil, fmt.Errorf("hq/feed: verify: branch %s: %w", code, schema.ErrNotFound)
	}
	d, err := schema.NewDigests(req.GetPrefix())
	if err != nil {
		return nil, fmt.Errorf("hq/feed: verify: %w", err)
	}
	out := &wirev1.VerifyReply{Epoch: int64(f.st.Epoch())}
	err = f.st.Read(ctx, func(r *store.R) (err error) {
		if _, err := r.Scan("SELECT rev FROM counter WHERE one = 1", nil, &out.Rev); err != nil {
			return err
		}
		if out.Marks, err = store.MarksOf(r, b); err != nil {
			return err
		}
		return f.Holdings(r, b, func(row *wirev1.Row) error {
			d.Add(schema.RecordID(row.GetRecord()), row.GetShared(), row.GetState())
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("hq/feed: verify: %w", err)
	}
	out.Digests = d.Ranges()
	return out, nil
}

// Holdings calls f with every record a branch is to hold, as it may see it.
func (f *Feed) Holdings(r store.Reader, b *store.Branch, each func(*wirev1.Row) error) error {
	const rows = `SELECT r.rev, r.n, r.kind, r.id, r.home, r.state FROM feed f JOIN record r ON r.n = f.ref
		WHERE f.branch = $1 AND f.what = 1 AND f.gone = 0`
	const own = `SELECT r.rev, r.n, r.kind, r.id, r.home, r.state FROM record r
		WHERE r.home = $1 AND NOT EXISTS (SELECT 1 FROM feed f WHERE f.branch IN ($1, 0) AND f.what = 1 AND f.ref = r.n)`
	one := func(rows *stdsql.Rows) error {
		var e entry
		if err := rows.Scan(&e.rrev, &e.ref, &e.kind, &e.id, &e.home, &e.state); err != nil {
			return fmt.Errorf("hq/feed: read holdings: %w", err)
		}
		row, err := f.record(b, &e)
		if err != nil {
			return err
		}
		return each(row)
	}
	for _, q := range []struct {
		text   string
		branch int32
	}{{rows, b.Num}, {rows, store.All}, {own, b.Num}} {
		if err := r.Each(q.text, []any{q.branch}, one); err != nil {
			return err
		}
	}
	return nil
}
