package bench

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"branchline/cmd/rig/town"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
)

// pages measures the branch's pages, then headquarters'.
func (r *runner) pages(func(string) bool) error {
	return errors.Join(r.branchPages(), r.hqPages())
}

// hqPages measures headquarters' first pages, those about who is one customer among them, with very many customers: made
// registrations of three branches, matched by the base model.
func (r *runner) hqPages() (err error) {
	g, err := r.line(true, branches(3)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	n := r.scale(100_000)
	c, order, err := counters(r.Seed, n)
	if err != nil {
		return err
	}
	r.step("writing %d registrations", n)
	sites := g.Sites()
	part := (n + len(sites) - 1) / len(sites)
	for i, s := range sites {
		if err := r.writeDown(s.Node().Store(), c, order[i*part:min(n, (i+1)*part)]); err != nil {
			return err
		}
	}
	r.step("matching them")
	began := r.Now()
	if err := r.quiet(g, 20*time.Minute); err != nil {
		return err
	}
	r.step("matched after %s", r.Now().Sub(began).Round(time.Second))
	ctx := access.With(r.ctx, access.Caller{Account: access.LocalName, Staff: "bench", Roles: access.RolesOf(access.HQ), Local: true})
	asked, err := g.HQ().Server().API().Match.ListQuestions(ctx, &branchlinev1.ListQuestionsRequest{PageSize: 1})
	if err != nil {
		return err
	}
	if len(asked.GetQuestions()) == 0 {
		return fmt.Errorf("pages: nothing is asked about %d registrations", n)
	}
	customer := asked.GetQuestions()[0].GetA()
	run, err := serve.Find(g.HQDir())
	if err != nil {
		return err
	}
	client, err := run.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	for _, p := range []struct{ name, path string }{
		{"home", "/"},
		{"branches", "/branches"},
		{"review", "/match"},
		{"decisions", "/match/decisions"},
		{"events", "/match/events"},
		{"customer", "/" + customer},
		{"members", "/" + customer + "/members"},
		{"quarantine", "/quarantine"},
	} {
		var took, spent series
		for range 6 {
			began, cpu := r.Now(), cpuTime()
			if err := r.read(client, p.path); err != nil {
				return err
			}
			took, spent = append(took, r.Now().Sub(began)), append(spent, cpuTime()-cpu)
		}
		if err := r.emit("pages/hq/"+p.name, ms(took[0]), "ms", goal(200),
			note("the first time, %.1f ms of the processor; %d registrations, %d questions; then %.1f ms, %.1f of the processor",
				ms(spent[0]), n, asked.GetOpen(), took[1:].at(0.5), spent[1:].at(0.5))); err != nil {
			return err
		}
	}
	return nil
}

// writeDown writes registrations as a branch's desk would.
func (r *runner) writeDown(st *store.Store, c *town.Counters, list [][2]int32) error {
	for len(list) > 0 {
		some := list[:min(batchRows, len(list))]
		errs, err := st.PutAll(r.ctx, len(some), false, func(b *store.Batch, i int) error {
			_, err := b.Put(edit(schema.RecordID{}, c.Registration(int(some[i][0]), int(some[i][1])).Customer()))
			return err
		})
		if err := errors.Join(append(errs, err)...); err != nil {
			return err
		}
		list = list[len(some):]
	}
	return nil
}

func (r *runner) read(c *serve.Client, path string) error {
	req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, c.URL+path, nil)
	if err != nil {
		return err
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("pages: %s answers %s", path, res.Status)
	}
	return nil
}
