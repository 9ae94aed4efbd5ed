package inbox

import (
	"fmt"

	"branchline/hq/store"
	"branchline/schema"
)

// take puts one pack where it belongs.
func (r *run) take(p *pack) error {
	if p.bad != "" {
		r.i.bad++
		r.i.log.Warn("bad pack thrown away", "branch", p.in.Subject, "why", p.bad)
		if b := r.i.st.Branch(p.in.Subject); b != nil {
			return r.w.Alarm(b.Num, store.AlarmBadPack, p.bad)
		}
		return nil
	}
	if r.i.st.Superseded() {
		return fmt.Errorf("another copy of headquarters has taken over: %w", schema.ErrUnavailable)
	}
	l, err := r.life(p.h.Inc)
	if err != nil {
		return err
	}
	if l != nil && l.Branch != p.branch.Num {
		r.i.bad++
		return r.w.Alarm(p.branch.Num, store.AlarmBadPack, "a pack of an incarnation of another branch")
	}
	d := r.dueFor(p.branch, p.h.Inc)
	b := r.w.BranchNum(p.branch.Num)
	if l == nil || !p.salvage && !b.Open() {
		// The branch has it still, and sends it when it may.
		d.hello = true
		return nil
	}
	if err := r.place(p, l, d); err != nil {
		return err
	}
	return r.fetchAside(l, d)
}

func (r *run) place(p *pack, l *store.Life, d *due) error {
	switch first, last := p.h.First, p.h.Last(); {
	case first > l.Watermark+1:
		d.gap, d.gen = true, p.h.Gen
		r.putAside(p)
		return nil
	case last <= l.Watermark:
		chain, ok, err := r.i.st.ChainAt(r, l.Inc, last)
		if err != nil {
			return err
		}
		if !ok && last == l.Watermark {
			chain, ok = l.Chain, true
		}
		if ok && chain == p.h.After {
			return nil // sent twice
		}
		return r.sideways(p, l, d)
	case first == l.Watermark+1 && p.h.Before != l.Chain:
		return r.sideways(p, l, d)
	}
	p.read(r.i.codec)
	if p.broken != nil {
		// Signed, and still not what its header says: the branch's program is broken.
		r.i.bad++
		d.hello = true
		return r.w.Alarm(p.branch.Num, store.AlarmBadPack, p.broken.Error())
	}
	changes := p.changes
	if old := int(l.Watermark + 1 - p.h.First); old > 0 {
		if changes[old-1].Chain != l.Chain {
			return r.sideways(p, l, d)
		}
		changes = changes[old:]
	}
	first := l.Watermark + 1
	for _, c := range changes {
		if err := r.add(l, p.branch, c, p.salvage); err != nil {
			return err
		}
	}
	_, err := r.w.Exec("INSERT INTO pack (inc, first, last, after, raw) VALUES ($1, $2, $3, $4, $5)",
		int64(l.Inc), int64(first), int64(p.h.Last()), p.h.After[:], p.in.Data)
	return err
}

// sideways keeps a pack that went another way than HQ's chain. Of a frozen
// incarnation its changes are applied by origin; of a current one the branch is
// cut off until it has said hello.
func (r *run) sideways(p *pack, l *store.Life, d *due) error {
	if _, err := r.w.Exec(`INSERT INTO side (branch, inc, first, last, before, after, raw, why, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT DO NOTHING`, p.branch.Num, int64(l.Inc), int64(p.h.First), int64(p.h.Last()), p.h.Before[:], p.h.After[:], p.in.Data,
		"another chain", r.now.UnixMilli()); err != nil {
		return err
	}
	if l.State == store.LifeFrozen {
		return r.applySides(l, p.branch)
	}
	d.hello = true
	if err := r.w.Alarm(p.branch.Num, store.AlarmSideBranch, fmt.Sprintf("changes %d to %d of %s are not those headquarters has", p.h.First, p.h.Last(), l.Inc)); err != nil {
		return err
	}
	return r.w.SetBranch(p.branch.Num, func(b *store.Branch) { b.MustHello = true })
}

// putAside holds a pack back behind a gap. What there is no room for is
// forgotten: the branch sends it again.
func (r *run) putAside(p *pack) {
	i := r.i
	if len(i.aside[p.h.Inc]) < asidePacks && i.asideN < asideTotal {
		p.changes = nil // it may lie there for long
		i.aside[p.h.Inc] = append(i.aside[p.h.Inc], p)
		i.asideN++
	}
}

func (r *run) fetchAside(l *store.Life, d *due) error {
	i := r.i
	for {
		var next *pack
		kept := i.aside[l.Inc][:0]
		for _, p := range i.aside[l.Inc] {
			switch {
			case p.h.Last() <= l.Watermark:
				i.asideN-- // came again meanwhile
			case next == nil && p.h.First <= l.Watermark+1:
				next = p
				i.asideN--
			default:
				kept = append(kept, p)
			}
		}
		i.aside[l.Inc] = kept
		if len(kept) == 0 {
			delete(i.aside, l.Inc)
		}
		if next == nil {
			return nil
		}
		if err := r.place(next, l, d); err != nil {
			return err
		}
	}
}
