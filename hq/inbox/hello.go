package inbox

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/clock"
	"branchline/sync/link"
)

// Probe asks the branch's links whether another run of its program than boot is
// alive. It blocks at most two seconds.
type Probe func(ctx context.Context, boot []byte) (other []byte, alive bool)

// lowDisk is the free space below which a branch's disk is an alarm.
const lowDisk = 512 << 20

// Hello answers a branch that came back: it gathers the facts, asks the pure
// questions (sync/link) in their order and carries the verdict out, all in one
// transaction. The caller has worked off what stood in UP of this branch.
// schema.ErrNotFound for no such branch.
func (i *Inbox) Hello(ctx context.Context, code schema.BranchID, req *wirev1.HelloRequest, probe Probe) (*wirev1.HelloReply, error) {
	return i.HelloBy(ctx, code, "", req, probe)
}

// HelloBy is Hello over a link that was opened with this public key; "" when only
// one could be.
func (i *Inbox) HelloBy(ctx context.Context, code schema.BranchID, key string, req *wirev1.HelloRequest, probe Probe) (*wirev1.HelloReply, error) {
	var other []byte
	if probe != nil {
		// Before any lock: it may take two seconds.
		if b, alive := probe(ctx, req.GetBoot()); alive {
			other = b
			if other == nil {
				other = []byte{}
			}
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	b, err := i.branch(code)
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: hello: %w", err)
	}
	// What the branch was told since, an old hello must not undo: it would be judged by facts that are no more.
	last := i.hellos[b.Num]
	if n := req.GetNumber(); n > 0 && last.boot == string(req.GetBoot()) && n <= last.number {
		return nil, fmt.Errorf("hq/inbox: hello %d of %s comes late: %w", n, code, schema.ErrConflict)
	}
	i.hellos[b.Num] = numbered{string(req.GetBoot()), req.GetNumber()}
	h := &hello{i: i, req: req, key: key, other: other, out: &wirev1.HelloReply{}, asked: map[string]bool{}}
	err = i.write(ctx, false, func(r *run) error {
		h.r, h.b = r, r.w.BranchNum(b.Num)
		return h.answer()
	})
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: hello of %s: %w", code, err)
	}
	if err := h.words(ctx); err != nil {
		return nil, fmt.Errorf("hq/inbox: hello of %s: %w", code, err)
	}
	i.log.Info("hello", "branch", code, "gate", h.out.GetGate(), "line", h.out.GetLine(), "asked", len(h.out.GetAsk()), "full", h.out.GetFullPass())
	return h.out, nil
}

// numbered is the last hello of a branch that was judged.
type numbered struct {
	boot   string
	number uint64
}

// hello is one hello being answered.
type hello struct {
	i     *Inbox
	r     *run
	b     *store.Branch
	req   *wirev1.HelloRequest
	key   string
	other []byte // another boot that is alive; nil: none
	out   *wirev1.HelloReply
	named map[schema.Incarnation]schema.Seq // receipts the branch showed
	lives []*store.Life                     // HQ's, of this branch
	told  []schema.Incarnation              // for which a receipt goes along
	asked map[string]bool                   // ledger ids not to be asked for again
}

func (h *hello) answer() error {
	var err error
	if h.lives, err = store.LivesOf(h.r, h.b.Num); err != nil {
		return err
	}
	if err := h.ledger(); err != nil {
		return err
	}
	if len(h.out.GetLedgerWant()) > 0 {
		return nil // what it has may decide the rest
	}
	gate, why := link.JudgeGate(h.gateFacts())
	line := link.LineVerdict{}
	if gate == wirev1.Gate_OPEN || gate == wirev1.Gate_SALVAGE {
		line = link.JudgeLine(h.lineFacts())
	}
	if gate == wirev1.Gate_OPEN && (line.Line == wirev1.Line_SAME || line.Line == wirev1.Line_RESTORED) || gate == wirev1.Gate_SALVAGE {
		asked, err := h.judgeLives(gate == wirev1.Gate_SALVAGE)
		if err != nil || asked {
			return err
		}
	}
	h.out.Gate, h.out.Line, h.out.Reason = gate, line.Line, why
	if why == "" {
		h.out.Reason = line.Reason
	}
	h.warn()
	if err := h.carryOut(gate, line); err != nil {
		return err
	}
	return h.cursor()
}

