package bench

import (
	stdsql "database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"branchline/node/store"
	"branchline/schema/han"
)

const (
	searchGoal = 50 // ms, the 99th of a hundred answers
	askers     = 60 // guests looked for in each way
)

// search measures the search box of a branch as it is typed: every key is a question, answered with the eight rows under
// the box and what stands beside them.
func (r *runner) search(func(string) bool) (err error) {
	c, err := r.crowd(r.scale(200_000), r.scale(1_000_000))
	if err != nil {
		return err
	}
	dir, err := r.folder("b1")
	if err != nil {
		return err
	}
	st, err := store.Open(r.ctx, store.Config{Dir: dir, Now: r.Now, Rand: r.Rand})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := st.Enrol(r.ctx, store.Enrolment{Identity: store.Identity{Branch: "b1", Entity: "e1", IDKey: []byte("key")}, Incarnation: 11, Epoch: 7}); err != nil {
		return err
	}
	began := r.Now()
	if err := c.settle(r, st); err != nil {
		return err
	}
	about := fmt.Sprintf("%d customers with a car each, %d orders with a line each, written in %.0f s as pages of the feed", len(c.known), c.orders, r.Now().Sub(began).Seconds())
	return r.searching(st, c, about)
}

// searching asks every question and gives the figures.
func (r *runner) searching(st *store.Store, c *crowd, about string) error {
	var all, allBare, allCPU series
	for _, q := range questions() {
		r.step("searching by %s", q.name)
		took, bare, cpu, err := r.typed(st, c, q)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		all, allBare, allCPU = append(all, took...), append(allBare, bare...), append(allCPU, cpu...)
		if err := r.emit("search/"+q.name+"/p99", took.at(0.99), "ms", ceiling(bare.at(0.99)), goal(searchGoal), note("%d keys; p50 %.2f against %.2f", len(took), took.at(0.5), bare.at(0.5))); err != nil {
			return err
		}
	}
	return errors.Join(
		r.emit("search/p50", all.at(0.5), "ms", ceiling(allBare.at(0.5)), note("%d keys; %s; ceiling: the query to the index alone, eight rows of numbers", len(all), about)),
		r.emit("search/p99", all.at(0.99), "ms", ceiling(allBare.at(0.99)), goal(searchGoal),
			note("of them CPU time of this process: p50 %.2f, p99 %.2f; what is above is waiting for a processor or the disk", allCPU.at(0.5), allCPU.at(0.99))),
	)
}

// typed asks each beginning of what is typed for some guests, and the index alone the same. Whoever is looked for must be
// found once all is typed.
func (r *runner) typed(st *store.Store, c *crowd, q question) (took, bare, cpu series, err error) {
	rand := rand.New(rand.NewPCG(r.Seed, 2))
	today := r.Now().UTC().Format(time.DateOnly)
	for asked := 0; asked < askers; {
		g := c.known[rand.IntN(len(c.known))]
		text := []rune(q.of(g))
		if len(text) == 0 {
			continue
		}
		asked++
		for n := range text {
			part := string(text[:n+1])
			if strings.TrimSpace(part) != part {
				continue
			}
			before, began := cpuTime(), r.Now()
			hits, more, err := st.Search(r.ctx, store.Asked{Query: part, Limit: liveHits, Today: today})
			if err != nil {
				return nil, nil, nil, err
			}
			took, cpu = append(took, r.Now().Sub(began)), append(cpu, cpuTime()-before)
			if n+1 == len(text) && len(hits) == 0 || n+1 == len(text) && q.one && !more && !among(hits, g) {
				return nil, nil, nil, fmt.Errorf("%q: %d rows without the one looked for", part, len(hits))
			}
			query, args := bareOf(part)
			began = r.Now()
			if err := readAll(r, st.DB().R, query, args); err != nil {
				return nil, nil, nil, err
			}
			bare = append(bare, r.Now().Sub(began))
		}
	}
	return took, bare, cpu, nil
}

