// Package attach looks after the files of a branch's attachments: it takes them
// in, hands them up to headquarters, and fetches those of other branches.
//
// Rules:
//   - A file is on disk, stripped and with its thumbnail, before the change that
//     names it is saved.
//   - Up go thumbnails first, then originals, piece by piece, one at a time, and only
//     while no change waits and the feed is here; when that is never so, a small piece
//     now and then. At most half of the line's time is taken.
//   - That HQ has stored a file is known by HQ's word alone, and asked again when HQ
//     runs in another epoch: it may have lost it.
//   - Thumbnails of attachments of the last weeks are fetched ahead; an original when
//     somebody asks for it. What was fetched goes when nobody has looked at it for
//     long, what no record names any more soon.
//
// It promises that a file of this branch is not removed here while a record names
// it. It does not promise when a file reaches HQ.
package attach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/link"
)

const (
	// ahead is how far back thumbnails are fetched before anybody asks, and most how many of them.
	ahead     = 60 * 24 * time.Hour
	aheadMost = 2000
	// keepOrphan is how long a file lies here that was handed in and never named; keepFetched, one that came from HQ and
	// nobody looked at; keepPart, one that never came to its end.
	keepOrphan  = 24 * time.Hour
	keepFetched = 45 * 24 * time.Hour
	keepPart    = 14 * 24 * time.Hour
	// young spares what may be named this moment.
	young = 10 * time.Minute
	// tidyEvery is how often the folder is gone through.
	tidyEvery = time.Hour
)

// Line is the branch's link to headquarters.
type Line interface {
	Link() link.Status
	// Ask blocks until HQ answers or ctx ends; without a link it fails at once.
	Ask(ctx context.Context, verb string, req []byte) ([]byte, error)
}

// Config says what it stands on. All but Look are required.
type Config struct {
	Store *store.Store
	Files *blob.Store
	Line  Line
	Now   func() time.Time
	Log   *slog.Logger
	// Look is how often it is asked whether there is something to move: 2 s when 0.
	Look time.Duration
}

// Attach is safe for concurrent use.
type Attach struct {
	c    Config
	log  *slog.Logger
	slot chan struct{} // held by whoever has a picture in memory
	kick chan struct{} // there is a file to hand up

	life     context.Context // ends with Run
	end      context.CancelFunc
	fetchers sync.WaitGroup

	mu       sync.Mutex
	over     bool // Run has ended: nothing is fetched any more
	wanted   map[blob.Hash]want
	fetching map[blob.Hash]*fetch
	sums     sums
}

// sums are what Sums gives, and whether something has changed since.
type sums struct {
	files, bytes, waiting int64
	at                    time.Time
	stale                 bool
}

// want is a file to be fetched without anybody waiting for it.
type want struct {
	size  int64
	thumb bool
}

// New starts nothing.
func New(c Config) (*Attach, error) {
	if c.Store == nil || c.Files == nil || c.Line == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("attach: Store, Files, Line, Now and Log are needed")
	}
	if c.Look == 0 {
		c.Look = 2 * time.Second
	}
	a := &Attach{
		c: c, log: c.Log.With("room", "attach"), slot: make(chan struct{}, 1), kick: make(chan struct{}, 1),
		wanted: map[blob.Hash]want{}, fetching: map[blob.Hash]*fetch{}, sums: sums{stale: true},
	}
	a.life, a.end = context.WithCancel(context.Background())
	return a, nil
}

// Run moves files and keeps the folder tidy until ctx ends.
func (a *Attach) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for what, f := range map[string]func(context.Context) error{"up": a.up, "down": a.down, "tidy": a.tidying} {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				a.log.Error("files of attachments are not looked after any more", "what", what, "err", err)
			}
		})
	}
	wg.Wait()
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	a.end()
	a.fetchers.Wait()
	return nil
}

// changed says that there are other files than before, or that HQ has others.
func (a *Attach) changed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sums.stale = true
}

// pause waits, and tells whether ctx still stands.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// open tells whether files can be moved now.
func (a *Attach) open() bool {
	s := a.c.Line.Link()
	return s.Phase == link.Open && s.Blobs
}

// Kept is a file that was taken in.
type Kept struct {
	Hash, Thumb     blob.Hash // Thumb is zero when there is none
	Size, ThumbSize int64
	Type            string
	Width, Height   int
}

