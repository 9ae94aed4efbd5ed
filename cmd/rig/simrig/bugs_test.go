package simrig

import (
	"bytes"
	"context"
	stdsql "database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	hqstore "branchline/hq/store"
	"branchline/node/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
	"branchline/sync/oplog"
	"branchline/sync/sim"
)

// The simulator must tell a right design from a wrong one: each of these doubles
// has one classic mistake, and must be caught within 200 seeds. from is a seed
// near one that catches it, so that the everyday test is short; the soak begins
// at 1.
var bugs = []struct {
	name  string
	from  uint64
	plant func(*Rig)
}{
	{"skip without comparing the chain", 3, func(r *Rig) {
		r.hooks.hq = func(h *hq) sim.HQ { return &blindHQ{hq: h} }
	}},
	{"ack before commit", 1, func(r *Rig) {
		r.hooks.hq = func(h *hq) sim.HQ { return &hastyHQ{hq: h} }
	}},
	{"pending by receipt instead of by the page's snapshot", 110, func(r *Rig) {
		r.hooks.store = func(code schema.BranchID, _ string, s *store.Store) link.BranchStore {
			return &byReceipt{Store: s, code: code}
		}
	}},
	{"base replaced by rev alone", 26, func(r *Rig) {
		r.hooks.store = func(_ schema.BranchID, dir string, s *store.Store) link.BranchStore { return &byRev{s, dir} }
	}},
	{"resend of the current incarnation only", 19, func(r *Rig) {
		r.hooks.store = func(_ schema.BranchID, _ string, s *store.Store) link.BranchStore { return &currentOnly{s} }
	}},
	{"verdict before UP is drained", 23, func(r *Rig) {
		r.hooks.hq = func(h *hq) sim.HQ { return &undrained{h} }
	}},
	{"epoch as a counter", 5, func(r *Rig) {
		r.hooks.rand = func(dir string, x io.Reader) io.Reader { return &counting{x, dir} }
	}},
	{"a rev visible before a lower one", 1, func(r *Rig) {
		r.hooks.hq = func(h *hq) sim.HQ { return &unordered{hq: h} }
	}},
	{"a re-issued change without its origin", 1, func(r *Rig) {
		r.hooks.store = func(code schema.BranchID, dir string, s *store.Store) link.BranchStore {
			return &originless{s, code, dir}
		}
	}},
	{"a page in a poke taken wherever it begins", 50, func(r *Rig) {
		r.hooks.branch = func(b *branch) sim.Branch { return &anywhere{b} }
	}},
}

func soaking() bool { return os.Getenv("BRANCHLINE_SOAK") == "1" }

