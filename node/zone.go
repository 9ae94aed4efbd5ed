package node

import (
	"context"
	"slices"
	"time"

	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/page"
)

// Zone is where the branch's days are counted: as its record says, which comes
// from headquarters and may change while the node runs.
func (n *Node) Zone() *time.Location { return n.zone.Load() }

// readZone reads it from the branch's record, if that is here. A zone that this
// program does not know is as none said.
// It gives the record's id, zero when it is not.
func (n *Node) readZone(ctx context.Context) (id schema.RecordID, err error) {
	if n.cfg.Zone != nil {
		n.zone.Store(n.cfg.Zone)
		return id, nil
	}
	name := ""
	own, err := n.ownRecord(ctx)
	if err != nil {
		return id, err
	}
	if own != nil {
		name = own.GetBranch().GetZone()
		if _, id, err = schema.ParseName(own.GetName()); err != nil {
			return id, err
		}
	}
	z, err := schema.Zone(name)
	if err != nil {
		n.log.Warn("the zone of the branch's record counts for nothing", "zone", name, "err", err)
		if z, err = schema.Zone(""); err != nil {
			return id, err
		}
	}
	if was := n.zone.Swap(z); was != nil && was.String() != z.String() {
		n.log.Info("the branch's days are counted in another zone", "zone", z.String())
	}
	return id, nil
}

// ownRecord is the branch's own record; nil when it is not here.
func (n *Node) ownRecord(ctx context.Context) (*branchlinev1.Record, error) {
	code := string(n.Branch())
	if code == "" {
		return nil, nil
	}
	q := page.Query{Kind: schema.KindOf(schema.Branch), Size: 1000}
	for {
		list, next, err := n.store.List(ctx, q)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(list, func(r *branchlinev1.Record) bool { return r.GetBranch().GetCode() == code })
		if i >= 0 {
			return list[i], nil
		}
		if q.Token = next; next == "" {
			return nil, nil
		}
	}
}

// followZone reads the zone again when the branch's record may have changed.
func (n *Node) followZone(ctx context.Context) error {
	watch := n.store.ChangesOf(func(e store.Event) bool { return e.Line && (e.All || len(e.Records) > 0) })
	defer watch.Close()
	var own schema.RecordID
	for look := true; ; {
		if look {
			var err error
			if own, err = n.readZone(ctx); err != nil && ctx.Err() == nil {
				n.log.Warn("zone of the branch not read", "err", err)
			}
		}
		e, err := watch.Next(ctx)
		if err != nil {
			return nil // ctx ended, or the store closed, which is the end too
		}
		// A record of HQ's comes with a page; an own edit never is of a branch.
		look = e.All || slices.Contains(e.Records, own) || own.IsZero()
	}
}
