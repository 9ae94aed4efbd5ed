// Package blobs is where the files of attachments come to rest at headquarters,
// and from where branches get those of other branches.
//
// Rules:
//   - A file is taken from a branch, and given to one, only while an attachment that
//     the branch is fed, or is the home of, names it, and never across companies.
//   - It is taken in pieces and counts as stored when it is on disk and its hash is
//     what the attachment says. Only then a branch is told so.
//   - Which attachment names what follows the records behind the line; a branch that
//     asks about one HQ has not got to waits for that work, and never packs for it.
//
// It promises that what it called stored survives a crash. It does not promise that
// a file comes: it lies at its branch until then.
package blobs

import (
	"bytes"
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/behind"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

const (
	// form rises when the same attachment names something else than before.
	form = 1
	// maxPiece bounds a piece given, maxAsk the files one question is about.
	maxPiece = 256 << 10
	maxAsk   = 500
	// lookEvery is how often the folder is gone through. What no attachment names goes after keepUnnamed: a database put
	// back from a backup may learn of it again only when its branch returns. What never came to its end goes after keepPart.
	lookEvery   = time.Hour
	keepUnnamed = 90 * 24 * time.Hour
	keepPart    = 14 * 24 * time.Hour
)

// Config says what it stands on. All are required.
type Config struct {
	Store *store.Store
	Files *blob.Store
	Now   func() time.Time
	Log   *slog.Logger
}

// Blobs is safe for concurrent use.
type Blobs struct {
	c      Config
	log    *slog.Logger
	follow *behind.Follower

	files, bytes, missing atomic.Int64
}

// New starts nothing.
func New(c Config) (*Blobs, error) {
	if c.Store == nil || c.Files == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("hq/blobs: Store, Files, Now and Log are needed")
	}
	b := &Blobs{c: c, log: c.Log.With("room", "hq/blobs")}
	var err error
	b.follow, err = behind.New(c.Store, b.log, behind.Task{
		Name: "blobs", Form: form, Kinds: []schema.Kind{schema.Attachment}, Clear: []string{"DELETE FROM file_name"}, Derive: b.derive,
	})
	return b, err
}

// Run follows the records and goes through the folder until ctx ends.
func (b *Blobs) Run(ctx context.Context) error {
	return b.follow.RunAnd(ctx, lookEvery, func(ctx context.Context) {
		if err := b.look(ctx); err != nil && ctx.Err() == nil {
			b.log.Error("files of attachments not gone through", "err", err)
		}
	})
}

// Standing is how many files there are and their bytes, and how many of those that attachments name are not here, as
// last counted.
func (b *Blobs) Standing() (files, bytes, missing int64) {
	return b.files.Load(), b.bytes.Load(), b.missing.Load()
}

// file is one as attachments name it.
type file struct {
	size  int64
	found bool
}

// derive reads what attachments name.
func (b *Blobs) derive(recs []*store.Rec) (func(*store.W) error, error) {
	var ns, rows []any
	for _, r := range recs {
		ns = append(ns, r.N)
		msg, err := store.MessageOf(schema.KindOf(r.Kind), r.State)
		if err != nil {
			b.log.Error("attachment not readable: its file is not known", "record", schema.ResourceName(r.Kind, r.ID), "err", err)
			continue
		}
		a := new(branchlinev1.Attachment)
		if err := proto.Unmarshal(msg, a); err != nil {
			b.log.Error("attachment not readable: its file is not known", "record", schema.ResourceName(r.Kind, r.ID), "err", err)
			continue
		}
		for _, f := range []struct {
			hash []byte
			size int64
		}{{a.GetHash(), a.GetSize()}, {a.GetThumbHash(), a.GetThumbSize()}} {
			if _, err := blob.HashFrom(f.hash); err == nil && f.size > 0 && f.size <= blob.MaxFile {
				rows = append(rows, f.hash, r.N, f.size)
			}
		}
	}
	return func(w *store.W) error {
		if err := w.ExecIn("DELETE FROM file_name WHERE n", "", ns); err != nil {
			return err
		}
		_, err := w.Insert("INSERT INTO file_name (hash, n, size)", "ON CONFLICT DO NOTHING", 3, rows)
		return err
	}, nil
}

// asking is the branch that asks, if it may ask at all.
func (b *Blobs) asking(code schema.BranchID) (*store.Branch, error) {
	x := b.c.Store.Branch(code)
	if x == nil || x.Num == store.HQNum {
		return nil, fmt.Errorf("hq/blobs: branch %s: %w", code, schema.ErrNotFound)
	}
	if why := b.c.Store.Held(); why != "" {
		return nil, fmt.Errorf("hq/blobs: %s: %w", why, schema.ErrUnavailable)
	}
	if !x.Open() {
		return nil, fmt.Errorf("hq/blobs: the branch has no standing with headquarters: %w", schema.ErrForbidden)
	}
	return x, nil
}

