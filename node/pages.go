package node

import (
	"context"

	"branchline/node/store"
	"branchline/node/web"
	"branchline/schema/access"
	"branchline/schema/look/front"
	"branchline/schema/serve"
)

// pages puts the branch's pages over its API.
func (n *Node) pages(p *access.Pages, c *serve.Client) error {
	site, err := web.New(web.Config{
		Records: c.Records, Site: c.Sites, Accounts: c.Accounts, Counter: c.Counter, Workshop: c.Workshop, Views: n.records, Files: n.records, Branch: n.Branch, Changes: changes{n.store},
		Enrol: enrolment{n}, CA: n.caPEM, ZoneNow: n.zone.Load, Now: n.cfg.Now, Rand: n.cfg.Rand, Log: n.cfg.Log,
	})
	if err != nil {
		return err
	}
	return site.Register(p)
}

// enrolment is what the enrolment page may do.
type enrolment struct{ n *Node }

func (e enrolment) Enrolled() bool { return e.n.Branch() != "" }

func (e enrolment) Enrol(ctx context.Context, token string) error { return e.n.Enrol(ctx, token) }

// changes tells open pages what the store tells its watchers.
type changes struct{ s *store.Store }

func (c changes) Subscribe(ctx context.Context) <-chan front.Event {
	w := c.s.Changes()
	out := make(chan front.Event)
	go func() {
		defer close(out)
		defer w.Close()
		for {
			e, err := w.Next(ctx)
			if err != nil {
				return // the reader has gone, or the node stops
			}
			select {
			case out <- front.Event{Line: e.Line || e.Own, Records: e.All || len(e.Records) > 0}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
