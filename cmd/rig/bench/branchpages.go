package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"branchline/node"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/serve"
	"branchline/sync/bus/nkey"
)

const (
	pageGoal = 100     // ms, the 99th of a hundred answers
	pageSize = 100_000 // bytes of a page before its pictures
	renders  = 200     // requests for each page
)

// branchPages measures every page of a branch that has very many customers: each route of the rule table that gives a
// page at a node, asked for with one record after the other. What it gives beside a page is what the page is about, read
// by bare queries.
func (r *runner) branchPages() (err error) {
	c, err := r.crowd(r.scale(200_000), r.scale(400_000))
	if err != nil {
		return err
	}
	if c.house, err = newHouse(c); err != nil {
		return err
	}
	dir, err := r.folder("branch")
	if err != nil {
		return err
	}
	if err := r.furnish(dir, c); err != nil {
		return err
	}
	n, err := node.New(node.Config{Dir: dir, Listen: "127.0.0.1:0", PlainLink: true, Now: r.Now, Rand: r.Rand, Log: r.Log})
	if err != nil {
		return err
	}
	if err := n.Start(r.ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(r.ctx)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	defer func() { stop(); err = errors.Join(err, <-ended) }()
	select {
	case <-n.Up():
	case err := <-ended:
		ended <- nil
		return errors.Join(errors.New("pages: the branch did not come up"), err)
	}
	run, err := serve.Find(dir)
	if err != nil {
		return err
	}
	client, err := run.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	v := &visits{r: r, c: c, client: client, st: n.Store()}
	return v.all()
}

// furnish makes a folder that of a branch with all it holds, whose headquarters nobody answers for.
func (r *runner) furnish(dir string, c *crowd) (err error) {
	st, err := store.Open(r.ctx, store.Config{Dir: dir, Now: r.Now, Rand: r.Rand})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	seed, err := nkey.NewSeed(r.Rand)
	if err != nil {
		return err
	}
	hq, err := nkey.Public(seed)
	if err != nil {
		return err
	}
	id := store.Identity{Branch: "b1", Entity: "e1", IDKey: []byte("key"), Seed: seed, HQKey: hq, Link: "127.0.0.1:9"}
	if err := st.Enrol(r.ctx, store.Enrolment{Identity: id, Incarnation: 11, Epoch: 7}); err != nil {
		return err
	}
	return c.settle(r, st)
}

// visits asks for the pages of a branch.
type visits struct {
	r      *runner
	c      *crowd
	client *serve.Client
	st     *store.Store
}

// noPage are the routes that give no page to who is signed in at a branch: files, streams, exports, what programs ask, and
// what only headquarters has.
func noPage(route string) bool {
	switch path := strings.TrimPrefix(route, "GET "); path {
	case "/", "/static/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/ca.crt", "/events", "/here", "/enrol", "/desk", "/sign-in", "/branches":
		return true
	default:
		return strings.HasSuffix(path, "csv") || strings.HasPrefix(path, "/attachments/")
	}
}

// asked are what a page that needs to know more than its address is asked with; %c, %v, %o are a customer, a vehicle, an
// order by id, %p a plate.
func asked(path string) []string {
	switch path {
	case "/search":
		return []string{"?q=%p", "?q=" + url.QueryEscape("王")}
	case "/history":
		return []string{"?plate=%p"}
	case "/serviceOrders":
		return []string{"", "?branch=b1&state=IN_WORK", "?branch=b2"}
	case "/customers":
		return []string{"", "?branch=b1"}
	case "/customers/pick":
		return []string{"", "?status=2&not_since=2026-06-01", "?visited_from=2026-03-01"}
	case "/claims/new":
		return []string{"?order=%o"}
	case "/board/move":
		return []string{"?order=%o"}
	case "/contacts/new":
		return []string{"?customer=%c"}
	case "/insurancePolicies/new":
		return []string{"?vehicle=%v"}
	case "/serviceOrders/new":
		return []string{"", "?vehicle=%v"}
	}
	return []string{""}
}

// all measures every page; one that cannot be had does not keep the rest from being measured.
func (v *visits) all() error {
	var errs []error
	var worst, bare, cpu series
	pages, largest := 0, 0
	for _, route := range access.Routes() {
		if !strings.HasPrefix(route, "GET ") || noPage(route) || !access.Allowed(access.Node, route, access.RolesOf(access.Node)) {
			continue
		}
		path := strings.TrimPrefix(route, "GET ")
		path = strings.TrimSuffix(path, "{$}")
		for _, with := range asked(path) {
			v.r.step("asking for %s%s", path, with)
			took, alone, spent, size, err := v.page(path + with)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			pages++
			largest = max(largest, size)
			worst, bare, cpu = append(worst, took...), append(bare, alone...), append(cpu, spent...)
			name := "pages/branch" + strings.TrimSuffix(path, "/") + with
			opts := []option{goal(pageGoal), note("p50 %.1f; of the processor p50 %.1f, p99 %.1f; %d bytes at most", took.at(0.5), spent.at(0.5), spent.at(0.99), size)}
			if len(alone) > 0 {
				opts = append(opts, ceiling(alone.at(0.99)))
			}
			if err := v.r.emit(name, took.at(0.99), "ms", opts...); err != nil {
				return err
			}
			if size > pageSize {
				if err := v.r.emit(name+"/size", float64(size), "B", goal(pageSize)); err != nil {
					return err
				}
			}
		}
	}
	return errors.Join(append(errs,
		v.r.emit("pages/branch/p99", worst.at(0.99), "ms", goal(pageGoal), ceiling(bare.at(0.99)), note("%d pages, %d answers; %d customers with a car each, %d orders with a line each; of the processor p50 %.1f, p99 %.1f; ceiling: what a page is about, by bare queries",
			pages, len(worst), len(v.c.known), v.c.orders, cpu.at(0.5), cpu.at(0.99))),
		v.r.emit("pages/branch/size", float64(largest), "B", goal(pageSize), note("the largest page, before pictures and compression")),
	)...)
}

// page asks for a page as often as it takes, with one record after the other, and for what it is about.
func (v *visits) page(pattern string) (took, bare, cpu series, size int, err error) {
	for i := range v.r.scale(renders) + 1 {
		path, id, err := v.address(pattern, i)
		if err != nil {
			return nil, nil, nil, 0, err
		}
		before, began := cpuTime(), v.r.Now()
		n, err := v.get(path)
		if err != nil {
			return nil, nil, nil, 0, err
		}
		if i == 0 {
			continue // the templates of a page are parsed when it is first read
		}
		took, cpu = append(took, v.r.Now().Sub(began)), append(cpu, cpuTime()-before)
		size = max(size, n)
		if d, err := v.bare(pattern, id); err != nil {
			return nil, nil, nil, 0, err
		} else if d > 0 {
			bare = append(bare, d)
		}
	}
	return took, bare, cpu, size, nil
}

// address is where the i-th record of a page stands, and the record's id; no id for a page that is of none.
func (v *visits) address(pattern string, i int) (path string, id schema.RecordID, err error) {
	of := func(collection string) (string, error) {
		list := v.c.house.names[collection]
		if len(list) == 0 {
			return "", fmt.Errorf("pages: %s: no %s were made: say in house.go what they look like", pattern, collection)
		}
		return list[i%len(list)], nil
	}
	path = strings.ReplaceAll(pattern, "{collection}/{id}", "payments/{id}") // a kind without a page of its own
	if collection, _, is := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "/records"), "/"), "/{id}"); is {
		name, err := of(collection)
		if err != nil {
			return "", id, err
		}
		_, text, _ := strings.Cut(name, "/")
		if id, err = schema.ParseRecordID(text); err != nil {
			return "", id, err
		}
		path = strings.Replace(path, "{id}", text, 1)
	}
	if strings.Contains(path, "{") {
		return "", id, fmt.Errorf("pages: nobody says what stands in %s", pattern)
	}
	for mark, collection := range map[string]string{"%c": "customers", "%v": "vehicles", "%o": "serviceOrders"} {
		if strings.Contains(path, mark) {
			name, err := of(collection)
			if err != nil {
				return "", id, err
			}
			path = strings.Replace(path, mark, strings.TrimPrefix(name, collection+"/"), 1)
		}
	}
	if strings.Contains(path, "=%p") {
		path = strings.Replace(path, "%p", url.QueryEscape(v.c.known[(i*7919)%len(v.c.known)].plate), 1)
	}
	return path, id, nil
}

