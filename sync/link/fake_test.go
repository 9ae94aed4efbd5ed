package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// The other party and the database of these tests: both in memory, both doing
// what their contracts say and nothing more.

const fakeKey = "HQ"

func fakeSign(msg []byte) ([]byte, error) {
	h := schema.HashPayload([16]byte{1}, msg)
	return append(h[:], h[:]...), nil
}

func fakeVerify(key string, msg, sig []byte) error {
	want, _ := fakeSign(msg)
	if key != fakeKey || !bytes.Equal(want, sig) {
		return errors.New("signature does not fit")
	}
	return nil
}

func mustWord(m proto.Message) []byte {
	b, err := schema.SignWord(m, fakeKey, fakeSign)
	if err != nil {
		panic(err)
	}
	return b
}

func mustMarshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

type fakeLife struct {
	inc      schema.Incarnation
	cert     []byte
	cut      schema.Seq
	changes  []schema.Sealed // from seq 1; those at or below cut keep their hash only
	former   bool
	restored bool
	receipt  []byte
	mark     schema.Seq
}

func (l *fakeLife) chain(seq schema.Seq) schema.Hash {
	if seq == 0 {
		return schema.Hash{}
	}
	return l.changes[seq-1].Chain
}

func (l *fakeLife) add(branch schema.BranchID, payload []byte) {
	n := schema.Seq(len(l.changes))
	var salt [16]byte
	binary.BigEndian.PutUint64(salt[:], uint64(l.inc))
	l.changes = append(l.changes, schema.Seal(schema.ChangeID{Branch: branch, Inc: l.inc, Seq: n + 1}, l.chain(n), salt, payload))
}

// fakeStore is a branch's database in memory.
type fakeStore struct {
	branch  schema.BranchID
	lives   []*fakeLife
	nonce   int
	cursors []*wirev1.Cursor
	line    []byte
	ledger  []*wirev1.LedgerEntry
	site    Site
	pass    bool
	shown   map[string]bool
	rows    map[string]int64 // record -> rev
	pages   int
	fail    error // what the next write returns
}

func (s *fakeStore) failed() error {
	err := s.fail
	s.fail = nil
	return err
}

func (s *fakeStore) copy() *fakeStore {
	c := *s
	c.lives = nil
	for _, l := range s.lives {
		d := *l
		d.changes = slices.Clone(l.changes)
		c.lives = append(c.lives, &d)
	}
	c.cursors, c.ledger = slices.Clone(s.cursors), slices.Clone(s.ledger)
	c.rows, c.shown = map[string]int64{}, map[string]bool{}
	for k, v := range s.rows {
		c.rows[k] = v
	}
	for k := range s.shown {
		c.shown[k] = true
	}
	return &c
}

func (s *fakeStore) life(inc schema.Incarnation) *fakeLife {
	for _, l := range s.lives {
		if l.inc == inc {
			return l
		}
	}
	return nil
}

func (s *fakeStore) write(name string) {
	s.lives[0].add(s.branch, mustMarshal(&wirev1.ChangeBody{Record: []byte(name)}))
}

func (s *fakeStore) Lives(context.Context) ([]*wirev1.Life, error) {
	var out []*wirev1.Life
	for _, l := range s.lives {
		n := schema.Seq(len(l.changes))
		last, cut := l.chain(n), l.chain(l.cut)
		out = append(out, &wirev1.Life{
			Incarnation: int64(l.inc), Certificate: l.cert, LastSeq: int64(n), LastChain: last[:],
			PruneCut: int64(l.cut), PruneChain: cut[:], Restored: l.restored, Former: l.former,
		})
	}
	return out, nil
}

func (s *fakeStore) Nonce(context.Context) ([]byte, error) {
	return fmt.Appendf(nil, "nonce %d", s.nonce), nil
}

func (s *fakeStore) Outgoing(_ context.Context, inc schema.Incarnation, after schema.Seq, n, _ int) (schema.Hash, []schema.Sealed, error) {
	l := s.life(inc)
	if after < l.cut || after > schema.Seq(len(l.changes)) {
		return schema.Hash{}, nil, nil
	}
	out := l.changes[after:]
	return l.chain(after), slices.Clone(out[:min(n, len(out))]), nil
}

