package hq

import (
	"branchline/hq/web"
	"branchline/schema/access"
	"branchline/schema/serve"
)

// pages puts headquarters' pages over its API, and the door at which branches enrol.
func (q *HQ) pages(p *access.Pages, c *serve.Client) error {
	site, err := web.New(web.Config{Group: q.store.Group, CA: q.ca.PEM, ZoneNow: q.Zone, Now: q.cfg.Now, Rand: q.cfg.Rand, Log: q.cfg.Log, Views: q.records, Links: q.records.Match(), Files: q.records, Changes: changes{q.store.Committed}})
	if err != nil {
		return err
	}
	if err := site.Register(p, c); err != nil {
		return err
	}
	return p.Handle("POST /enrol", &enroller{enrol: q.enrol, now: q.cfg.Now, log: q.log})
}