func (v *visits) get(path string) (int, error) {
	req, err := http.NewRequestWithContext(v.r.ctx, http.MethodGet, v.client.URL+path, nil)
	if err != nil {
		return 0, err
	}
	res, err := v.client.HTTP.Do(req)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, res.Body)
	if err = errors.Join(err, res.Body.Close()); err == nil && (res.StatusCode != http.StatusOK || res.Request.URL.Path == "/sign-in") {
		err = fmt.Errorf("pages: %s answers %s", path, res.Status)
	}
	return int(n), err
}

// bare is how long what a page is about takes by queries alone: a record and all that names it, or the latest of a list's
// kind; 0 for a page that reads nothing in particular.
func (v *visits) bare(pattern string, id schema.RecordID) (time.Duration, error) {
	db := v.st.DB().R
	began := v.r.Now()
	if id != (schema.RecordID{}) {
		const about = "SELECT n, shown FROM record WHERE id = ?1 UNION ALL SELECT n, shown FROM record WHERE customer = ?1 UNION ALL SELECT n, shown FROM record WHERE vehicle = ?1 UNION ALL SELECT n, shown FROM record WHERE ord = ?1"
		if err := readAll(v.r, db, "SELECT n FROM ("+about+") WHERE length(shown) > 0", []any{id[:]}); err != nil {
			return 0, err
		}
		return v.r.Now().Sub(began), nil
	}
	path, _, _ := strings.Cut(pattern, "?")
	k := schema.KindOfCollection(strings.Trim(path, "/"))
	if k == nil {
		return 0, nil
	}
	err := readAll(v.r, db, "SELECT n FROM (SELECT n, shown FROM record WHERE kind = ? ORDER BY updated DESC LIMIT 50) WHERE length(shown) > 0", []any{int(k.Kind)})
	return v.r.Now().Sub(began), err
}