// Keep cleans a file, makes its thumbnail and puts both on disk; one file is worked on at a time. *blob.RefusedError;
// schema.ErrTooLarge; schema.ErrExhausted on a full disk.
func (a *Attach) Keep(ctx context.Context, in *blob.Incoming) (*Kept, error) {
	select {
	case a.slot <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-a.slot }()
	raw, err := in.Bytes()
	if err != nil {
		return nil, err
	}
	f, err := blob.Clean(raw)
	if err != nil {
		return nil, err
	}
	k := &Kept{Size: int64(len(f.Bytes)), Type: f.Type, Width: f.Width, Height: f.Height}
	thumb, err := f.Thumb()
	if err != nil && !errors.Is(err, blob.ErrNoThumb) {
		return nil, err
	}
	var files []store.File
	if len(thumb) > 0 {
		if k.Thumb, err = a.c.Files.Put(thumb); err != nil {
			return nil, err
		}
		k.ThumbSize = int64(len(thumb))
		files = append(files, store.File{Hash: k.Thumb, Size: k.ThumbSize, Thumb: true})
	}
	if k.Hash, err = a.c.Files.Put(f.Bytes); err != nil {
		return nil, err
	}
	if err := a.c.Store.KeepFiles(ctx, append(files, store.File{Hash: k.Hash, Size: k.Size})...); err != nil {
		return nil, err
	}
	a.changed()
	return k, nil
}

// Receive reads a file to disk, to be kept or closed. See blob.Store.Receive.
func (a *Attach) Receive(r io.Reader) (*blob.Incoming, error) {
	return a.c.Files.Receive(r)
}

// Named says that a change now names files that Keep took in: they go up.
func (a *Attach) Named() {
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

// Here tells whether a file lies here.
func (a *Attach) Here(h blob.Hash) bool {
	_, ok := a.c.Files.Has(h)
	return ok
}

// Renew tells whether a file lies here, and keeps it from being cleared away for a while: it is about to be named.
func (a *Attach) Renew(h blob.Hash) (bool, error) {
	if err := a.c.Files.Touch(h); err != nil {
		return false, err
	}
	return a.Here(h), nil
}

// State tells where the bytes of an attachment are.
func (a *Attach) State(ctx context.Context, m *branchlinev1.Attachment) (*branchlinev1.FileState, error) {
	out := new(branchlinev1.FileState)
	for h, w := range filesOf(m) {
		if w.thumb {
			out.ThumbHere = a.Here(h)
			continue
		}
		out.Here = a.Here(h)
		f, err := a.c.Store.FileOf(ctx, h)
		if err != nil && !errors.Is(err, schema.ErrNotFound) {
			return nil, err
		}
		out.AtHq = f.AtHQ != 0
	}
	return out, nil
}

// sumsEvery is how often files are counted at most: every page asks.
const sumsEvery = 2 * time.Second

// Sums are the number of files here, their bytes, and how many HQ does not have, as of some seconds ago.
func (a *Attach) Sums(ctx context.Context) (files, bytes, waiting int64, err error) {
	now := a.c.Now()
	a.mu.Lock()
	s := a.sums
	due := s.stale && now.Sub(s.at).Abs() >= sumsEvery
	if due {
		a.sums.stale, a.sums.at = false, now
	}
	a.mu.Unlock()
	if !due {
		return s.files, s.bytes, s.waiting, nil
	}
	files, bytes, waiting, err = a.c.Store.FileSums(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.sums.stale = true
		return 0, 0, 0, err
	}
	a.sums.files, a.sums.bytes, a.sums.waiting = files, bytes, waiting
	return files, bytes, waiting, nil
}

// Free is the free room of the disk in bytes; 0: not known.
func (a *Attach) Free() int64 { return a.c.Files.Free() }

// Backup puts the files beside a copy of the database, which was made before.
func (a *Attach) Backup(copied string) (path string, files, bytes int64, err error) {
	path = copied + blob.BackupSuffix
	files, bytes, err = a.c.Files.CopyInto(path)
	return path, files, bytes, err
}

// filesOf are the files an attachment names.
func filesOf(m *branchlinev1.Attachment) map[blob.Hash]want {
	out := map[blob.Hash]want{}
	if h, err := blob.HashFrom(m.GetHash()); err == nil {
		out[h] = want{size: m.GetSize()}
	}
	if h, err := blob.HashFrom(m.GetThumbHash()); err == nil {
		out[h] = want{size: m.GetThumbSize(), thumb: true}
	}
	return out
}

// attachment reads a record that may be one; nil if it is none, or not held here any more.
func (a *Attach) attachment(ctx context.Context, id schema.RecordID) (*branchlinev1.Attachment, error) {
	name := schema.ResourceName(schema.Attachment, id)
	all, err := a.c.Store.Messages(ctx, []string{name})
	if err != nil {
		return nil, err
	}
	m, _ := all[name].(*branchlinev1.Attachment)
	return m, nil
}

// ask asks HQ and reads its answer.
func ask(ctx context.Context, l Line, verb string, req, out proto.Message) error {
	raw, err := proto.Marshal(req)
	if err != nil {
		return fmt.Errorf("attach: %s: %w", verb, err)
	}
	if raw, err = l.Ask(ctx, verb, raw); err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	if err := proto.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("attach: headquarters' answer to %s cannot be read: %w", verb, err)
	}
	return nil
}