// ledger compares the two sets of entries. What the branch lacks goes down
// whatever the verdict; what HQ lacks is asked for before any verdict.
func (h *hello) ledger() error {
	theirs := map[string]bool{}
	for _, id := range h.req.GetLedgerIds() {
		theirs[string(id)] = true
	}
	var given []*wirev1.LedgerEntry
	for _, raw := range h.req.GetLedger() {
		e := new(wirev1.LedgerEntry)
		if err := proto.Unmarshal(raw, e); err != nil || len(e.GetId()) != 16 || !theirs[string(e.GetId())] || !h.i.st.Genuine(e) {
			h.asked[string(e.GetId())] = true // asked for once, and no good
			continue
		}
		given = append(given, e)
	}
	if len(given) > 0 {
		if err := h.r.w.AddLedger(given...); err != nil {
			return err
		}
		h.b = h.r.w.BranchNum(h.b.Num)
		clear(h.i.lives)
		var err error
		if h.lives, err = store.LivesOf(h.r, h.b.Num); err != nil {
			return err
		}
	}
	ours := map[string]bool{}
	for _, e := range h.i.st.Ledger() {
		ours[string(e.GetId())] = true
		if theirs[string(e.GetId())] {
			continue
		}
		raw, err := proto.Marshal(e)
		if err != nil {
			return err
		}
		h.out.Ledger = append(h.out.Ledger, raw)
	}
	for _, id := range h.req.GetLedgerIds() {
		if !ours[string(id)] && len(id) == 16 && !h.asked[string(id)] {
			h.out.LedgerWant = append(h.out.LedgerWant, id)
		}
	}
	return nil
}

func (h *hello) gateFacts() link.GateFacts {
	f := link.GateFacts{
		Retired: h.b.State == store.Retired, OtherBoot: h.other != nil,
		BranchMin: h.req.GetSchemaMin(), BranchMax: h.req.GetSchemaMax(), HQMin: SchemaMin, HQMax: SchemaMax,
	}
	if h.key == "" {
		f.Revoked = h.b.State == store.Revoked
		return f
	}
	k, ok := h.i.st.KeyOf(h.key)
	f.Revoked = !ok || k.State == store.KeyRevoked || k.Branch != h.b.Num
	f.Replaced = k.State == store.KeyReplaced
	return f
}

func (h *hello) lineFacts() link.LineFacts {
	f := link.LineFacts{
		Claimed: schema.Seq(h.req.GetClaimedAck()), Ours: h.i.st.Epochs(), Rev: h.r.w.Rev(), Marks: map[schema.Incarnation]schema.Seq{},
	}
	h.named = map[schema.Incarnation]schema.Seq{}
	if l := h.req.GetLives(); len(l) > 0 {
		f.Current = schema.Incarnation(l[0].GetIncarnation())
	}
	for _, l := range h.lives {
		f.Marks[l.Inc] = l.Watermark
	}
	for _, raw := range h.req.GetReceipts() {
		m := new(wirev1.Receipt)
		err := h.i.st.OpenWord(raw, m)
		if err != nil {
			// What it claims is judged, though nobody vouches for it: a branch that counts on more than HQ has must not go on.
			m = new(wirev1.Receipt)
			if schema.OpenWord(raw, m, func(string, []byte, []byte) error { return nil }) != nil {
				continue // it claims nothing that could be read
			}
		}
		w := link.Word{
			Inc: schema.Incarnation(m.GetIncarnation()), Watermark: schema.Seq(m.GetWatermark()),
			Epoch: schema.EpochID(m.GetEpoch()), Rev: schema.Rev(m.GetRev()),
		}
		if err != nil || m.GetBranch() != string(h.b.Code) {
			f.Unsigned = append(f.Unsigned, w)
			continue
		}
		h.named[w.Inc] = w.Watermark
		f.Signed = append(f.Signed, w)
	}
	if raw := h.req.GetEpochLine(); len(raw) > 0 {
		m := new(wirev1.EpochLine)
		if h.i.st.OpenWord(raw, m) == nil {
			f.Theirs = m.GetEpochs()
		}
	}
	return f
}

