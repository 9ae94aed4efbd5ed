package attach

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// tidying goes through the folder at the start and every hour.
func (a *Attach) tidying(ctx context.Context) error {
	for {
		if err := a.Tidy(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("files of attachments not gone through", "err", err)
		}
		if !pause(ctx, tidyEvery) {
			return nil
		}
	}
}

// Tidy makes folder and database agree: a file nobody noted is noted, one noted that is gone is fetched again, and what
// nobody names or looks at any more is removed.
func (a *Attach) Tidy(ctx context.Context) error {
	now := a.c.Now()
	if err := a.c.Files.ClearParts(now.Add(-keepPart)); err != nil {
		return err
	}
	err := a.c.Files.Each(func(i blob.Info) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := a.c.Store.FileOf(ctx, i.Hash)
		switch {
		case errors.Is(err, schema.ErrNotFound):
			// Of a database put back from a backup, or handed in the moment before the process died.
			f = store.File{Hash: i.Hash, Size: i.Size}
			if err := a.c.Store.KeepFiles(ctx, f); err != nil {
				return err
			}
			a.changed()
			a.Named()
		case err != nil:
			return err
		}
		keep := keepOrphan
		if f.Fetched && f.AtHQ != 0 {
			keep = keepFetched
		}
		return a.clear(ctx, f, keep)
	})
	if err != nil {
		return err
	}
	last := blob.Hash{}
	for {
		files, err := a.c.Store.FilesAfter(ctx, last, batch)
		if err != nil || len(files) == 0 {
			return err
		}
		for _, f := range files {
			last = f.Hash
			if a.Here(f.Hash) {
				continue
			}
			if err := a.lost(ctx, f); err != nil {
				return err
			}
		}
	}
}

// clear removes a file that has lain here for long: an orphan, or one fetched that nobody looks at.
func (a *Attach) clear(ctx context.Context, f store.File, keep time.Duration) error {
	gone, err := a.c.Files.EraseOlder(f.Hash, a.c.Now().Add(-keep), func() (bool, error) {
		named, own, err := a.c.Store.FileNamed(ctx, f.Hash)
		return !named || f.Fetched && f.AtHQ != 0 && !own, err
	})
	if err != nil || !gone {
		return err
	}
	a.changed()
	return a.c.Store.ForgetFile(ctx, f.Hash)
}

// clearUnnamed removes files that HQ has and that no record here names any more.
func (a *Attach) clearUnnamed(ctx context.Context) error {
	last := blob.Hash{}
	for {
		files, err := a.c.Store.FilesUnnamed(ctx, last, batch)
		if err != nil || len(files) == 0 {
			return err
		}
		for _, f := range files {
			last = f.Hash
			f.Fetched = false // whether it is named counts, not when it was looked at
			if err := a.clear(ctx, f, young); err != nil {
				return err
			}
		}
	}
}

// Erase removes a file at once, unless a record held here names it. It tells whether it did.
func (a *Attach) Erase(ctx context.Context, h blob.Hash) (bool, error) {
	named, _, err := a.c.Store.FileNamed(ctx, h)
	if err != nil || named {
		return false, err
	}
	if err := a.c.Files.Erase(h); err != nil {
		return false, err
	}
	a.changed()
	return true, a.c.Store.ForgetFile(ctx, h)
}

// Check reads every file here through, and gives how many there are and the names of this branch's own attachments whose
// files are not here or were damaged. They are fetched again if HQ has them.
func (a *Attach) Check(ctx context.Context, branch schema.BranchID) (read int64, missing []string, err error) {
	err = a.c.Files.Each(func(i blob.Info) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := a.c.Files.Check(i.Hash)
		if errors.Is(err, schema.ErrNotFound) {
			a.log.Error("a file of an attachment was damaged", "hash", i.Hash)
			return nil
		}
		read++
		return err
	})
	if err != nil {
		return read, nil, err
	}
	err = a.c.Store.Each(ctx, schema.Attachment, func(r store.Held) error {
		if r.Home != branch {
			return nil
		}
		m, err := r.Message()
		if err != nil {
			return err
		}
		n := len(missing)
		for h, w := range a.lacking(m) {
			a.want(h, w)
			if len(missing) == n {
				missing = append(missing, schema.ResourceName(schema.Attachment, r.ID))
			}
		}
		return nil
	})
	return read, missing, err
}

func (a *Attach) lacking(m proto.Message) map[blob.Hash]want {
	x, ok := m.(*branchlinev1.Attachment)
	if !ok {
		return nil
	}
	out := filesOf(x)
	for h := range out {
		if a.Here(h) {
			delete(out, h)
		}
	}
	return out
}