// among tells whether a guest, his car or his order is among hits.
func among(hits []store.Hit, g guest) bool {
	for _, h := range hits {
		o := h.Record.GetServiceOrder()
		if strings.HasSuffix(h.Record.GetName(), "/"+g.id.String()) || strings.HasSuffix(h.Record.GetName(), "/"+g.car.String()) || o != nil && o.GetNumber() == g.order {
			return true
		}
	}
	return false
}

// bareOf is the one query to the index that the beginning of a question is: of several words, that of the first.
func bareOf(typed string) (string, []any) {
	first, _, _ := strings.Cut(strings.ToLower(typed), " ")
	latin := strings.Trim(first, "abcdefghijklmnopqrstuvwxyz") == ""
	for _, c := range first {
		if !latin && !han.Is(c) {
			key := strings.ToUpper(first)
			letter := "P"
			switch {
			case strings.Contains(key, "-"), strings.HasPrefix(key, "B1") || strings.HasPrefix(key, "B2"):
				return "SELECT n FROM record WHERE kind = 7 AND number >= ? AND number < ? LIMIT 8", []any{typed, typed + "\xff"}
			case strings.Trim(key, "0123456789") != "":
				letter = "L"
			}
			return "SELECT n FROM term WHERE k >= ? AND k < ? LIMIT 8", []any{letter + key, letter + key + "\xff"}
		}
	}
	expr := strings.Join(strings.Split(first, ""), " ")
	if latin {
		expr = first
	}
	expr = `{name} : ("` + expr + `"`
	if latin {
		expr += "*"
	}
	return "SELECT rowid FROM word WHERE word MATCH ? ORDER BY rowid DESC LIMIT 8", []any{expr + ")"}
}

func readAll(r *runner, db *stdsql.DB, query string, args []any) error {
	rows, err := db.QueryContext(r.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() // its error comes with rows.Err
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return err
		}
	}
	return rows.Err()
}

// liveHits is how many rows a page shows under the box.
const liveHits = 8

// question is one way to look for a guest at a counter.
type question struct {
	name string
	of   func(guest) string // all that is typed; "": not of this guest
	one  bool               // so few fit it that the guest must be among the rows
}

func questions() []question {
	return []question{
		{"name", func(g guest) string { return g.name }, false},
		{"pinyin", func(g guest) string { return pinyin(g.name) }, false},
		{"initials", func(g guest) string { return initials(g.name) }, false},
		{"plate", func(g guest) string { return g.plate }, true},
		{"plate-end", func(g guest) string { return string([]rune(g.plate)[2:]) }, true},
		{"vin-end", func(g guest) string { return g.vin[len(g.vin)-8:] }, true},
		{"phone", func(g guest) string { return mobile(g.phone) }, true},
		{"phone-end", func(g guest) string {
			if d := mobile(g.phone); d != "" {
				return d[len(d)-4:]
			}
			return ""
		}, false},
		{"number", func(g guest) string { return g.order }, true},
		{"combined", func(g guest) string {
			d, first := mobile(g.phone), string([]rune(g.name + " ")[:1])
			switch {
			case d == "" || len(pinyin(g.name)) == 0:
				return ""
			case g.vin[16]%3 == 0:
				return first + " " + d[len(d)-4:]
			case g.vin[16]%3 == 1:
				return initials(g.name) + " " + d[:4]
			}
			return pinyin(first) + " " + string([]rune(g.plate)[:4])
		}, false},
	}
}

func pinyin(name string) string   { return clipped(han.Pinyin(name).Full()) }
func initials(name string) string { return clipped(han.Initials(name)) }

func clipped(s string) string { return s[:min(len(s), 16)] }

// mobile is the number as it is told; "" for none.
func mobile(s string) string {
	s = strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
	if s = strings.TrimPrefix(strings.TrimPrefix(s, "00"), "86"); len(s) != 11 || s[0] != '1' {
		return ""
	}
	return s
}