// judgeLives asks the third question of each incarnation. asked: HQ needs chain hashes first.
func (h *hello) judgeLives(salvage bool) (asked bool, err error) {
	type judged struct {
		life *wirev1.Life
		own  *store.Life
		out  link.LifeOut
	}
	var list []judged
	for _, l := range h.req.GetLives() {
		own := h.own(schema.Incarnation(l.GetIncarnation()))
		f, err := h.lifeFacts(l, own)
		if err != nil {
			return false, err
		}
		if salvage {
			// Its unsent tail once up, nothing else: no new life for it.
			f.Former, f.Restored = true, false
		}
		out := link.JudgeLife(f)
		if salvage && (out.Resume == wirev1.Resume_FORKED || out.Resume == wirev1.Resume_REBUILD) {
			out = link.LifeOut{Resume: wirev1.Resume_REFUSE, Reason: out.Reason}
		}
		for _, s := range out.Ask {
			asked = true
			h.out.Ask = append(h.out.Ask, &wirev1.Mark{Branch: string(h.b.Code), Incarnation: l.GetIncarnation(), Watermark: int64(s)})
		}
		list = append(list, judged{l, own, out})
	}
	if asked {
		return true, nil
	}
	for _, x := range list {
		v := &wirev1.LifeVerdict{Incarnation: x.life.GetIncarnation(), Resume: x.out.Resume, From: int64(x.out.From), Reason: x.out.Reason}
		if err := h.carryLife(x.life, x.own, v); err != nil {
			return false, err
		}
		h.out.Lives = append(h.out.Lives, v)
	}
	if l := h.out.GetLives(); len(l) > 0 && l[0].GetResume() == wirev1.Resume_CONTINUE && !salvage {
		return false, h.aloneNow()
	}
	return false, nil
}

// aloneNow ends the lives of other machines that were this branch: the one whose
// hello is answered goes on alone. What they wrote it can only have from the feed,
// which leaves a branch's own edits out, so a pass begins.
func (h *hello) aloneNow() error {
	for _, own := range h.lives {
		named := slices.ContainsFunc(h.req.GetLives(), func(l *wirev1.Life) bool { return l.GetIncarnation() == int64(own.Inc) })
		if named || own.State == store.LifeFrozen || own.Watermark == 0 {
			continue
		}
		if err := h.freeze(own); err != nil {
			return err
		}
		if err := h.r.w.SetBranch(h.b.Num, func(b *store.Branch) { b.Confirmed = store.PassDue }); err != nil {
			return err
		}
	}
	return nil
}

func (h *hello) own(inc schema.Incarnation) *store.Life {
	for _, l := range h.lives {
		if l.Inc == inc {
			return l
		}
	}
	return nil
}

