package inbox

import (
	"fmt"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/nkey"
)

// pack is an incoming pack whose signature was checked.
type pack struct {
	in      Incoming
	h       schema.PackHeader
	body    []byte
	branch  *store.Branch
	salvage bool   // signed by a key replaced since, or by a retired branch
	bad     string // why it counts for nothing
	// changes are those of the body, nil while it is held back; broken says why they cannot be read.
	changes []change
	broken  error
}

// change is one change of a pack as it was read; bad says why its body could not be.
type change struct {
	schema.Sealed
	body *wirev1.ChangeBody
	bad  error
}

// readChange reads a change's body, if it has one.
func readChange(s schema.Sealed) change {
	c := change{Sealed: s}
	if !s.Erased() {
		c.body, c.bad = s.Body()
	}
	return c
}

// opener reads packs, which needs nothing of the transaction that takes them. It
// is used by one goroutine at a time.
type opener struct {
	st        *store.Store
	codec     *schema.PackCodec
	verifiers map[string]*nkey.Verifier
}

func newOpener(st *store.Store) (*opener, error) {
	c, err := schema.NewPackCodec()
	return &opener{st: st, codec: c, verifiers: map[string]*nkey.Verifier{}}, err
}

// open reads a pack's header, proves who signed it, and reads its changes.
func (o *opener) open(in Incoming) *pack {
	p := &pack{in: in}
	if o.prove(p); p.bad == "" {
		p.read(o.codec)
	}
	return p
}

func (o *opener) prove(p *pack) {
	var header, sig []byte
	var err error
	if p.h, header, sig, p.body, err = schema.ParsePackHeader(p.in.Data); err != nil {
		p.bad = err.Error()
		return
	}
	p.branch = o.st.Branch(p.h.Branch)
	switch {
	case p.branch == nil || p.branch.Num == store.HQNum:
		p.bad = "a pack of no branch"
		return
	case p.in.Subject != p.h.Branch:
		p.bad = fmt.Sprintf("a pack of %s on the road of %s", p.h.Branch, p.in.Subject)
		return
	}
	if p.h.Form > 1 {
		// Where its chain leads is signed and only found by reading it.
		if p.read(o.codec); p.broken != nil {
			p.bad = p.broken.Error()
			return
		}
	}
	signed := p.h.Signed(header)
	by := func(pub string) bool {
		v, err := o.verifier(pub)
		return err == nil && v.Verify(signed, sig) == nil
	}
	if o.st.IsCurrent(p.branch.Pub) && by(p.branch.Pub) {
		p.salvage = p.branch.State == store.Retired
		return
	}
	for _, pub := range o.st.KeysOf(p.branch.Num) {
		if pub != p.branch.Pub && by(pub) {
			p.salvage = true
			return
		}
	}
	p.bad = "its signature is not the branch's"
}

func (o *opener) verifier(pub string) (*nkey.Verifier, error) {
	if v := o.verifiers[pub]; v != nil {
		return v, nil
	}
	v, err := nkey.NewVerifier(pub)
	if err == nil {
		o.verifiers[pub] = v
	}
	return v, err
}

// read reads the pack's changes, unless that was done.
func (p *pack) read(codec *schema.PackCodec) {
	if p.changes != nil || p.broken != nil {
		return
	}
	list, err := codec.Decode(p.h, p.body)
	if p.broken = err; err != nil {
		return
	}
	p.h.After = list[len(list)-1].Chain
	p.changes = make([]change, len(list))
	for n, s := range list {
		p.changes[n] = readChange(s)
	}
}
