package api

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
)

// workedOnHere refuses what is made for an order that another branch keeps, when it is of a kind that is worked on: it
// would be of another home than its order. Facts may be about any order. ErrForbidden.
func (h *Records) workedOnHere(ctx context.Context, k *schema.KindInfo, m proto.Message, branch schema.BranchID) error {
	if k.Write != optionsv1.Write_WRITE_HOME || k.AppendOnly || k.Order == nil {
		return nil
	}
	id, err := schema.ParseRecordID(m.ProtoReflect().Get(k.Order.Desc).String())
	if err != nil {
		return nil // there is none, or the store says that it is none
	}
	o, err := h.c.Store.Get(ctx, id)
	switch {
	case errors.Is(err, schema.ErrNotFound):
		return nil // the store says so
	case err != nil:
		return err
	case o.GetHome() != string(branch):
		return fmt.Errorf("the order is branch %s's, which works on it: %w", o.GetHome(), schema.ErrForbidden)
	}
	return nil
}
