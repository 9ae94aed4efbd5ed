package attach

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/blob"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
)

// fetch is a file on its way here, for everybody who waits for it.
type fetch struct {
	done chan struct{}
	err  error
}

// fetchLimit is how long a file may take that somebody waits for.
const fetchLimit = 2 * time.Minute

// Open gives a file that is whole, and its size: from here, else from HQ, for which it waits. The caller closes it.
// schema.ErrNotFound: HQ does not have it; schema.ErrUnavailable: HQ cannot be asked now.
func (a *Attach) Open(ctx context.Context, h blob.Hash, size int64) (*os.File, int64, error) {
	f, n, err := a.c.Files.Open(h)
	if errors.Is(err, schema.ErrNotFound) {
		if err := a.fetch(ctx, h, want{size: size}, false); err != nil {
			return nil, 0, err
		}
		f, n, err = a.c.Files.Open(h)
	}
	if err != nil {
		return nil, 0, err
	}
	if err := a.c.Files.Touch(h); err != nil { // it was looked at
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, n, nil
}

// fetch brings a file here. Several who want the same one wait for the same. gently: it stands back for all else.
func (a *Attach) fetch(ctx context.Context, h blob.Hash, w want, gently bool) error {
	a.mu.Lock()
	f := a.fetching[h]
	if f == nil {
		f = &fetch{done: make(chan struct{})}
		if a.over {
			a.mu.Unlock()
			return fmt.Errorf("attach: this site stops: %w", schema.ErrUnavailable)
		}
		a.fetching[h] = f
		a.fetchers.Go(func() {
			// Who asked may go; the next one finds it further on.
			ctx, cancel := context.WithTimeout(a.life, fetchLimit)
			defer cancel()
			f.err = a.pull(ctx, h, w, gently)
			a.mu.Lock()
			delete(a.fetching, h)
			a.mu.Unlock()
			close(f.done)
		})
	}
	a.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Attach) pull(ctx context.Context, h blob.Hash, w want, gently bool) error {
	if !a.open() {
		return fmt.Errorf("attach: the file is not here, and headquarters cannot be asked: %w", schema.ErrUnavailable)
	}
	p := &pace{2 * minPiece}
	next, whole, err := a.c.Files.Take("hq", h, w.size, 0, nil)
	for err == nil && !whole {
		piece := p.piece
		if gently {
			piece = a.wait(ctx, p, w.thumb)
		}
		began := a.c.Now()
		r := new(wirev1.BlobGetReply)
		if err := ask(ctx, a.c.Line, link.VerbBlobGet, &wirev1.BlobGet{Hash: h[:], Offset: next, Most: int32(piece)}, r); err != nil {
			return err
		}
		p.took(a.c.Now().Sub(began))
		switch {
		case r.GetMissing():
			return fmt.Errorf("attach: the file has not reached headquarters: %w", schema.ErrNotFound)
		case r.GetSize() != w.size || len(r.GetData()) == 0:
			return schema.Invalid("file", "headquarters has another than the attachment names")
		}
		if next, whole, err = a.c.Files.Take("hq", h, w.size, next, r.GetData()); err != nil {
			return err
		}
		if gently && !pause(ctx, min(max(a.c.Now().Sub(began), time.Millisecond), time.Second)) {
			return ctx.Err()
		}
	}
	if err != nil {
		return err
	}
	err = a.c.Store.KeepFiles(ctx, store.File{Hash: h, Size: w.size, Thumb: w.thumb, AtHQ: a.c.Line.Link().Epoch, Fetched: true})
	if err == nil {
		a.changed()
		err = a.c.Store.FileAtHQ(ctx, a.c.Line.Link().Epoch, h) // open pages show it now
	}
	return err
}

// want notes a file to be fetched when there is time.
func (a *Attach) want(h blob.Hash, w want) {
	if w.size <= 0 || w.size > blob.MaxFile || a.Here(h) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.wanted) < 2*aheadMost {
		a.wanted[h] = w
	}
}

// down fetches what is wanted, and finds out what that is.
func (a *Attach) down(ctx context.Context) error {
	watch := a.c.Store.Changes()
	defer watch.Close()
	t := time.NewTicker(a.c.Look)
	defer t.Stop()
	seen := map[schema.RecordID]bool{}
	changed, left, ticks := true, true, 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-watch.Ready():
			if !ok {
				return nil
			}
			e := watch.Take()
			if e.All || len(e.Records) > 0 {
				changed, left = true, true
			}
			continue
		case <-t.C:
		}
		ticks++
		if changed {
			changed = false
			if err := a.lookAhead(ctx, seen); err != nil {
				return err
			}
		}
		if ticks%15 == 0 && left {
			// A record may have left the branch's scope, or have been erased.
			left = false
			if err := a.clearUnnamed(ctx); err != nil {
				return err
			}
		}
		if !a.open() {
			continue
		}
		if err := a.fetchWanted(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, schema.ErrUnavailable) {
			a.log.Warn("files of attachments not fetched", "err", err)
		}
	}
}

// lookAhead notes thumbnails of recent attachments that are not here. seen are those looked at before.
func (a *Attach) lookAhead(ctx context.Context, seen map[schema.RecordID]bool) error {
	ids, err := a.c.Store.RecentAttachments(ctx, a.c.Now().UTC().Add(-ahead).Format(time.DateOnly), aheadMost)
	if err != nil {
		return err
	}
	if len(seen) > 2*aheadMost {
		clear(seen)
	}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		m, err := a.attachment(ctx, id)
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		seen[id] = true
		for h, w := range filesOf(m) {
			if w.thumb {
				a.want(h, w)
			}
		}
	}
	return nil
}

// fetchWanted asks which of the files wanted HQ has, and fetches those.
func (a *Attach) fetchWanted(ctx context.Context) error {
	a.mu.Lock()
	wanted := maps.Clone(a.wanted)
	a.mu.Unlock()
	order := slices.SortedFunc(maps.Keys(wanted), func(x, y blob.Hash) int { return slices.Compare(x[:], y[:]) })
	for some := range slices.Chunk(order, batch) {
		req := new(wirev1.BlobAsk)
		for _, h := range some {
			req.Hashes = append(req.Hashes, h[:])
		}
		r := new(wirev1.BlobAskReply)
		if err := ask(ctx, a.c.Line, link.VerbBlobAsk, req, r); err != nil {
			return err
		}
		for i, h := range some {
			if i >= len(r.GetStored()) || r.GetStored()[i] != 1 {
				continue
			}
			if err := a.fetch(ctx, h, wanted[h], true); err != nil {
				return err
			}
			a.mu.Lock()
			delete(a.wanted, h)
			a.mu.Unlock()
		}
	}
	return nil
}
