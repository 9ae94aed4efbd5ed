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

// fakeHQ is headquarters in memory: UP, inbox, hello, feed.
type fakeHQ struct {
	branch  schema.BranchID
	epochs  []*wirev1.Epoch
	rev     schema.Rev
	lives   map[schema.Incarnation]*fakeLife
	frozen  map[schema.Incarnation]bool
	nonces  map[string]schema.Incarnation
	nextInc schema.Incarnation
	applied map[string]int // by record: each is written by one change
	origins map[string]bool
	feed    []*wirev1.Row

	stream   string
	up       []upPack
	upSeq    uint64
	worked   uint64
	streams  int
	codec    *schema.PackCodec
	receipts [][]byte // since last taken
	pageRows int
	gate     GateFacts
	asked    int
	lost     []schema.EpochID
	ledger   [][]byte
	line     wirev1.Line // of the last hello
}

type upPack struct {
	seq  uint64
	data []byte
}

func newFakeHQ(b schema.BranchID, z *schema.PackCodec) *fakeHQ {
	h := &fakeHQ{
		branch: b, codec: z, lives: map[schema.Incarnation]*fakeLife{}, frozen: map[schema.Incarnation]bool{}, nonces: map[string]schema.Incarnation{},
		nextInc: 100, applied: map[string]int{}, origins: map[string]bool{}, pageRows: 3,
		gate: GateFacts{BranchMin: 1, BranchMax: 1, HQMin: 1, HQMax: 1},
	}
	h.newStream()
	h.start(1)
	return h
}

// start is a start of HQ's program.
func (h *fakeHQ) start(id int64) {
	e := &wirev1.Epoch{Id: id, BirthRev: int64(h.rev)}
	if n := len(h.epochs); n > 0 {
		e.Parent = h.epochs[n-1].GetId()
	}
	h.epochs = append(h.epochs, e)
}

func (h *fakeHQ) epoch() int64 { return h.epochs[len(h.epochs)-1].GetId() }

func (h *fakeHQ) newStream() {
	h.streams++
	h.stream, h.up, h.upSeq, h.worked = fmt.Sprintf("up%d", h.streams), nil, 0, 0
}

// copy is a copy of HQ's folder; the stream is not in it.
func (h *fakeHQ) copy() *fakeHQ {
	c := *h
	c.epochs, c.feed = slices.Clone(h.epochs), slices.Clone(h.feed)
	c.lives, c.applied, c.origins = map[schema.Incarnation]*fakeLife{}, map[string]int{}, map[string]bool{}
	c.nonces, c.frozen = map[string]schema.Incarnation{}, map[schema.Incarnation]bool{}
	for k, l := range h.lives {
		d := *l
		d.changes = slices.Clone(l.changes)
		c.lives[k] = &d
	}
	for k, v := range h.applied {
		c.applied[k] = v
	}
	for k := range h.origins {
		c.origins[k] = true
	}
	for k, v := range h.nonces {
		c.nonces[k] = v
	}
	for k := range h.frozen {
		c.frozen[k] = true
	}
	c.up, c.receipts = nil, nil
	return &c
}

func (h *fakeHQ) issue(nonce []byte) (schema.Incarnation, []byte) {
	inc, ok := h.nonces[string(nonce)]
	if !ok {
		// Never one that a copy of this HQ might have issued.
		h.nextInc++
		inc = h.nextInc + schema.Incarnation(h.epoch())*1000
		h.nonces[string(nonce)] = inc
		h.lives[inc] = &fakeLife{inc: inc}
	}
	return inc, mustWord(&wirev1.Certificate{Branch: string(h.branch), Incarnation: int64(inc), Nonce: nonce, Epoch: h.epoch()})
}

func (h *fakeHQ) put(data []byte) (string, uint64) {
	h.upSeq++
	h.up = append(h.up, upPack{h.upSeq, data})
	return h.stream, h.upSeq
}

func (h *fakeHQ) receipt(l *fakeLife, edit func(*wirev1.Receipt)) []byte {
	n := schema.Seq(len(l.changes))
	chain := l.chain(n)
	r := &wirev1.Receipt{
		Branch: string(h.branch), Incarnation: int64(l.inc), Watermark: int64(n), Chain: chain[:], Epoch: h.epoch(), Rev: int64(h.rev),
		UpStream: h.stream, UpWorkedOff: h.worked,
	}
	if edit != nil {
		edit(r)
	}
	return mustWord(r)
}

// work takes all packs off UP.
func (h *fakeHQ) work() {
	for _, p := range h.up {
		h.worked = p.seq
		h.take(p.data)
	}
	h.up = nil
}

