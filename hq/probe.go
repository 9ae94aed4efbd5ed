package hq

import (
	"bytes"
	"context"
	"encoding/hex"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus"
)

const (
	// probeLimit is how long another machine has to answer as the same branch (DESIGN §6).
	probeLimit = 2 * time.Second
	probeLook  = 20 * time.Millisecond
)

// prober finds out whether two machines are one branch. It asks only when two
// links of the branch stand: one link is one process, and a hello need not wait.
type prober struct {
	leaves func() []bus.LeafInfo
	// current tells whether a key is its branch's present one: a machine with a
	// replaced key is no clone, and must not keep the one that replaced it out.
	current func(pub string) bool
	poke    func(b schema.BranchID, data []byte) error
	epoch   func() schema.EpochID
	log     *slog.Logger

	mu    sync.Mutex
	waits map[*probeWait]bool
	count uint64
}

type probeWait struct {
	branch schema.BranchID
	boot   []byte
	other  chan []byte // the boot that has answered; holds one
}

// links are those of b that the run of its program with this boot holds, and
// how many others there are. A leaf's name is what the leaf says of itself.
func (p *prober) links(b schema.BranchID, boot []byte) (own []bus.LeafInfo, others int) {
	name := string(b) + "-" + hex.EncodeToString(boot)
	for _, l := range p.leaves() {
		switch {
		case l.Branch != b:
		case strings.EqualFold(l.Name, name):
			own = append(own, l)
		case p.current(l.Key):
			others++
		}
	}
	return own, others
}

// Other gives another boot of b that answers within two seconds, if there is
// one. A link that a dead process left behind goes away or stays silent.
func (p *prober) Other(ctx context.Context, b schema.BranchID, boot []byte) ([]byte, bool) {
	if _, others := p.links(b, boot); others == 0 {
		return nil, false
	}
	w := &probeWait{branch: b, boot: boot, other: make(chan []byte, 1)}
	p.mu.Lock()
	if p.waits == nil {
		p.waits = map[*probeWait]bool{}
	}
	p.waits[w] = true
	p.count++
	n := p.count
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.waits, w)
	}()
	msg, err := proto.Marshal(&wirev1.Poke{Epoch: int64(p.epoch()), Beat: n, Probe: true})
	if err == nil {
		err = p.poke(b, msg)
	}
	if err != nil {
		// HQ's own client is broken: nobody could be asked.
		p.log.Error("probe for another machine", "branch", b, "err", err)
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	look := time.NewTicker(probeLook)
	defer look.Stop()
	for {
		select {
		case other := <-w.other:
			return other, true
		case <-ctx.Done():
			return nil, false
		case <-look.C:
			if _, others := p.links(b, boot); others == 0 {
				return nil, false
			}
		}
	}
}

// Heard is told of every heartbeat. One that came over a link with a key that is
// not the branch's present one says nothing.
func (p *prober) Heard(b schema.BranchID, boot []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waits) == 0 {
		return
	}
	links, _ := p.links(b, boot)
	if !slices.ContainsFunc(links, func(l bus.LeafInfo) bool { return p.current(l.Key) }) {
		return
	}
	for w := range p.waits {
		if w.branch != b || bytes.Equal(w.boot, boot) {
			continue
		}
		select {
		case w.other <- bytes.Clone(boot):
		default:
		}
	}
}
