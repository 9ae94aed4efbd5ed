package link

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

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
	pulls    int
	pageForm int         // the branch reads
	form     uint32      // of packs it says it reads
	forms    map[int]int // of packs that came
	// pushes: it puts pages into pokes, from where the last full page ended; given is there, nil: not known.
	pushes   bool
	given    *int64
	sum      []byte
	boot     []byte
	referred int // pages that only named their marks
}

type upPack struct {
	seq  uint64
	data []byte
}

func newFakeHQ(b schema.BranchID, z *schema.PackCodec) *fakeHQ {
	h := &fakeHQ{
		branch: b, codec: z, lives: map[schema.Incarnation]*fakeLife{}, frozen: map[schema.Incarnation]bool{}, nonces: map[string]schema.Incarnation{},
		nextInc: 100, applied: map[string]int{}, origins: map[string]bool{}, pageRows: 3, form: 2, forms: map[int]int{},
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
	hd, header, sig, body, err := schema.ParsePackHeader(data)
	if err != nil {
		panic(err)
	}
	changes, err := h.codec.Decode(hd, body)
	if err == nil {
		hd.After = changes[len(changes)-1].Chain
		err = fakeVerify(fakeKey, hd.Signed(header), sig)
	}
	if err != nil {
		panic(err)
	}
	h.forms[hd.Form]++
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

// elsewhere is a change of another branch.
func (h *fakeHQ) elsewhere(n int) {
	h.rev++
	h.feed = append(h.feed, &wirev1.Row{Row: wirev1.RowKind_RECORD, Rev: int64(h.rev), Record: fmt.Appendf(nil, "other%d", n)})
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
		Epoch: h.epoch(), Rev: int64(h.rev), EpochLine: mustWord(&wirev1.EpochLine{Epochs: h.epochs}), Entity: "e1", HqKey: fakeKey, PackForm: h.form,
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
	h.pulls++
	p := h.page(req.GetRev())
	if h.given = nil; p.GetFull() && req.GetPush() {
		h.given, h.sum, h.boot = &p.LastRev, MarksSum(p.GetMarks()), req.GetBoot()
	}
	h.pageForm = int(req.GetForm())
	return EncodePage(h.codec, p, min(h.pageForm, int(h.form)))
}

// poke is what HQ says after it has worked.
func (h *fakeHQ) poke() *wirev1.Poke {
	p := &wirev1.Poke{Epoch: h.epoch(), Rev: int64(h.rev)}
	if !h.pushes || h.given == nil {
		return p
	}
	pg := h.page(*h.given)
	if !pg.GetFull() {
		return p
	}
	p.From, p.Boot = *h.given, h.boot
	sum := MarksSum(pg.GetMarks())
	if bytes.Equal(sum, h.sum) {
		pg.Marks, pg.MarksSum = nil, sum
		h.referred++
	}
	pg.Epoch = 0
	h.given, h.sum = &pg.LastRev, sum
	var err error
	if p.Page, err = EncodePage(h.codec, pg, min(h.pageForm, int(h.form))); err != nil {
		panic(err)
	}
	return p
}

func (h *fakeHQ) page(after int64) *wirev1.Page {
	p := &wirev1.Page{Epoch: h.epoch(), HqRev: int64(h.rev), LastRev: int64(h.rev), Full: true}
	for _, r := range h.feed {
		if r.GetRev() <= after {
			continue
		}
		if len(p.GetRows()) == h.pageRows {
			p.LastRev, p.Full = p.GetRows()[len(p.GetRows())-1].GetRev(), false
			break
		}
		p.Rows = append(p.Rows, r)
	}
	for _, inc := range slices.Sorted(maps.Keys(h.lives)) {
		l := h.lives[inc]
		c := l.chain(schema.Seq(len(l.changes)))
		p.Marks = append(p.Marks, &wirev1.Mark{Branch: string(h.branch), Incarnation: int64(inc), Watermark: int64(len(l.changes)), Chain: c[:]})
	}
	return p
}
