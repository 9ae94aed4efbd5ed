package link

import (
	"bytes"
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// takeLimit is how many changes of a left incarnation are asked for at once.
const takeLimit = 512

// takeState is a fork being carried out: HQ's changes above the last common one
// come first, then one transaction of the store begins the new incarnation.
type takeState struct {
	fork  Fork
	why   wirev1.Resume
	chain schema.Hash // after the last change taken
	next  schema.Seq
	// mark and want are HQ's signed watermark of the left incarnation and its chain hash, if it gave them.
	mark schema.Seq
	want []byte
}

// beginTake carries out FORKED, ADOPT and REBUILD.
func (c *Core) beginTake(ctx context.Context, v *wirev1.LifeVerdict, r *wirev1.HelloReply) {
	cert := new(wirev1.Certificate)
	if err := schema.OpenWord(v.GetCertificate(), cert, c.cfg.VerifyHQ); err != nil {
		c.shut(fmt.Sprintf("headquarters wants a new incarnation, and its certificate does not count: %v", err))
		return
	}
	nonce, err := c.cfg.Store.Nonce(ctx)
	if err != nil {
		c.trouble("fork", err)
		return
	}
	if cert.GetBranch() != string(c.cfg.Branch) || cert.GetIncarnation() <= 0 || cert.GetIncarnation() != v.GetNewIncarnation() || !bytes.Equal(cert.GetNonce(), nonce) {
		c.shut("headquarters wants a new incarnation, and its certificate is for another machine")
		return
	}
	old, from := schema.Incarnation(v.GetIncarnation()), schema.Seq(v.GetFrom())
	t := &takeState{next: from + 1, fork: Fork{
		Old: old, From: from, New: schema.Incarnation(v.GetNewIncarnation()),
		// ADOPT: HQ has nothing of it, so that what was forgotten here is offered anew as well.
		Certificate: v.GetCertificate(), Rebuild: v.GetResume() != wirev1.Resume_FORKED,
	}, why: v.GetResume()}
	c.phase, c.take = Taking, t
	if v.GetResume() != wirev1.Resume_FORKED {
		// ADOPT: HQ has nothing of it. REBUILD: what HQ has above the common part, if anything, the branch
		// cannot join to what it kept; it comes with the feed.
		c.fork(ctx)
		return
	}
	chain, ok, err := c.cfg.Store.ChainAt(ctx, old, from)
	if err != nil {
		c.trouble("fork", err)
		return
	}
	if !ok {
		c.trouble("fork", fmt.Errorf("headquarters names %d as the last common change of %s, which is not kept here", from, old))
		return
	}
	t.chain = chain
	for _, b := range r.GetReceipts() {
		w := new(wirev1.Receipt)
		if schema.OpenWord(b, w, c.cfg.VerifyHQ) == nil && w.GetBranch() == string(c.cfg.Branch) && w.GetIncarnation() == int64(old) {
			t.mark, t.want = schema.Seq(w.GetWatermark()), w.GetChain()
		}
	}
	c.takeMore(ctx)
}

func (c *Core) takeMore(ctx context.Context) {
	t := c.take
	b, err := proto.Marshal(&wirev1.TakeBackRequest{Incarnation: int64(t.fork.Old), After: int64(t.next - 1), Limit: takeLimit})
	if err != nil {
		c.trouble("take back", err)
		return
	}
	c.ask(ctx, "take", b, func(ctx context.Context, b []byte, err error) {
		if c.take != t {
			return
		}
		if err != nil {
			c.trouble("take back", err)
			return
		}
		r := new(wirev1.TakeBackReply)
		if err := proto.Unmarshal(b, r); err != nil {
			c.trouble("take back", err)
			return
		}
		c.taken(ctx, t, r)
	})
}

func (c *Core) taken(ctx context.Context, t *takeState, r *wirev1.TakeBackReply) {
	if len(r.GetChanges()) != len(r.GetSeqs()) || (r.GetMore() && len(r.GetSeqs()) == 0) {
		c.trouble("take back", fmt.Errorf("headquarters gave %d changes and %d seqs", len(r.GetChanges()), len(r.GetSeqs())))
		return
	}
	for i, raw := range r.GetChanges() {
		s, rest, err := schema.ParseSealed(raw)
		switch {
		case err != nil:
		case len(rest) > 0:
			err = fmt.Errorf("%d bytes stand behind change %d", len(rest), t.next)
		case schema.Seq(r.GetSeqs()[i]) != t.next:
			err = fmt.Errorf("headquarters gave change %d in place of %d", r.GetSeqs()[i], t.next)
		}
		if err != nil {
			c.trouble("take back", err)
			return
		}
		t.chain = schema.NextChain(t.chain, s.PayloadHash)
		s.Chain, s.ID = t.chain, schema.ChangeID{Branch: c.cfg.Branch, Inc: t.fork.Old, Seq: t.next}
		t.fork.Back = append(t.fork.Back, s)
		if t.next == t.mark && !bytes.Equal(t.chain[:], t.want) {
			c.trouble("take back", fmt.Errorf("headquarters' changes up to %d do not lead to the chain hash it signed", t.mark))
			return
		}
		t.next++
	}
	if r.GetMore() {
		c.takeMore(ctx)
		return
	}
	c.fork(ctx)
}

func (c *Core) fork(ctx context.Context) {
	f := c.take.fork
	c.log.Warn("the incarnation is left", "old", f.Old, "from", f.From, "new", f.New, "taken", len(f.Back), "rebuild", f.Rebuild)
	if err := c.cfg.Store.Fork(ctx, f); err != nil {
		c.trouble("fork", err)
		return
	}
	c.status.Turn, c.status.TurnAt = c.take.why, c.now
	c.take = nil
	c.hello.tries = 0
	c.greet(ctx, "a new incarnation")
}