func (s *fakeStore) ChainAt(_ context.Context, inc schema.Incarnation, seq schema.Seq) (schema.Hash, bool, error) {
	l := s.life(inc)
	if l == nil || seq > schema.Seq(len(l.changes)) || seq < l.cut {
		return schema.Hash{}, false, nil
	}
	return l.chain(seq), true, nil
}

func (s *fakeStore) Receive(_ context.Context, r *wirev1.Receipt, signed []byte) error {
	if err := s.failed(); err != nil {
		return err
	}
	l := s.life(schema.Incarnation(r.GetIncarnation()))
	l.receipt, l.mark = signed, schema.Seq(r.GetWatermark())
	l.cut = max(l.cut, min(schema.Seq(r.GetForgetBelow())-1, l.mark))
	return nil
}

func (s *fakeStore) AtDoor(schema.Incarnation, schema.Seq) {}

func (s *fakeStore) Receipts(context.Context) ([][]byte, error) {
	var out [][]byte
	for _, l := range s.lives {
		if l.receipt != nil {
			out = append(out, l.receipt)
		}
	}
	return out, nil
}

func (s *fakeStore) Cursors(context.Context) ([]*wirev1.Cursor, error) { return s.cursors, nil }
func (s *fakeStore) EpochLine(context.Context) ([]byte, error)         { return s.line, nil }
func (s *fakeStore) SaveEpochLine(_ context.Context, b []byte) error   { s.line = b; return nil }
func (s *fakeStore) FullPass(context.Context) (bool, error)            { return s.pass, nil }
func (s *fakeStore) SaveSite(_ context.Context, x Site) error          { s.site = x; return nil }

func (s *fakeStore) SetCursor(_ context.Context, c *wirev1.Cursor) error {
	s.cursors = append([]*wirev1.Cursor{c}, s.cursors...)
	if len(s.cursors) > 16 {
		s.cursors = s.cursors[:16]
	}
	return nil
}

func (s *fakeStore) BeginFullPass(context.Context) error {
	s.pass, s.shown = true, map[string]bool{}
	return nil
}

func (s *fakeStore) ApplyPage(ctx context.Context, p *wirev1.Page) error {
	if err := s.failed(); err != nil {
		return err
	}
	s.pages++
	for _, r := range p.GetRows() {
		s.rows[string(r.GetRecord())] = r.GetRev()
		s.shown[string(r.GetRecord())] = true
	}
	if p.GetFull() && s.pass {
		s.pass = false
		for k := range s.rows {
			if !s.shown[k] {
				delete(s.rows, k)
			}
		}
	}
	return s.SetCursor(ctx, &wirev1.Cursor{Epoch: p.GetEpoch(), Rev: p.GetLastRev()})
}

func (s *fakeStore) Ledger(context.Context) ([]*wirev1.LedgerEntry, error) { return s.ledger, nil }

func (s *fakeStore) TakeLedger(_ context.Context, in []*wirev1.LedgerEntry) error {
	for _, e := range in {
		if !slices.ContainsFunc(s.ledger, func(x *wirev1.LedgerEntry) bool { return bytes.Equal(x.GetId(), e.GetId()) }) {
			s.ledger = append(s.ledger, e)
		}
	}
	return nil
}

func (s *fakeStore) Fork(_ context.Context, f Fork) error {
	if err := s.failed(); err != nil {
		return err
	}
	old := s.life(f.Old)
	fresh := &fakeLife{inc: f.New, cert: f.Certificate}
	tail := slices.Clone(old.changes[f.From:])
	back := map[schema.Hash]bool{}
	for _, c := range f.Back {
		back[c.Chain] = true
	}
	old.changes = append(old.changes[:f.From:f.From], f.Back...)
	old.former, old.restored = true, false
	for _, c := range tail {
		if back[c.Chain] {
			continue
		}
		b, err := c.Body()
		if err != nil {
			return err
		}
		if b.GetOrigin() == nil {
			b.Origin = &wirev1.Origin{Incarnation: int64(c.ID.Inc), Seq: int64(c.ID.Seq), Chain: c.Chain[:]}
		}
		fresh.add(s.branch, mustMarshal(b))
	}
	s.lives = append([]*fakeLife{fresh}, s.lives...)
	s.nonce++
	return nil
}

var start = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
