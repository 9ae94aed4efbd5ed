// Package known makes the filter by which branches that are cut off learn that a
// person or a car is perhaps known in the group (schema/known), and gives it out.
//
// Rules:
//   - In it are all customers and vehicles in force, whoever they are of; but not a
//     customer who has refused that their data is shared.
//   - The marks of each record follow the records behind the line. The filter is made
//     anew when more than one record in a hundred has other marks than when it was
//     last made, or a day after, and not when none has.
//   - Each version stands in pieces; a branch that comes for a piece of another
//     version is told, and begins anew.
//
// It promises that a filter is of all records at or after the moment it was begun,
// and takes some fifteen bytes of memory a mark while it is made (28 MB for a million
// customers and as many cars). Nothing waits for it.
package known

import (
	"bytes"
	"context"
	"crypto/sha256"
	stdsql "database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/behind"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	filter "branchline/schema/known"
)

const (
	// look is how often it is asked whether a filter is due, day when one is for any change at all, and pause with
	// pauseEach the least between two: a small group changes by more than a hundredth with each customer, and a large one
	// that is being taken over from elsewhere does so again and again.
	look      = 5 * time.Second
	day       = 24 * time.Hour
	pause     = 30 * time.Second
	pauseEach = time.Millisecond
	// pieceSize is well below the largest answer, and not long on a slow line.
	pieceSize = 256 << 10
)

// Known is safe for concurrent use.
type Known struct {
	st     *store.Store
	log    *slog.Logger
	now    func() time.Time
	follow *behind.Follower

	mu   sync.Mutex
	last made
}

// made is a filter as table known_made says it.
type made struct {
	version               []byte
	size, records, madeAt int64
	pieces                int32
	changed               int64
}

// New starts nothing.
func New(st *store.Store, log *slog.Logger, now func() time.Time) (*Known, error) {
	if st == nil || log == nil || now == nil {
		return nil, errors.New("hq/known: store, log and now are needed")
	}
	k := &Known{st: st, log: log.With("room", "hq/known"), now: now}
	var err error
	k.follow, err = behind.New(st, k.log, behind.Task{
		Name: "known", Form: filter.Form, Kinds: []schema.Kind{schema.Customer, schema.Vehicle},
		Clear: []string{"DELETE FROM known_mark"}, Derive: k.derive,
	})
	return k, err
}

// Run follows the records, and makes a filter when one is due, until ctx ends.
func (k *Known) Run(ctx context.Context) error {
	return k.follow.RunAnd(ctx, look, func(ctx context.Context) {
		if err := k.keep(ctx); err != nil && ctx.Err() == nil {
			k.log.Error("filter of what the group knows not made", "err", err)
		}
	})
}

// keep makes a filter if one is due.
func (k *Known) keep(ctx context.Context) error {
	m, err := k.read(ctx)
	if err != nil {
		return err
	}
	if !m.due(k.now()) {
		return nil
	}
	return k.Make(ctx)
}

// due tells whether a new filter is to be made in place of m.
func (m made) due(now time.Time) bool {
	age := now.Sub(time.UnixMilli(m.madeAt)).Abs() // of a clock that went back as of one that went on
	switch {
	case m.changed == 0 || age < pause+time.Duration(m.records)*pauseEach:
		return false
	case age >= day:
		return true
	}
	return m.changed*100 > m.records
}

// read gives the filter there is; none has no version.
func (k *Known) read(ctx context.Context) (m made, err error) {
	err = k.st.Read(ctx, func(r *store.R) error {
		m, err = readMade(r)
		return err
	})
	if err == nil {
		k.mu.Lock()
		k.last = m
		k.mu.Unlock()
	}
	return m, err
}

func readMade(r store.Reader) (m made, err error) {
	_, err = r.Scan("SELECT version, size, pieces, records, made_at, changed FROM known_made WHERE one = 1", nil,
		&m.version, &m.size, &m.pieces, &m.records, &m.madeAt, &m.changed)
	return m, err
}

// Version is that of the filter branches may fetch, as last seen; empty: there is none yet.
func (k *Known) Version() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last.version
}