func (h *fakeHQ) take(data []byte) {
	hd, signed, sig, body, err := schema.ParsePackHeader(data)
	if err == nil {
		err = fakeVerify(fakeKey, signed, sig)
	}
	if err != nil {
		panic(err)
	}
	changes, err := h.codec.Decode(hd, body)
	if err != nil {
		panic(err)
	}
	l := h.lives[hd.Inc]
	if l == nil {
		h.receipts = append(h.receipts, mustWord(&wirev1.Receipt{Branch: string(h.branch), Incarnation: int64(hd.Inc), Hello: true, Epoch: h.epoch(), Rev: int64(h.rev)}))
		return
	}
	w := schema.Seq(len(l.changes))
	switch {
	case hd.First > w+1:
		h.receipts = append(h.receipts, h.receipt(l, func(r *wirev1.Receipt) { r.Gap, r.Gen = true, hd.Gen }))
		return
	case hd.Before != l.chain(hd.First-1), hd.Last() <= w && hd.After != l.chain(hd.Last()):
		h.receipts = append(h.receipts, h.receipt(l, func(r *wirev1.Receipt) { r.Hello = true }))
		return
	}
	for _, c := range changes {
		if c.ID.Seq <= w {
			if c.Chain != l.chain(c.ID.Seq) {
				h.receipts = append(h.receipts, h.receipt(l, func(r *wirev1.Receipt) { r.Hello = true }))
				return
			}
			continue
		}
		l.changes = append(l.changes, c)
		h.apply(c)
	}
	h.receipts = append(h.receipts, h.receipt(l, nil))
}

// apply applies a change by its origin, once.
func (h *fakeHQ) apply(c schema.Sealed) {
	b, err := c.Body()
	if err != nil {
		panic(err)
	}
	key := fmt.Sprintf("%d/%d/%x", c.ID.Inc, c.ID.Seq, c.Chain)
	if o := b.GetOrigin(); o != nil {
		key = fmt.Sprintf("%d/%d/%x", o.GetIncarnation(), o.GetSeq(), o.GetChain())
	}
	if h.origins[key] {
		return
	}
	h.origins[key] = true
	h.applied[string(b.GetRecord())]++
	h.rev++
	h.feed = append(h.feed, &wirev1.Row{Row: wirev1.RowKind_RECORD, Rev: int64(h.rev), Record: b.GetRecord()})
}

func (h *fakeHQ) answer(verb string, req []byte) ([]byte, error) {
	switch verb {
	case "hello":
		return h.hello(req)
	case "pull":
		return h.pull(req)
	case "take":
		return h.takeBack(req)
	case "beat":
		var b wirev1.Beat
		if err := proto.Unmarshal(req, &b); err != nil {
			return nil, err
		}
		r := &wirev1.BeatReply{Number: b.GetNumber(), Epoch: h.epoch(), Rev: int64(h.rev)}
		for _, l := range h.lives {
			if !h.frozen[l.inc] {
				r.Receipts = append(r.Receipts, h.receipt(l, nil))
			}
		}
		return proto.Marshal(r)
	}
	return nil, errors.New("no such verb")
}

func (h *fakeHQ) hello(raw []byte) ([]byte, error) {
	h.work()
	req := new(wirev1.HelloRequest)
	if err := proto.Unmarshal(raw, req); err != nil {
		return nil, err
	}
	out := &wirev1.HelloReply{
		Epoch: h.epoch(), Rev: int64(h.rev), EpochLine: mustWord(&wirev1.EpochLine{Epochs: h.epochs}), Entity: "e1", HqKey: fakeKey,
		Ledger: h.ledger,
	}
	facts := LineFacts{Current: schema.Incarnation(req.GetLives()[0].GetIncarnation()), Ours: h.epochs, Rev: h.rev, Marks: map[schema.Incarnation]schema.Seq{}}
	for inc, l := range h.lives {
		facts.Marks[inc] = schema.Seq(len(l.changes))
	}
	for _, b := range req.GetReceipts() {
		r := new(wirev1.Receipt)
		err := schema.OpenWord(b, r, fakeVerify)
		w := Word{schema.Incarnation(r.GetIncarnation()), schema.Seq(r.GetWatermark()), schema.EpochID(r.GetEpoch()), schema.Rev(r.GetRev())}
		if err != nil {
			facts.Unsigned = append(facts.Unsigned, w)
		} else {
			facts.Signed = append(facts.Signed, w)
		}
	}
	if len(req.GetEpochLine()) > 0 {
		el := new(wirev1.EpochLine)
		if err := schema.OpenWord(req.GetEpochLine(), el, fakeVerify); err == nil {
			facts.Theirs = el.GetEpochs()
		}
	}
	out.Gate, out.Reason = JudgeGate(h.gate)
	if out.GetGate() != wirev1.Gate_OPEN {
		return proto.Marshal(out)
	}
	line := JudgeLine(facts)
	out.Line, h.line = line.Line, line.Line
	if out.Line == wirev1.Line_RESTORED {
		h.lost = append(h.lost, line.Lost)
	}
	for _, l := range req.GetLives() {
		h.judge(req, l, out)
	}
	newest := &wirev1.Cursor{}
	if len(req.GetCursors()) > 0 {
		newest = req.GetCursors()[0]
	}
	if GoodCursor(CursorFacts{schema.EpochID(newest.GetEpoch()), schema.Rev(newest.GetRev()), 0, h.epochs, h.rev}) {
		out.Cursor = newest
	} else {
		out.FullPass = true
	}
	return proto.Marshal(out)
}

