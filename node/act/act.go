// Package act is what acts of a branch have in common: things people do that take several records at once.
//
// Rules:
//   - An act is one transaction: all its records are saved, or none. It is done once, however often it is sent
//     (request id).
//   - It is done in the name of who is in the context, and writes only what their roles may write.
//
// It knows no kinds and no rules of the trade: those are of the packages that act.
package act

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Acts runs acts on a store. All fields are required.
type Acts struct {
	Store *store.Store
	// Zone is of business days.
	Zone func() *time.Location
	Now  func() time.Time
}

// Check refuses acts that stand on nothing.
func (a Acts) Check() error {
	if a.Store == nil || a.Zone == nil || a.Now == nil {
		return errors.New("act: config needs Store, Zone and Now")
	}
	return nil
}

// Hand is one who looks or acts, on one snapshot.
type Hand struct {
	V      *store.View
	B      *store.Batch // nil: only looks
	Caller access.Caller
	Now    time.Time
	Today  string
	ID     store.Identity
}

func (a Acts) hand(ctx context.Context, v *store.View, b *store.Batch) *Hand {
	now := a.Now()
	return &Hand{V: v, B: b, Caller: access.CallerFrom(ctx), Now: now, Today: now.In(a.Zone()).Format(time.DateOnly), ID: v.Identity()}
}

// Look runs f on one snapshot.
func (a Acts) Look(ctx context.Context, f func(h *Hand) error) error {
	return a.Store.View(ctx, func(v *store.View) error { return f(a.hand(ctx, v, nil)) })
}

// Do runs f as one act of the sort, once for a request id; "" is no id. f gives the record the act is about.
func (a Acts) Do(ctx context.Context, sort, request string, f func(h *Hand) (schema.RecordID, error)) (schema.RecordID, error) {
	id, _, err := a.Store.Act(ctx, sort, request, func(b *store.Batch) (schema.RecordID, error) {
		return f(a.hand(ctx, b.View(), b))
	})
	return id, err
}

// Put saves a record in the caller's name. ErrForbidden when their roles may not.
func (h *Hand) Put(e store.Edit) (store.Result, error) {
	if err := h.Caller.CheckWrite(access.Node, e.Kind); err != nil {
		return store.Result{}, err
	}
	e.Actor = h.Caller.Staff
	for _, r := range h.Caller.Roles {
		if access.MayWrite(access.Node, e.Kind, []branchlinev1.Role{r}) {
			e.Role = r
			break
		}
	}
	return h.B.Put(e)
}

// IDOf is the id of a record.
func IDOf(r *branchlinev1.Record) (schema.RecordID, error) {
	_, id, err := schema.ParseName(r.GetName())
	return id, err
}

// Ref is how a record names another.
func Ref(id schema.RecordID) *string { return proto.String(id.String()) }

// Bare is the id in a record's name.
func Bare(name string) string {
	_, id, _ := strings.Cut(name, "/")
	return id
}

// Changed says that the page the person acted on is not how things are. ErrConflict.
func Changed() error {
	return fmt.Errorf("it has changed since it was read: look at it again: %w", schema.ErrConflict)
}