// Make makes the filter of all records there are now. When that is the one there is, nothing else is done.
func (k *Known) Make(ctx context.Context) error {
	if err := k.follow.CatchUp(ctx); err != nil {
		return err
	}
	b := filter.NewBuilder(k.st.IDKey())
	var m made
	var before int64 // changes that are in it
	err := k.st.Read(ctx, func(r *store.R) error {
		was, err := readMade(r)
		if err != nil {
			return err
		}
		before = was.changed
		// What is no record any more has been forgotten.
		return r.Each("SELECT marks FROM known_mark WHERE EXISTS (SELECT 1 FROM record WHERE record.n = known_mark.n)", nil, func(rows *stdsql.Rows) error {
			var raw stdsql.RawBytes
			if err := rows.Scan(&raw); err != nil {
				return err
			}
			m.records++
			for ; len(raw) >= markSize; raw = raw[markSize:] {
				b.Add(filter.Sort(raw[0]), filter.Mark(binary.BigEndian.Uint32(raw[1:])))
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("hq/known: make: %w", err)
	}
	raw := b.Bytes()
	sum := sha256.Sum256(raw)
	m.version, m.size, m.madeAt = sum[:], int64(len(raw)), k.now().UnixMilli()
	err = k.st.Write(ctx, func(w *store.W) error {
		was, err := readMade(w)
		if err != nil {
			return err
		}
		m.changed, m.pieces = was.changed-before, was.pieces
		if !bytes.Equal(was.version, m.version) {
			if m.pieces, err = writePieces(w, raw); err != nil {
				return err
			}
		}
		return writeMade(w, m)
	})
	if err != nil {
		return fmt.Errorf("hq/known: make: %w", err)
	}
	k.mu.Lock()
	k.last = m
	k.mu.Unlock()
	k.log.Info("filter of what the group knows made", "records", m.records, "bytes", m.size)
	return nil
}

func writePieces(w *store.W, raw []byte) (n int32, err error) {
	if _, err := w.Exec("DELETE FROM known_piece"); err != nil {
		return 0, err
	}
	for part := range slices.Chunk(raw, pieceSize) {
		if _, err := w.Exec("INSERT INTO known_piece (piece, data) VALUES ($1, $2)", n, part); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func writeMade(w *store.W, m made) error {
	_, err := w.Exec(`INSERT INTO known_made (one, version, size, pieces, records, made_at, changed) VALUES (1, $1, $2, $3, $4, $5, $6)
		ON CONFLICT (one) DO UPDATE SET version = excluded.version, size = excluded.size, pieces = excluded.pieces,
			records = excluded.records, made_at = excluded.made_at, changed = excluded.changed`,
		m.version, m.size, m.pieces, m.records, m.madeAt, m.changed)
	return err
}

// Piece gives a branch a piece of the filter. With another version asked for than
// the one there is, the answer names that one and holds no piece. schema.ErrNotFound:
// no such branch or piece; ErrForbidden: the branch has no standing; ErrUnavailable:
// HQ gives nothing out now.
func (k *Known) Piece(ctx context.Context, code schema.BranchID, req *wirev1.KnownRequest) (*wirev1.KnownReply, error) {
	b := k.st.Branch(code)
	if b == nil || b.Num == store.HQNum {
		return nil, fmt.Errorf("hq/known: branch %s: %w", code, schema.ErrNotFound)
	}
	if why := k.st.Held(); why != "" {
		return nil, fmt.Errorf("hq/known: %s: %w", why, schema.ErrUnavailable)
	}
	if !b.Open() {
		return nil, fmt.Errorf("hq/known: the branch has no standing with headquarters: %w", schema.ErrForbidden)
	}
	return k.reply(ctx, req)
}

func (k *Known) reply(ctx context.Context, req *wirev1.KnownRequest) (*wirev1.KnownReply, error) {
	out := new(wirev1.KnownReply)
	err := k.st.Read(ctx, func(r *store.R) error {
		m, err := readMade(r)
		if err != nil {
			return err
		}
		out.Version, out.Size, out.Pieces, out.MadeAt = m.version, m.size, m.pieces, m.madeAt
		if len(m.version) == 0 || !bytes.Equal(req.GetVersion(), m.version) {
			return nil
		}
		found, err := r.Scan("SELECT data FROM known_piece WHERE piece = $1", []any{req.GetPiece()}, &out.Data)
		if err == nil && !found {
			err = fmt.Errorf("piece %d: %w", req.GetPiece(), schema.ErrNotFound)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hq/known: %w", err)
	}
	return out, nil
}

// markSize is a mark with its sort.
const markSize = 5

// marks are what some records are known by; none for one that is not to be told of.
type marks struct {
	recs []*store.Rec
	of   [][]byte
}

func (k *Known) derive(recs []*store.Rec) (func(*store.W) error, error) {
	m := marks{recs, make([][]byte, len(recs))}
	marker := filter.NewMarker(k.st.IDKey())
	for i, r := range recs {
		if r.Retired != 0 {
			continue
		}
		things, err := thingsOf(r)
		if err != nil {
			k.log.Error("record not readable: branches do not learn that it is known", "record", schema.ResourceName(r.Kind, r.ID), "err", err)
			continue
		}
		var all [][markSize]byte
		for _, t := range things {
			var b [markSize]byte
			b[0] = byte(t.Sort)
			binary.BigEndian.PutUint32(b[1:], uint32(marker.Mark(t)))
			all = append(all, b)
		}
		slices.SortFunc(all, func(a, b [markSize]byte) int { return bytes.Compare(a[:], b[:]) })
		for _, b := range slices.Compact(all) {
			m.of[i] = append(m.of[i], b[:]...)
		}
	}
	return m.write, nil
}

// thingsOf is what a record is known by.
func thingsOf(r *store.Rec) ([]filter.Thing, error) {
	msg, err := store.MessageOf(schema.KindOf(r.Kind), r.State)
	if err != nil {
		return nil, err
	}
	if r.Kind == schema.Vehicle {
		v := new(branchlinev1.Vehicle)
		if err := proto.Unmarshal(msg, v); err != nil {
			return nil, err
		}
		return filter.VINs(v.GetVin()), nil
	}
	c := new(branchlinev1.Customer)
	if err := proto.Unmarshal(msg, c); err != nil {
		return nil, err
	}
	if s := c.GetConsentSharing(); s != nil && !s.GetGiven() {
		return nil, nil
	}
	out := filter.IDs(c.GetIdHash())
	for _, p := range c.GetPhones() {
		out = append(out, filter.Phones(p.GetNumber())...)
	}
	return out, nil
}

// write writes the marks of the records and counts those that are others than before.
func (m marks) write(w *store.W) error {
	keys := make([]any, len(m.recs))
	for i, r := range m.recs {
		keys[i] = r.N
	}
	had := map[int64][]byte{}
	err := w.In("SELECT n, marks FROM known_mark WHERE n", "", keys, func(rows *stdsql.Rows) error {
		var n int64
		var b []byte
		err := rows.Scan(&n, &b)
		had[n] = b
		return err
	})
	if err != nil {
		return err
	}
	var gone, rows []any
	changed := int64(0)
	for i, r := range m.recs {
		was, held := had[r.N]
		switch {
		case bytes.Equal(was, m.of[i]): // also none, then and now
			continue
		case len(m.of[i]) > 0:
			rows = append(rows, r.N, m.of[i])
		case held:
			gone = append(gone, r.N)
		}
		changed++
	}
	if changed == 0 {
		return nil
	}
	if err := w.ExecIn("DELETE FROM known_mark WHERE n", "", gone); err != nil {
		return err
	}
	if _, err := w.Insert("INSERT INTO known_mark (n, marks)", "ON CONFLICT (n) DO UPDATE SET marks = excluded.marks", 2, rows); err != nil {
		return err
	}
	made, err := readMade(w)
	if err != nil {
		return err
	}
	if made.version == nil {
		made.version = []byte{} // none yet, but something to make one of
	}
	made.changed += changed
	return writeMade(w, made)
}
