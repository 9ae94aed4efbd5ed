package attach

import (
	"context"
	"errors"
	"time"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/blob"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus"
	"branchline/sync/link"
)

const (
	// A piece is so large that it takes the line between quick and slow, within these bounds.
	minPiece = 8 << 10
	maxPiece = 256 << 10
	quick    = 100 * time.Millisecond
	slow     = 400 * time.Millisecond
	// patience is how long a file waits for the line to be quiet before a small piece of it goes all the same.
	thumbPatience = 2 * time.Second
	patience      = 20 * time.Second
	// A file HQ does not take now is offered again after a while that doubles.
	laterMin = time.Second
	laterMax = 5 * time.Minute
	batch    = 200
)

// later is when to offer a file again.
type later struct {
	at    time.Time
	after time.Duration
}

// pace is the size of pieces that suits the line.
type pace struct{ piece int }

func (p *pace) took(d time.Duration) {
	switch {
	case d < quick:
		p.piece = min(2*p.piece, maxPiece)
	case d > slow:
		p.piece = max(p.piece/2, minPiece)
	}
}

// up hands files to HQ. While there is nothing to hand up it leaves the database alone, which could not rest otherwise.
func (a *Attach) up(ctx context.Context) error {
	t := time.NewTicker(a.c.Look)
	defer t.Stop()
	p := &pace{minPiece}
	put := map[blob.Hash]later{}
	due := true
	var asked schema.EpochID // HQ's epoch that was asked what it still has
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		case <-a.kick:
			due = true
		}
		if epoch := a.c.Line.Link().Epoch; a.open() && epoch != asked {
			switch err := a.sure(ctx, epoch); {
			case err == nil:
				asked, due = epoch, true
			case ctx.Err() == nil && !errors.Is(err, schema.ErrUnavailable):
				a.log.Warn("not asked whether headquarters still has its files", "err", err)
			}
		}
		for due && a.open() {
			moved, err := a.sendSome(ctx, p, put)
			if err != nil {
				if ctx.Err() == nil && !errors.Is(err, schema.ErrUnavailable) {
					a.log.Warn("files of attachments not handed up", "err", err)
				}
				break
			}
			if !moved {
				due = len(put) > 0
				break
			}
		}
	}
}

// sendSome offers waiting files that are due, and tells whether HQ has stored one.
func (a *Attach) sendSome(ctx context.Context, p *pace, put map[blob.Hash]later) (moved bool, err error) {
	// Those put off are asked for beside the rest, so that they do not stand in its way.
	files, err := a.c.Store.FilesWaiting(ctx, batch+len(put))
	if err != nil {
		return false, err
	}
	left := map[blob.Hash]later{}
	for _, f := range files {
		now := a.c.Now()
		l := put[f.Hash]
		if l.at.After(now) && l.at.Sub(now) <= laterMax { // a clock that was put back holds nothing up
			left[f.Hash] = l
			continue
		}
		stored, err := a.send(ctx, p, f)
		switch {
		case stored:
			moved = true
			continue
		case errors.Is(err, bus.ErrNoLink), ctx.Err() != nil:
			return moved, err
		case errors.Is(err, schema.ErrNotFound):
			// It is not here any more, or was damaged: there is nothing to give.
			if err := a.lost(ctx, f); err != nil {
				return moved, err
			}
			continue
		case err != nil:
			a.log.Warn("a file of an attachment not taken by headquarters", "hash", f.Hash, "err", err)
		}
		l.after = min(max(2*l.after, laterMin), laterMax)
		l.at = a.c.Now().Add(l.after)
		left[f.Hash] = l
	}
	clear(put)
	for h, l := range left {
		put[h] = l
	}
	return moved, nil
}

// send hands a file to HQ from where HQ has come. false without an error: HQ knows of no attachment that names it, yet.
func (a *Attach) send(ctx context.Context, p *pace, f store.File) (bool, error) {
	if err := a.c.Files.Check(f.Hash); err != nil {
		return false, err
	}
	req := &wirev1.BlobPut{Hash: f.Hash[:], Size: f.Size}
	for first := true; ; first = false {
		if !first {
			piece := a.wait(ctx, p, f.Thumb)
			var err error
			if req.Data, _, err = a.c.Files.Read(f.Hash, req.GetOffset(), piece); err != nil {
				return false, err
			}
		}
		began := a.c.Now()
		r := new(wirev1.BlobPutReply)
		if err := ask(ctx, a.c.Line, link.VerbBlobPut, req, r); err != nil {
			return false, err
		}
		took := a.c.Now().Sub(began)
		switch {
		case r.GetUnknown():
			return false, nil
		case r.GetStored():
			a.changed()
			return true, a.c.Store.FileAtHQ(ctx, a.c.Line.Link().Epoch, f.Hash)
		case r.GetNext() < 0 || r.GetNext() >= f.Size:
			return false, schema.Invalid("next", "headquarters asks for what is not in the file")
		}
		req.Offset = r.GetNext()
		if !first {
			p.took(took)
		}
		// The other half of the line is for the rest.
		if !pause(ctx, min(max(took, time.Millisecond), time.Second)) {
			return false, ctx.Err()
		}
	}
}

// wait lets changes and the feed go first, and gives the size of the next piece.
func (a *Attach) wait(ctx context.Context, p *pace, thumb bool) int {
	most := patience
	if thumb {
		most = thumbPatience
	}
	const step = 50 * time.Millisecond
	for waited := time.Duration(0); waited < most; waited += step {
		s := a.c.Line.Link()
		if s.Sent <= s.Mark && s.Full && !s.FullPass || s.Phase != link.Open {
			return p.piece
		}
		if !pause(ctx, step) {
			break
		}
	}
	return minPiece
}

// lost forgets a file that is not here, and has it fetched if HQ has it.
func (a *Attach) lost(ctx context.Context, f store.File) error {
	a.log.Error("a file of an attachment is gone or damaged", "hash", f.Hash)
	a.want(f.Hash, want{f.Size, f.Thumb})
	a.changed()
	return a.c.Store.ForgetFile(ctx, f.Hash)
}

// sure asks HQ, in each of its epochs once, whether it still has what it had.
func (a *Attach) sure(ctx context.Context, epoch schema.EpochID) error {
	for {
		files, err := a.c.Store.FilesUnsure(ctx, epoch, batch)
		if err != nil || len(files) == 0 {
			return err
		}
		req := new(wirev1.BlobAsk)
		for _, f := range files {
			req.Hashes = append(req.Hashes, f.Hash[:])
		}
		r := new(wirev1.BlobAskReply)
		if err := ask(ctx, a.c.Line, link.VerbBlobAsk, req, r); err != nil {
			return err
		}
		var has, lacks []blob.Hash
		for i, f := range files {
			if i < len(r.GetStored()) && r.GetStored()[i] == 1 {
				has = append(has, f.Hash)
			} else {
				lacks = append(lacks, f.Hash)
			}
		}
		if err := a.c.Store.FileAtHQ(ctx, epoch, has...); err != nil {
			return err
		}
		if err := a.c.Store.FileAtHQ(ctx, 0, lacks...); err != nil {
			return err
		}
		a.changed()
		if !pause(ctx, quick) {
			return ctx.Err()
		}
	}
}
