package bench

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/cmd/rig"
	"branchline/cmd/rig/benchrows"
	"branchline/node"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/link"
)

// line brings a headquarters and branches up in this process. Close it.
func (r *runner) line(pages bool, branches ...rig.Branch) (*rig.Rig, error) {
	dir, err := r.folder("line")
	if err != nil {
		return nil, err
	}
	g, err := rig.New(rig.Config{Dir: dir, Branches: branches, Pages: pages, Version: "bench", Now: r.Now, Rand: r.Rand, Log: r.Log})
	if err != nil {
		return nil, err
	}
	return g, g.Start(r.ctx)
}

// branches are n of one company: b1, b2 …
func branches(n int) []rig.Branch {
	out := make([]rig.Branch, n)
	for i := range out {
		out[i] = rig.Branch{Code: schema.BranchID(fmt.Sprintf("b%d", i+1)), Name: fmt.Sprintf("Branch %d", i+1), Entity: "e1"}
	}
	return out
}

// edit is an edit as a clerk makes it.
func edit(id schema.RecordID, m proto.Message) store.Edit {
	return store.Edit{Kind: schema.KindOfMessage(m).Kind, ID: id, Create: !id.IsZero(), Message: m, Actor: "bench", Role: branchlinev1.Role_ROLE_ADVISER}
}

// batchRows is how many rows of the workload go into one transaction.
const batchRows = 1000

// fill writes the workload's bulk rows into a branch. It gives the customers' ids.
func (r *runner) fill(st *store.Store, c benchrows.Config) ([]schema.RecordID, error) {
	var customers []schema.RecordID
	at := map[string]schema.RecordID{}
	var rows []benchrows.Row
	flush := func() error {
		errs, err := st.PutAll(r.ctx, len(rows), false, func(b *store.Batch, i int) error {
			x := rows[i]
			id, err := b.MintID()
			if err != nil {
				return err
			}
			owner := ""
			if x.Order != nil {
				owner = at[x.Order.CustomerID].String()
			}
			if _, err := b.Put(edit(id, x.Message(owner))); err != nil {
				return err
			}
			if x.Customer != nil {
				at[x.Key()] = id
				customers = append(customers, id)
			}
			return nil
		})
		rows = rows[:0]
		for _, e := range errs {
			if err == nil {
				err = e
			}
		}
		return err
	}
	for x := range benchrows.All(c) {
		if x.Single {
			break
		}
		if x.Customer == nil && len(rows) > 0 && rows[0].Customer != nil {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		if rows = append(rows, x); len(rows) == batchRows {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	return customers, flush()
}

// rows is the workload at this run's size.
func (r *runner) rows() benchrows.Config {
	return benchrows.Config{Customers: r.scale(20_000), Orders: r.scale(60_000)}
}

// drained waits until HQ's signed word has come back for every change of n.
func (r *runner) drained(n *node.Node, limit time.Duration) error {
	l, err := n.Store().Line(r.ctx)
	if err != nil {
		return err
	}
	return r.reached(n, l.LastSeq, limit)
}

// reached waits until HQ's signed word has come back for the changes up to last.
func (r *runner) reached(n *node.Node, last schema.Seq, limit time.Duration) error {
	return r.await("drain", limit, func() (bool, error) {
		s := n.Link()
		return s.Phase == link.Open && s.Mark >= last, nil
	})
}

// awaitLine is how long a small group may take to agree.
const awaitLine = 20 * time.Second

// quiet waits until everybody has everything.
func (r *runner) quiet(g *rig.Rig, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(r.ctx, limit)
	defer cancel()
	return g.Quiet(ctx)
}