// names are the attachments of a file, whoever's.
const names = `SELECT f.size, r.home FROM file_name f JOIN record r ON r.n = f.n WHERE f.hash = $1
	AND (r.home = $2 OR EXISTS (SELECT 1 FROM feed e WHERE e.branch IN ($2, 0) AND e.what = 1 AND e.ref = f.n AND e.gone = 0))`

// named finds a file among what the branch's attachments name.
func (b *Blobs) named(r store.Reader, x *store.Branch, h blob.Hash) (out file, err error) {
	err = r.Each(names, []any{h[:], x.Num}, func(rows *stdsql.Rows) error {
		var size int64
		var home int32
		if err := rows.Scan(&size, &home); err != nil {
			return fmt.Errorf("hq/blobs: read names: %w", err)
		}
		if b.c.Store.EntityOf(home) == x.Entity {
			out = file{size, true}
		}
		return nil
	})
	return out, err
}

// of is named, after the work behind the line if that is needed.
func (b *Blobs) of(ctx context.Context, x *store.Branch, h blob.Hash) (out file, err error) {
	for range 2 {
		err = b.c.Store.Read(ctx, func(r *store.R) (err error) {
			out, err = b.named(r, x, h)
			return err
		})
		if err != nil || out.found {
			return out, err
		}
		if err := b.follow.CatchUp(ctx); err != nil {
			return out, err
		}
	}
	return out, nil
}

// Put takes a piece of a file. schema.ErrInvalid: the pieces made up another file, or one of another size than the
// attachment says.
func (b *Blobs) Put(ctx context.Context, code schema.BranchID, req *wirev1.BlobPut) (*wirev1.BlobPutReply, error) {
	x, err := b.asking(code)
	if err != nil {
		return nil, err
	}
	h, err := blob.HashFrom(req.GetHash())
	if err != nil {
		return nil, err
	}
	n, err := b.of(ctx, x, h)
	if err != nil {
		return nil, fmt.Errorf("hq/blobs: put: %w", err)
	}
	if !n.found {
		return &wirev1.BlobPutReply{Unknown: true}, nil
	}
	if n.size != req.GetSize() {
		return nil, schema.Invalid("size", "is not what the attachment says")
	}
	_, had := b.c.Files.Has(h)
	next, whole, err := b.c.Files.Take(string(code), h, n.size, req.GetOffset(), req.GetData())
	if err != nil {
		return nil, fmt.Errorf("hq/blobs: put: %w", err)
	}
	if whole && !had {
		b.files.Add(1)
		b.bytes.Add(n.size)
	}
	return &wirev1.BlobPutReply{Next: next, Stored: whole}, nil
}

// Get gives a piece of a file. schema.ErrNotFound: nothing the branch may see names it.
func (b *Blobs) Get(ctx context.Context, code schema.BranchID, req *wirev1.BlobGet) (*wirev1.BlobGetReply, error) {
	x, err := b.asking(code)
	if err != nil {
		return nil, err
	}
	h, err := blob.HashFrom(req.GetHash())
	if err != nil {
		return nil, err
	}
	n, err := b.of(ctx, x, h)
	if err != nil {
		return nil, fmt.Errorf("hq/blobs: get: %w", err)
	}
	if !n.found {
		return nil, fmt.Errorf("hq/blobs: no attachment of the branch's names this file: %w", schema.ErrNotFound)
	}
	piece := maxPiece
	if most := int(req.GetMost()); most > 0 {
		piece = min(piece, most)
	}
	data, size, err := b.c.Files.Read(h, req.GetOffset(), piece)
	if errors.Is(err, schema.ErrNotFound) {
		return &wirev1.BlobGetReply{Missing: true}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("hq/blobs: get: %w", err)
	}
	return &wirev1.BlobGetReply{Size: size, Data: data}, nil
}

