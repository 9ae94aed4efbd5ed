package node

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	filter "branchline/schema/known"
	"branchline/sync/link"
)

const (
	// knownFile is the filter of what the group knows: when HQ made it (8 bytes, unix ms), then its bytes.
	knownFile = "known.filter"
	knownHead = 8
	// knownLook is how often it is asked whether HQ has a newer one: its heartbeats say so, and nothing is sent for it.
	knownLook  = 2 * time.Second
	knownAgain = time.Minute
	knownLimit = 5 * time.Minute
)

// hearsay is the filter of what the group knows, as it lies in the folder. Its
// methods are safe for concurrent use.
type hearsay struct {
	dir string
	key func(context.Context) ([]byte, error) // the group's

	mu      sync.RWMutex
	file    *os.File // nil: there is none
	filter  *filter.Filter
	version string
	madeAt  int64
}

// open takes the filter that lies in the folder; one that is none any more is as none.
func (h *hearsay) open() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reopen()
}

func (h *hearsay) reopen() error {
	if err := h.close(); err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(h.dir, knownFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	x, version, madeAt, err := readKnown(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	h.file, h.filter, h.version, h.madeAt = f, x, version, madeAt
	return nil
}

// shut gives the file back.
func (h *hearsay) shut() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.close()
}

func (h *hearsay) close() error {
	f := h.file
	h.file, h.filter, h.version, h.madeAt = nil, nil, "", 0
	if f == nil {
		return nil
	}
	return f.Close()
}

// readKnown reads a file through: its version is the hash of all of it.
func readKnown(f *os.File) (*filter.Filter, string, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, "", 0, fmt.Errorf("filter: %w", err)
	}
	var head [knownHead]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return nil, "", 0, fmt.Errorf("filter: %w", err)
	}
	size := info.Size() - knownHead
	x, err := filter.Open(io.NewSectionReader(f, knownHead, size), size)
	if err != nil {
		return nil, "", 0, fmt.Errorf("filter: %w", err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, "", 0, fmt.Errorf("filter: %w", err)
	}
	return x, string(sum.Sum(nil)), int64(binary.BigEndian.Uint64(head[:])), nil
}

// Perhaps implements api.Known.
func (h *hearsay) Perhaps(ctx context.Context, things []filter.Thing) ([]bool, int64, error) {
	out := make([]bool, len(things))
	key, err := h.key(ctx)
	if err != nil {
		return nil, 0, err
	}
	m := filter.NewMarker(key)
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.filter == nil || !h.filter.Of(m) {
		return out, 0, nil
	}
	for i, t := range things {
		if out[i], err = h.filter.Has(t.Sort, m.Mark(t)); err != nil {
			return nil, 0, fmt.Errorf("filter of what the group knows: %w", err)
		}
	}
	return out, h.madeAt, nil
}

// Stands implements api.Known.
func (h *hearsay) Stands() (*branchlinev1.KnownElsewhere, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.file == nil {
		return nil, nil
	}
	info, err := h.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("filter of what the group knows: %w", err)
	}
	return &branchlinev1.KnownElsewhere{MadeAt: h.madeAt, Bytes: info.Size() - knownHead, Entries: h.filter.Entries()}, nil
}

func (h *hearsay) has(version string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.version == version
}

// fetch asks HQ for its filter piece by piece and puts it in place of the one there
// is when all of it is there and is what HQ said. schema.ErrUnavailable: the link
// fell, or HQ made another meanwhile.
func (h *hearsay) fetch(ctx context.Context, ask func(ctx context.Context, verb string, req []byte) ([]byte, error), version string) (err error) {
	part := filepath.Join(h.dir, knownFile+".part")
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err == nil {
			err = h.replace(part)
		} else {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	size, pieces := int64(knownHead), int32(1)
	for n := int32(0); n < pieces; n++ {
		r, err := askPiece(ctx, ask, version, n)
		if err != nil {
			return err
		}
		pieces = r.GetPieces()
		if n == 0 {
			if _, err := f.Write(binary.BigEndian.AppendUint64(nil, uint64(r.GetMadeAt()))); err != nil {
				return fmt.Errorf("filter: %w", err)
			}
		}
		if size += int64(len(r.GetData())); size > filter.MaxSize || len(r.GetData()) == 0 {
			return schema.Invalid("filter", "comes in pieces that are none")
		}
		if _, err := f.Write(r.GetData()); err != nil {
			return fmt.Errorf("filter: %w", err)
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	_, got, _, err := readKnown(f)
	if err != nil {
		return err
	}
	if got != version {
		return schema.Invalid("filter", "is not the one headquarters named")
	}
	return f.Sync()
}

func askPiece(ctx context.Context, ask func(ctx context.Context, verb string, req []byte) ([]byte, error), version string, n int32) (*wirev1.KnownReply, error) {
	req, err := proto.Marshal(&wirev1.KnownRequest{Version: []byte(version), Piece: n})
	if err != nil {
		return nil, err
	}
	raw, err := ask(ctx, link.VerbKnown, req)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	r := new(wirev1.KnownReply)
	if err := proto.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	if string(r.GetVersion()) != version {
		return nil, fmt.Errorf("filter: headquarters has made another: %w", schema.ErrUnavailable)
	}
	return r, nil
}

// replace puts a whole file in the place of the one that is being asked.
func (h *hearsay) replace(part string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.close(); err != nil { // first: not every system renames over an open file
		return err
	}
	if err := os.Rename(part, filepath.Join(h.dir, knownFile)); err != nil {
		return errors.Join(fmt.Errorf("filter: %w", err), h.reopen())
	}
	return h.reopen()
}

// followKnown keeps the filter that lies here the one HQ has, as its heartbeats
// tell, until ctx ends.
func (n *Node) followKnown(ctx context.Context) error {
	t := time.NewTicker(knownLook)
	defer t.Stop()
	var failed time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		s, now := n.Link(), n.cfg.Now()
		if s.Phase != link.Open || s.Known == "" || n.known.has(s.Known) || now.Sub(failed).Abs() < knownAgain {
			continue
		}
		failed = time.Time{}
		fetching, cancel := context.WithTimeout(ctx, knownLimit)
		err := n.known.fetch(fetching, n.Ask, s.Known)
		cancel()
		if err != nil && ctx.Err() == nil {
			if !errors.Is(err, schema.ErrUnavailable) {
				failed = now // else the link fell, or the next heartbeat names the newer one
			}
			n.log.Warn("filter of what the group knows not fetched", "err", err)
		}
	}
}
