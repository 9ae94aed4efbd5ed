// Package show fills a rig with a made-up group and tells a story with it: the
// demo and its --story.
//
// Rules: people and cars come from cmd/rig/town and go in through the branches'
// own databases, as a clerk's edits would; the story acts through the sites'
// APIs and faults only what lies between them, and every sentence it tells is
// checked before it is printed.
package show

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/cmd/rig"
	"branchline/cmd/rig/town"
	"branchline/hq/inbox"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/number"
)

// batch is how many edits one transaction takes: a clerk's would each be their
// own; here a morning's start must not take minutes.
const batch = 500

// Branches are the town's branches as a rig wants them.
func Branches(t *town.Town) []rig.Branch {
	var out []rig.Branch
	for _, b := range t.Branches() {
		out = append(out, rig.Branch{Code: b.Code, Name: b.Message.GetName(), Entity: b.Entity, EntityName: entityName(t, b.Entity)})
	}
	return out
}

func entityName(t *town.Town, code schema.EntityID) string {
	for _, e := range t.Entities() {
		if e.Code == code {
			return e.Message.GetName()
		}
	}
	return string(code)
}

// Populate writes the town's edits into every branch that holds no orders yet.
// tell is told how many edits are in; it is called from several goroutines.
func Populate(ctx context.Context, r *rig.Rig, t *town.Town, tell func(n int)) error {
	if err := settings(ctx, r, t); err != nil {
		return fmt.Errorf("show: settings: %w", err)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(t.Branches()))
	for i, b := range t.Branches() {
		wg.Go(func() {
			errs[i] = populate(ctx, r.Site(b.Code).Node().Store(), t, i, tell)
			if errs[i] != nil {
				errs[i] = fmt.Errorf("show: fill %s: %w", b.Code, errs[i])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// settings are headquarters' own edits, made as long as no branch has written anything.
func settings(ctx context.Context, r *rig.Rig, t *town.Town) error {
	for _, b := range t.Branches() {
		if l, err := r.Site(b.Code).Node().Store().Line(ctx); err != nil || l.LastSeq > 0 {
			return err
		}
	}
	for _, s := range t.Settings() {
		if _, err := r.HQ().Inbox().Edit(ctx, inbox.Edit{Kind: schema.Setting, Values: s, Actor: "town", Role: branchlinev1.Role_ROLE_HQ_ADMINISTRATOR}); err != nil {
			return err
		}
	}
	return nil
}

func populate(ctx context.Context, s *store.Store, t *town.Town, branch int, tell func(int)) error {
	l, err := s.Line(ctx)
	if err != nil || l.LastSeq > 0 {
		return err
	}
	ids := map[string]schema.RecordID{}
	var todo []town.Edit
	flush := func() error {
		errs, err := s.PutAll(ctx, len(todo), false, func(b *store.Batch, i int) error {
			e, err := edit(todo[i], ids)
			if err != nil {
				return err
			}
			res, err := b.Put(e)
			ids[todo[i].Key] = res.ID
			return err
		})
		if err := errors.Join(append(errs, err)...); err != nil {
			return err
		}
		tell(len(todo))
		todo = todo[:0]
		return ctx.Err()
	}
	for _, edits := range []iter.Seq[town.Edit]{t.Edits(branch), t.Counter(branch)} {
		for e := range edits {
			if todo = append(todo, e); len(todo) == batch {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	if len(todo) == 0 {
		return nil
	}
	return flush()
}

// edit puts the ids of earlier records into an edit's references.
func edit(e town.Edit, ids map[string]schema.RecordID) (store.Edit, error) {
	m := e.Message.ProtoReflect()
	for field, key := range e.Refs {
		id, ok := ids[key]
		fd := m.Descriptor().Fields().ByName(protoreflect.Name(field))
		if !ok || fd == nil {
			return store.Edit{}, fmt.Errorf("%s refers by %s to %s, which is not there", e.Key, field, key)
		}
		m.Set(fd, protoreflect.ValueOfString(id.String()))
	}
	out := store.Edit{Kind: e.Kind, Message: e.Message, Actor: e.Actor, Role: branchlinev1.Role_ROLE_BRANCH_MANAGER}
	if out.Actor == "" {
		out.Actor = "town"
	}
	if _, ok := number.SeriesOf(e.Kind); ok {
		out.Day = m.Get(schema.KindOf(e.Kind).Day.Desc).String()
	}
	return out, nil
}