func (h *fakeHQ) judge(req *wirev1.HelloRequest, l *wirev1.Life, out *wirev1.HelloReply) {
	inc := schema.Incarnation(l.GetIncarnation())
	own := h.lives[inc]
	f := LifeFacts{
		Inc: inc, Last: schema.Seq(l.GetLastSeq()), Cut: schema.Seq(l.GetPruneCut()), Restored: l.GetRestored(), Former: l.GetFormer(),
		Known: own != nil, Frozen: h.frozen[inc], Equal: map[schema.Seq]bool{},
		Certified: schema.OpenWord(l.GetCertificate(), new(wirev1.Certificate), fakeVerify) == nil,
	}
	if own != nil {
		f.Mark = schema.Seq(len(own.changes))
	}
	compare := func(seq int64, chain []byte) {
		if own != nil && schema.Seq(seq) <= f.Mark && len(chain) > 0 {
			c := own.chain(schema.Seq(seq))
			f.Equal[schema.Seq(seq)] = bytes.Equal(c[:], chain)
		}
	}
	compare(l.GetLastSeq(), l.GetLastChain())
	compare(l.GetPruneCut(), l.GetPruneChain())
	for _, m := range req.GetHashes() {
		if m.GetIncarnation() == l.GetIncarnation() {
			compare(m.GetWatermark(), m.GetChain())
		}
	}
	v := JudgeLife(f)
	for _, s := range v.Ask {
		h.asked++
		out.Ask = append(out.Ask, &wirev1.Mark{Incarnation: int64(inc), Watermark: int64(s)})
	}
	if len(v.Ask) > 0 {
		return
	}
	lv := &wirev1.LifeVerdict{Incarnation: int64(inc), Resume: v.Resume, From: int64(v.From), Reason: v.Reason}
	switch v.Resume {
	case wirev1.Resume_CONTINUE:
		if own == nil {
			own = &fakeLife{inc: inc}
			h.lives[inc] = own
			h.frozen[inc] = l.GetFormer()
		}
		out.Receipts = append(out.Receipts, h.receipt(own, nil))
	case wirev1.Resume_FORKED, wirev1.Resume_REBUILD, wirev1.Resume_ADOPT:
		if own == nil {
			own = &fakeLife{inc: inc}
			h.lives[inc] = own
		}
		h.frozen[inc] = true
		n, cert := h.issue(req.GetNonce())
		lv.NewIncarnation, lv.Certificate = int64(n), cert
		out.Receipts = append(out.Receipts, h.receipt(own, nil))
	}
	out.Lives = append(out.Lives, lv)
}

func (h *fakeHQ) takeBack(raw []byte) ([]byte, error) {
	req := new(wirev1.TakeBackRequest)
	if err := proto.Unmarshal(raw, req); err != nil {
		return nil, err
	}
	l, out := h.lives[schema.Incarnation(req.GetIncarnation())], new(wirev1.TakeBackReply)
	for seq := req.GetAfter() + 1; seq <= int64(len(l.changes)); seq++ {
		if len(out.GetSeqs()) == 2 { // small, so that several pages are needed
			out.More = true
			break
		}
		out.Changes, out.Seqs = append(out.GetChanges(), l.changes[seq-1].Append(nil)), append(out.GetSeqs(), seq)
	}
	return proto.Marshal(out)
}

func (h *fakeHQ) pull(raw []byte) ([]byte, error) {
	req := new(wirev1.PullRequest)
	if err := proto.Unmarshal(raw, req); err != nil {
		return nil, err
	}
	p := &wirev1.Page{Epoch: h.epoch(), HqRev: int64(h.rev), LastRev: int64(h.rev), Full: true}
	for _, r := range h.feed {
		if r.GetRev() <= req.GetRev() {
			continue
		}
		if len(p.GetRows()) == h.pageRows {
			p.LastRev, p.Full = p.GetRows()[len(p.GetRows())-1].GetRev(), false
			break
		}
		p.Rows = append(p.Rows, r)
	}
	for inc, l := range h.lives {
		c := l.chain(schema.Seq(len(l.changes)))
		p.Marks = append(p.Marks, &wirev1.Mark{Branch: string(h.branch), Incarnation: int64(inc), Watermark: int64(len(l.changes)), Chain: c[:]})
	}
	return EncodePage(h.codec, p)
}

var start = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
