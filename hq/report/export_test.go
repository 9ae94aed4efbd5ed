package report

import (
	"context"

	"branchline/hq/store"
)

// Grouped is how many records' groups are read for those whom orders name in a column.
func Grouped(ctx context.Context, st *store.Store, column string) (n int, err error) {
	err = st.Read(ctx, func(rd *store.R) error {
		g, err := groups(rd, column)
		n = len(g)
		return err
	})
	return n, err
}