func (h *hello) lifeFacts(l *wirev1.Life, own *store.Life) (link.LifeFacts, error) {
	f := link.LifeFacts{
		Inc: schema.Incarnation(l.GetIncarnation()), Last: schema.Seq(l.GetLastSeq()), Cut: schema.Seq(l.GetPruneCut()),
		Restored: l.GetRestored(), Former: l.GetFormer(), Known: own != nil, ReEnrol: h.b.ReEnrol, Equal: map[schema.Seq]bool{},
	}
	cert := new(wirev1.Certificate)
	if err := h.i.st.OpenWord(l.GetCertificate(), cert); err == nil {
		f.Certified = cert.GetBranch() == string(h.b.Code) && cert.GetIncarnation() == l.GetIncarnation()
	}
	for _, e := range h.i.st.Ledger() {
		f.Frozen = f.Frozen || e.GetKind() == wirev1.LedgerKind_INCARNATION_FROZEN && e.GetIncarnation() == l.GetIncarnation()
	}
	if own == nil {
		return f, nil
	}
	f.Mark, f.Frozen = own.Watermark, f.Frozen || own.State == store.LifeFrozen
	compare := func(seq int64, chain []byte) error {
		if len(chain) == 0 || schema.Seq(seq) > own.Watermark {
			return nil
		}
		ours, ok, err := h.i.st.ChainAt(h.r, own.Inc, schema.Seq(seq))
		if err == nil && ok {
			f.Equal[schema.Seq(seq)] = bytes.Equal(ours[:], chain)
		}
		return err
	}
	if err := compare(l.GetLastSeq(), l.GetLastChain()); err != nil {
		return f, err
	}
	if err := compare(l.GetPruneCut(), l.GetPruneChain()); err != nil {
		return f, err
	}
	for _, m := range h.req.GetHashes() {
		if m.GetIncarnation() == l.GetIncarnation() {
			if err := compare(m.GetWatermark(), m.GetChain()); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

// carryLife does what a verdict on one incarnation says.
func (h *hello) carryLife(l *wirev1.Life, own *store.Life, v *wirev1.LifeVerdict) error {
	inc := schema.Incarnation(l.GetIncarnation())
	switch v.GetResume() {
	case wirev1.Resume_CONTINUE:
		if own == nil {
			// Certified, and forgotten by an HQ that was put back.
			if _, err := h.forgotten(l); err != nil {
				return err
			}
		}
		h.told = append(h.told, inc)
	case wirev1.Resume_FORKED, wirev1.Resume_REBUILD, wirev1.Resume_ADOPT:
		if own == nil && l.GetFormer() && h.i.st.OpenWord(l.GetCertificate(), new(wirev1.Certificate)) != nil {
			return nil // another HQ's: it is nothing here, and what it holds comes under the present one
		}
		if own == nil {
			var err error
			if own, err = h.forgotten(l); err != nil {
				return err
			}
		}
		if l.GetFormer() {
			// It has left this life already: what HQ lacks of it comes under the present one.
			return h.freeze(own)
		}
		if err := h.freeze(own); err != nil {
			return err
		}
		h.told = append(h.told, inc)
		fresh, err := h.issue()
		if err != nil {
			return err
		}
		v.Certificate, v.NewIncarnation = fresh.Certificate, int64(fresh.Inc)
		// What the branch wrote in lives that this machine does not keep, it can only
		// have from the feed, which leaves a branch's own edits out: no cursor is good
		// until a pass has begun.
		if err := h.r.w.SetBranch(h.b.Num, func(b *store.Branch) { b.Confirmed = store.PassDue }); err != nil {
			return err
		}
		h.i.log.Info("new incarnation", "branch", h.b.Code, "verdict", v.GetResume(), "why", v.GetReason(), "from", v.GetFrom())
	case wirev1.Resume_REFUSE:
		return h.r.w.Alarm(h.b.Num, store.AlarmRefused, v.GetReason())
	}
	return nil
}

func (h *hello) forgotten(l *wirev1.Life) (*store.Life, error) {
	var nonce []byte
	cert := new(wirev1.Certificate)
	if h.i.st.OpenWord(l.GetCertificate(), cert) == nil {
		nonce = cert.GetNonce()
	}
	own, err := h.r.w.Register(h.b, schema.Incarnation(l.GetIncarnation()), nonce)
	if err == nil {
		h.lives = append(h.lives, own)
	}
	return own, err
}

// freeze ends an incarnation; what stood aside of it is applied by origin now.
func (h *hello) freeze(own *store.Life) error {
	if own.State != store.LifeFrozen {
		if err := h.r.w.Freeze(h.b, own.Inc); err != nil {
			return err
		}
		own.State = store.LifeFrozen
		delete(h.i.lives, own.Inc)
	}
	l, err := h.r.life(own.Inc)
	if err != nil || l == nil {
		return err
	}
	return h.r.applySides(l, h.b)
}

// issue gives the incarnation bound to the nonce of this hello: the same again
// when the answer was lost and the machine asks once more.
func (h *hello) issue() (*store.Life, error) {
	for _, l := range h.lives {
		// One that was written to another machine has: a copy of the folder holds the same nonce.
		if l.State == store.LifeCurrent && l.Watermark == 0 && len(l.Nonce) > 0 && bytes.Equal(l.Nonce, h.req.GetNonce()) {
			return l, nil
		}
	}
	if len(h.req.GetNonce()) < 16 {
		return nil, schema.Invalid("nonce", "has %d bytes: a new incarnation is bound to at least 16", len(h.req.GetNonce()))
	}
	l, err := h.r.w.Issue(h.b, h.req.GetNonce())
	if err == nil {
		h.lives = append(h.lives, l)
	}
	return l, err
}

func (h *hello) warn() {
	ahead := h.req.GetClock() - h.r.now.UnixMilli()
	if d := time.Duration(ahead) * time.Millisecond; d.Abs() > clock.Lead {
		h.out.Warnings = append(h.out.Warnings, fmt.Sprintf("the branch's clock is %s off headquarters'", d.Round(time.Second)))
	}
	if n := h.req.GetFreeDisk(); n > 0 && n < lowDisk {
		h.out.Warnings = append(h.out.Warnings, fmt.Sprintf("only %d MB are free on the branch's disk", n>>20))
	}
}

// carryOut does what gate and line say, and notes the branch's state.
func (h *hello) carryOut(gate wirev1.Gate, line link.LineVerdict) error {
	w, num := h.r.w, h.b.Num
	alarm := func(on bool, what, text string) error {
		if on {
			return w.Alarm(num, what, text)
		}
		return w.Quiet(num, what)
	}
	ahead := h.req.GetClock() - h.r.now.UnixMilli()
	for _, a := range []struct {
		on         bool
		what, text string
	}{
		{gate == wirev1.Gate_READ_ONLY, store.AlarmClone, fmt.Sprintf("two machines answer as this branch: boot %x and boot %x", h.req.GetBoot(), h.other)},
		{gate == wirev1.Gate_REFUSED || gate == wirev1.Gate_LOCAL_ONLY, store.AlarmRefused, h.out.GetReason()},
		{line.Line == wirev1.Line_FALSE_ACK, store.AlarmFalseAck, line.Reason},
		{(time.Duration(ahead) * time.Millisecond).Abs() > clock.Lead, store.AlarmClock, "the branch's clock is off"},
		{h.req.GetFreeDisk() > 0 && h.req.GetFreeDisk() < lowDisk, store.AlarmDisk, "the branch's disk is nearly full"},
	} {
		if a.what == store.AlarmRefused && !a.on && len(h.out.GetLives()) > 0 && h.out.GetLives()[0].GetResume() == wirev1.Resume_REFUSE {
			continue // raised with the verdict
		}
		if err := alarm(a.on, a.what, a.text); err != nil {
			return err
		}
	}
	switch line.Line {
	case wirev1.Line_SUPERSEDED:
		if err := w.SetSuperseded(true); err != nil {
			return err
		}
		if err := w.Alarm(store.HQNum, store.AlarmSuperseded, line.Reason); err != nil {
			return err
		}
	case wirev1.Line_RESTORED:
		fresh, err := w.Restored(line.Lost, num)
		if err != nil {
			return err
		}
		if fresh {
			h.i.log.Warn("headquarters was restored from an older copy", "lost", line.Lost, "why", line.Reason)
		}
	}
	// Both sides' ledgers are one set now: what HQ lacked came with this hello.
	if err := w.Compared(num); err != nil {
		return err
	}
	open := gate == wirev1.Gate_OPEN && (line.Line == wirev1.Line_SAME || line.Line == wirev1.Line_RESTORED) &&
		len(h.out.GetLives()) > 0 && h.out.GetLives()[0].GetResume() != wirev1.Resume_REFUSE
	kept := gate
	if gate == wirev1.Gate_OPEN && !open {
		kept = wirev1.Gate_REFUSED
	}
	current := h.key == "" || h.key == h.b.Pub
	if gate == wirev1.Gate_READ_ONLY || !current {
		// Another machine is the branch; what is said to this one does not touch it.
		return nil
	}
	boot, now := bytes.Clone(h.req.GetBoot()), h.r.now.UnixMilli()
	return w.SetBranch(num, func(b *store.Branch) {
		b.MustHello, b.Gate, b.Heard, b.Skew = false, kept, now, ahead
		b.Boot, b.Disk, b.Version = boot, h.req.GetFreeDisk(), h.req.GetVersion()
		b.ReEnrol = b.ReEnrol && !open
	})
}

// cursor says where the feed goes on.
func (h *hello) cursor() error {
	if h.out.GetGate() != wirev1.Gate_OPEN {
		return nil
	}
	for _, v := range h.out.GetLives() {
		if v.GetResume() == wirev1.Resume_ADOPT || v.GetResume() == wirev1.Resume_REBUILD {
			h.out.FullPass = true
		}
	}
	b := h.r.w.BranchNum(h.b.Num)
	if c := h.req.GetCursors(); !h.out.FullPass && b.Confirmed != store.PassDue && len(c) > 0 {
		// The newest alone: what an older one has not shown again may be of an epoch
		// that was lost, and HQ's own edits in it nobody sends again.
		f := link.CursorFacts{
			Epoch: schema.EpochID(c[0].GetEpoch()), Rev: schema.Rev(c[0].GetRev()), Confirmed: b.Confirmed, Ours: h.i.st.Epochs(), HQRev: h.r.w.Rev(),
		}
		if link.GoodCursor(f) {
			h.out.Cursor = c[0]
			return nil
		}
	}
	// What was confirmed before counts until the pass has begun: this answer may be
	// lost, and the next hello comes with the same cursors.
	h.out.FullPass = true
	h.out.Cursor = &wirev1.Cursor{Epoch: int64(h.i.st.Epoch())}
	return nil
}

// words adds what HQ signs, after the commit.
func (h *hello) words(ctx context.Context) error {
	st, out := h.i.st, h.out
	out.Epoch, out.Rev, out.EpochLine = int64(st.Epoch()), int64(st.Rev()), st.SignedLine()
	out.PackForm = schema.PackForm
	out.Clock, out.Entity, out.HqKey = st.Now().UnixMilli(), string(h.b.Entity), st.Signer().Public()
	if out.GetGate() == wirev1.Gate_OPEN {
		out.IdKey = st.IDKey()
	}
	for _, inc := range h.told {
		b, err := h.i.receipt(ctx, &due{branch: h.b, inc: inc}, h.named[inc], 4096)
		if err != nil {
			return err
		}
		out.Receipts = append(out.Receipts, b)
	}
	return nil
}