func TestPlanted_EachIsCaught(t *testing.T) {
	tmpl := NewTemplates(scratch(t))
	dir := scratch(t)
	for _, b := range bugs {
		t.Run(b.name, func(t *testing.T) {
			from, most := b.from, 40
			if soaking() {
				from, most = 1, 200
			}
			for i := range most {
				r := New(tmpl)
				b.plant(r)
				res, err := sim.Run(sim.Config{Seed: from + uint64(i), Rig: r, Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				if res.Failed != nil {
					t.Logf("seed %d (the %d.) breaks %s: %.200s", res.Seed, i+1, res.Failed.Invariant, res.Failed.Text)
					return
				}
			}
			t.Errorf("not caught in seeds %d to %d", from, from+uint64(most)-1)
		})
	}
}

// scratch is a folder in memory if there is one: these runs fsync thousands of times.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(ScratchRoot(), "branchline-sim-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// blindHQ goes by seqs alone: what is at or below its watermark it takes for sent
// twice, and what a branch says of its chain it takes for its own.
type blindHQ struct{ *hq }

func (h *blindHQ) marks() (map[schema.Incarnation]*hqstore.Life, error) {
	out := map[schema.Incarnation]*hqstore.Life{}
	err := h.st.Read(h.ctx, func(r *hqstore.R) error {
		for _, b := range h.st.Branches() {
			lives, err := hqstore.LivesOf(r, b.Num)
			if err != nil {
				return err
			}
			for _, l := range lives {
				out[l.Inc] = l
			}
		}
		return nil
	})
	return out, err
}

func (h *blindHQ) Work(packs []sim.Pack) ([]sim.Word, error) {
	var out []sim.Word
	for _, p := range packs {
		marks, err := h.marks()
		if err != nil {
			return out, err
		}
		hd, _, _, _, err := schema.ParsePackHeader(p.Data)
		if l := marks[hd.Inc]; err == nil && l != nil && hd.Last() <= l.Watermark {
			if err := p.Ack(); err != nil {
				return out, err
			}
			continue
		}
		words, err := h.hq.Work([]sim.Pack{p})
		out = append(out, words...)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func (h *blindHQ) Ask(r sim.Request) ([]byte, error) {
	if r.Verb != link.VerbHello {
		return h.hq.Ask(r)
	}
	req := new(wirev1.HelloRequest)
	if err := proto.Unmarshal(r.Data, req); err != nil {
		return nil, err
	}
	mine := func(inc int64, seq int64) []byte {
		var out []byte
		err := h.st.Read(h.ctx, func(x *hqstore.R) error {
			c, ok, err := h.st.ChainAt(x, schema.Incarnation(inc), schema.Seq(seq))
			if ok {
				out = bytes.Clone(c[:])
			}
			return err
		})
		if err != nil {
			return nil
		}
		return out
	}
	for _, l := range req.GetLives() {
		if c := mine(l.GetIncarnation(), l.GetLastSeq()); c != nil && l.GetLastSeq() > 0 {
			l.LastChain = c
		}
	}
	for _, m := range req.GetHashes() {
		if c := mine(m.GetIncarnation(), m.GetWatermark()); c != nil {
			m.Chain = c
		}
	}
	var err error
	if r.Data, err = proto.Marshal(req); err != nil {
		return nil, err
	}
	return h.hq.Ask(r)
}

// hastyHQ says that it has stored a pack when it has it in hand.
type hastyHQ struct {
	*hq
	hand []sim.Pack
}

func (h *hastyHQ) flush() error {
	hand := h.hand
	h.hand = nil
	if len(hand) == 0 {
		return nil
	}
	_, err := h.hq.Work(hand)
	return err
}

func (h *hastyHQ) Work(packs []sim.Pack) ([]sim.Word, error) {
	if err := h.flush(); err != nil {
		return nil, err
	}
	marks, err := (&blindHQ{h.hq}).marks()
	if err != nil {
		return nil, err
	}
	var out []sim.Word
	var late []sim.Pack
	for _, p := range packs {
		hd, _, _, body, err := schema.ParsePackHeader(p.Data)
		if err == nil {
			var list []schema.Sealed
			if list, err = h.codec.Decode(hd, body); err == nil {
				hd.After = list[len(list)-1].Chain
			}
		}
		l := marks[hd.Inc]
		if err != nil || l == nil || hd.Branch != p.Branch || hd.First != l.Watermark+1 || hd.Before != l.Chain || h.st.Branch(p.Branch).MustHello {
			late = append(late, p)
			continue
		}
		l.Watermark, l.Chain = hd.Last(), hd.After
		w, err := h.st.SignWord(&wirev1.Receipt{
			Branch: string(p.Branch), Incarnation: int64(hd.Inc), Watermark: int64(hd.Last()), Chain: hd.After[:], Epoch: int64(h.Epoch()), Rev: int64(h.Rev()),
		})
		if err != nil {
			return nil, err
		}
		if err := p.Ack(); err != nil {
			return nil, err
		}
		out = append(out, sim.Word{To: p.Branch, Data: w})
		h.hand = append(h.hand, p)
	}
	if len(late) > 0 {
		if err := h.flush(); err != nil {
			return out, err
		}
		words, err := h.hq.Work(late)
		return append(out, words...), err
	}
	return out, nil
}

func (h *hastyHQ) Ask(r sim.Request) ([]byte, error) {
	if err := h.flush(); err != nil {
		return nil, err
	}
	return h.hq.Ask(r)
}

func (h *hastyHQ) Settle() ([]schema.BranchID, error) {
	if err := h.flush(); err != nil {
		return nil, err
	}
	return h.hq.Settle()
}

// byReceipt folds own changes into their bases as soon as a receipt has passed
// them, and takes no page's word for less.
type byReceipt struct {
	*store.Store
	code schema.BranchID
	last *wirev1.Receipt // of the current life
}

func (s *byReceipt) ApplyPage(ctx context.Context, p *wirev1.Page) error {
	for _, m := range p.GetMarks() {
		if s.last != nil && s.last.GetEpoch() == p.GetEpoch() && s.last.GetIncarnation() == m.GetIncarnation() {
			m.Watermark = max(m.GetWatermark(), s.last.GetWatermark())
		}
	}
	return s.Store.ApplyPage(ctx, p)
}

func (s *byReceipt) Receive(ctx context.Context, r *wirev1.Receipt, signed []byte) error {
	if err := s.Store.Receive(ctx, r, signed); err != nil {
		return err
	}
	under, err := s.FullPass(ctx)
	if err != nil || under {
		return err
	}
	lives, err := s.Lives(ctx)
	if err != nil || lives[0].GetIncarnation() != r.GetIncarnation() {
		return err
	}
	cursors, err := s.Cursors(ctx)
	if err != nil || len(cursors) == 0 {
		return err
	}
	c := cursors[0]
	s.last = r
	return s.ApplyPage(ctx, &wirev1.Page{
		Epoch: c.GetEpoch(), HqRev: c.GetRev(), LastRev: c.GetRev(), Full: true,
		Marks: []*wirev1.Mark{{Branch: string(s.code), Incarnation: r.GetIncarnation(), Watermark: r.GetWatermark(), Chain: r.GetChain()}},
	})
}

// byRev takes a row only if its rev is above that of the row it has, whatever
// epoch either is of.
type byRev struct {
	*store.Store
	dir string
}

func open(dir, file, mode string) (*stdsql.DB, error) {
	db, err := stdsql.Open("sqlite", "file:"+filepath.Join(dir, file)+"?mode="+mode)
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func (s *byRev) ApplyPage(ctx context.Context, p *wirev1.Page) (err error) {
	db, err := open(s.dir, store.FileName, "ro")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, r := range p.GetRows() {
		if r.GetRow() != wirev1.RowKind_RECORD {
			continue
		}
		var rev int64
		var base []byte
		err := db.QueryRowContext(ctx, "SELECT rev, coalesce(base, shown) FROM record WHERE id = $1", r.GetRecord()).Scan(&rev, &base)
		if errors.Is(err, stdsql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		if r.GetRev() <= rev {
			r.State = base
		}
	}
	return s.Store.ApplyPage(ctx, p)
}

// currentOnly forgets that it ever wrote under another incarnation.
type currentOnly struct{ *store.Store }

func (s *currentOnly) Lives(ctx context.Context) ([]*wirev1.Life, error) {
	list, err := s.Store.Lives(ctx)
	return list[:min(1, len(list))], err
}

// undrained answers a hello while packs of the branch stand in UP.
type undrained struct{ *hq }

func (h *undrained) BeforeHello(func() error) error { return nil }

// counting numbers the epochs of a database one after the other.
type counting struct {
	io.Reader
	dir string
}

func (c *counting) Read(b []byte) (n int, err error) {
	if len(b) != 8 {
		return io.ReadFull(c.Reader, b)
	}
	db, err := open(c.dir, hqstore.File, "ro")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var last int64
	if err := db.QueryRow("SELECT count(*) FROM epoch").Scan(&last); err != nil {
		return 0, err
	}
	binary.BigEndian.PutUint64(b, uint64(last+1)<<1)
	return 8, nil
}

// unordered shows a page without a row that another transaction has not committed
// yet, though its rev is below others' on the page.
type unordered struct {
	*hq
	pulls int
}

func (h *unordered) Ask(r sim.Request) ([]byte, error) {
	b, err := h.hq.Ask(r)
	if err != nil || r.Verb != link.VerbPull {
		return b, err
	}
	return h.lack(b)
}

func (h *unordered) Poke(b schema.BranchID) (*wirev1.Poke, error) {
	p, err := h.hq.Poke(b)
	if err == nil && len(p.GetPage()) > 0 {
		p.Page, err = h.lack(p.GetPage())
	}
	return p, err
}

func (h *unordered) lack(b []byte) ([]byte, error) {
	p, err := link.DecodePage(h.codec, b)
	if err != nil {
		return nil, err
	}
	if h.pulls++; len(p.GetRows()) < 2 || h.pulls%5 != 0 {
		return b, nil
	}
	i := h.pulls / 5 % (len(p.GetRows()) - 1)
	p.Rows = append(p.Rows[:i], p.Rows[i+1:]...)
	return link.EncodePage(h.codec, p, link.PageForm)
}

// originless re-issues changes as if they were new ones.
type originless struct {
	*store.Store
	code schema.BranchID
	dir  string
}

func (s *originless) Fork(ctx context.Context, f link.Fork) (err error) {
	if err := s.Store.Fork(ctx, f); err != nil {
		return err
	}
	db, err := open(s.dir, store.FileName, "rw")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	lives, err := oplog.Lives(ctx, db)
	if err != nil {
		return err
	}
	chain := schema.Hash{}
	_, rows, err := oplog.Read(ctx, db, lives[0], s.code, 0, 1<<20, 1<<30)
	if err != nil {
		return err
	}
	for _, r := range rows {
		b, err := r.Body()
		if err != nil {
			return err
		}
		b.Origin = nil
		payload, err := proto.Marshal(b)
		if err != nil {
			return err
		}
		chain = schema.NextChain(chain, schema.HashPayload(r.Salt, payload))
		if _, err := db.ExecContext(ctx, "UPDATE change SET payload = $1, chain = $2 WHERE id = $3", payload, chain[:], oplog.RowID(r.No, r.ID.Seq)); err != nil {
			return err
		}
	}
	// A fork of a life that is not there is refused, and has the store read its log anew.
	if err := s.Store.Fork(ctx, link.Fork{Old: f.New + 1, New: f.New + 2}); !errors.Is(err, schema.ErrNotFound) {
		return fmt.Errorf("the log is not read anew: %w", err)
	}
	return nil
}

// anywhere takes the page of a poke for the one behind its cursor.
type anywhere struct{ *branch }

func (b *anywhere) OnPoke(now time.Time, m []byte) {
	p := new(wirev1.Poke)
	if err := proto.Unmarshal(m, p); err == nil && len(p.GetPage()) > 0 {
		p.From = int64(b.Line().Cursor)
		if raw, err := proto.Marshal(p); err == nil {
			m = raw
		}
	}
	b.branch.OnPoke(now, m)
}