// Ask tells which files are stored.
func (b *Blobs) Ask(ctx context.Context, code schema.BranchID, req *wirev1.BlobAsk) (*wirev1.BlobAskReply, error) {
	x, err := b.asking(code)
	if err != nil {
		return nil, err
	}
	if len(req.GetHashes()) > maxAsk {
		return nil, schema.Invalid("hashes", "are more than %d", maxAsk)
	}
	out := &wirev1.BlobAskReply{Stored: make([]byte, len(req.GetHashes()))}
	err = b.c.Store.Read(ctx, func(r *store.R) error {
		for i, raw := range req.GetHashes() {
			h, err := blob.HashFrom(raw)
			if err != nil {
				return err
			}
			if _, ok := b.c.Files.Has(h); !ok {
				continue
			}
			n, err := b.named(r, x, h)
			if err != nil {
				return err
			}
			if n.found {
				out.Stored[i] = 1
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("hq/blobs: ask: %w", err)
	}
	return out, nil
}

// look goes through the folder: it counts, and clears away what nothing names.
func (b *Blobs) look(ctx context.Context) error {
	if err := b.follow.CatchUp(ctx); err != nil {
		return err
	}
	now := b.c.Now()
	if err := b.c.Files.ClearParts(now.Add(-keepPart)); err != nil {
		return err
	}
	var files, size int64
	err := b.c.Files.Each(func(i blob.Info) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		files++
		size += i.Size
		if !i.At.Before(now.Add(-keepUnnamed)) {
			return nil
		}
		gone, err := b.c.Files.EraseOlder(i.Hash, now.Add(-keepUnnamed), func() (bool, error) { return b.unnamed(ctx, i.Hash) })
		if gone {
			files--
			size -= i.Size
			b.log.Info("a file that no attachment names is gone", "hash", i.Hash)
		}
		return err
	})
	if err != nil {
		return err
	}
	b.files.Store(files)
	b.bytes.Store(size)
	missing, err := b.Missing(ctx)
	b.missing.Store(int64(len(missing)))
	return err
}

func (b *Blobs) unnamed(ctx context.Context, h blob.Hash) (free bool, err error) {
	err = b.c.Store.Read(ctx, func(r *store.R) error {
		one := 0
		found, err := r.Scan("SELECT 1 FROM file_name WHERE hash = $1 LIMIT 1", []any{h[:]}, &one)
		free = !found
		return err
	})
	return free, err
}

// Erase removes a file at once, unless an attachment names it. It tells whether it did.
func (b *Blobs) Erase(ctx context.Context, h blob.Hash) (bool, error) {
	if err := b.follow.CatchUp(ctx); err != nil {
		return false, err
	}
	free, err := b.unnamed(ctx, h)
	if err != nil || !free {
		return false, err
	}
	size, had := b.c.Files.Has(h)
	if err := b.c.Files.Erase(h); err != nil {
		return false, err
	}
	if had {
		b.files.Add(-1)
		b.bytes.Add(-size)
	}
	return true, nil
}

// Missing are files that attachments name and that are not here: they lie at their branch, or nowhere.
func (b *Blobs) Missing(ctx context.Context) ([]blob.Hash, error) {
	var out []blob.Hash
	last := []byte{}
	for {
		n := 0
		err := b.c.Store.Read(ctx, func(r *store.R) error {
			return r.Each("SELECT DISTINCT hash FROM file_name WHERE hash > $1 ORDER BY hash LIMIT 1000", []any{last}, func(rows *stdsql.Rows) error {
				var raw []byte
				if err := rows.Scan(&raw); err != nil {
					return fmt.Errorf("hq/blobs: read names: %w", err)
				}
				n++
				last = bytes.Clone(raw)
				h, err := blob.HashFrom(raw)
				if err != nil {
					return err
				}
				if _, ok := b.c.Files.Has(h); !ok {
					out = append(out, h)
				}
				return nil
			})
		})
		if err != nil || n == 0 {
			return out, err
		}
	}
}

// Check reads every file through. damaged were not what their name says: they are set aside, and a branch that has one
// gives it again when HQ has started anew. missing are those that attachments name and that have not come.
func (b *Blobs) Check(ctx context.Context) (read int64, damaged, missing []blob.Hash, err error) {
	if err := b.follow.CatchUp(ctx); err != nil {
		return 0, nil, nil, err
	}
	err = b.c.Files.Each(func(i blob.Info) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := b.c.Files.Check(i.Hash)
		if errors.Is(err, schema.ErrNotFound) {
			damaged = append(damaged, i.Hash)
			return nil
		}
		read++
		return err
	})
	if err != nil {
		return read, damaged, nil, err
	}
	missing, err = b.Missing(ctx)
	return read, damaged, missing, err
}

// Open opens a file; the caller closes it. schema.ErrNotFound: it has not come. Who may see it is not asked here.
func (b *Blobs) Open(h blob.Hash) (*os.File, error) {
	f, _, err := b.c.Files.Open(h)
	return f, err
}

// Has tells whether a file has come.
func (b *Blobs) Has(h blob.Hash) bool {
	_, here := b.c.Files.Has(h)
	return here
}

// Free is the free room of the disk in bytes; 0: not known.
func (b *Blobs) Free() int64 { return b.c.Files.Free() }

// Backup puts the files beside a copy of the database, which was made before.
func (b *Blobs) Backup(copied string) (path string, files, bytes int64, err error) {
	path = copied + blob.BackupSuffix
	files, bytes, err = b.c.Files.CopyInto(path)
	return path, files, bytes, err
}
