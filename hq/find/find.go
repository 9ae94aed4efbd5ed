// Package find lists and finds records at headquarters.
//
// Rules:
//   - Lists and the search index are derived from the merged records behind the
//     line (hq/behind) and brought up to HQ's rev before they are asked.
//   - Lines of orders are listed by their order, never by their words: a group
//     has millions of them, and who looks for work looks for the car.
//   - A value that was pinned is found as one of the customer it is pinned at, whether
//     or not anybody registered it.
//   - What is found is judged by the caller: nothing here knows who is asking.
//
// It promises that a record written before the question is found by it.
package find

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/hq/behind"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
)

// Index is safe for concurrent use.
type Index struct {
	st     *store.Store
	log    *slog.Logger
	follow *behind.Follower
}

// New starts nothing. log may be nil.
func New(st *store.Store, log *slog.Logger) (*Index, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	x := &Index{st: st, log: log.With("room", "hq/find")}
	var kinds []schema.Kind
	for _, k := range schema.Kinds() {
		kinds = append(kinds, k.Kind)
	}
	var err error
	x.follow, err = behind.New(st, x.log, behind.Task{
		Name: "find", Form: 4, Kinds: kinds,
		Clear:  []string{"DELETE FROM listing", "DELETE FROM term", "DELETE FROM worded", "INSERT INTO word (word) VALUES ('delete-all')"},
		Derive: x.derive,
	})
	return x, err
}

// Run works changes in when HQ is quiet, until ctx ends.
func (x *Index) Run(ctx context.Context) error { return x.follow.Run(ctx) }

// Rebuild makes lists and index anew from the records.
func (x *Index) Rebuild(ctx context.Context) error { return x.follow.Rebuild(ctx) }

// entries are what some records are listed and found by.
type entries struct {
	recs  []*store.Rec
	found []index.Entry // of each, empty for lines
}

func (x *Index) derive(recs []*store.Rec) (func(*store.W) error, error) {
	e := entries{recs: recs, found: make([]index.Entry, len(recs))}
	for i, r := range recs {
		k := schema.KindOf(r.Kind)
		if k == nil || r.Kind == schema.ServiceLine {
			continue
		}
		msg, err := store.MessageOf(k, r.State)
		if err == nil {
			k, msg, err = searched(r, k, msg)
		}
		if err != nil {
			// Listed all the same, so that somebody sees it.
			x.log.Error("record not readable: it is not found by search", "record", schema.ResourceName(r.Kind, r.ID), "err", err)
			continue
		}
		e.found[i] = index.Read(k, msg)
	}
	return e.write, nil
}

// searched is what a record is found by, as a message of a kind: of a pin in force the value, which is a customer's.
func searched(r *store.Rec, k *schema.KindInfo, msg []byte) (*schema.KindInfo, []byte, error) {
	if r.Kind != schema.Pin {
		return k, msg, nil
	}
	k = schema.KindOf(schema.Customer)
	if r.Retired != 0 {
		return k, nil, nil
	}
	p := new(branchlinev1.Pin)
	if err := proto.Unmarshal(msg, p); err != nil {
		return nil, nil, fmt.Errorf("hq/find: pin %s: %w", r.ID, err)
	}
	value, err := proto.Marshal(p.GetValue())
	return k, value, err
}

func (e entries) write(w *store.W) error {
	if err := e.list(w); err != nil {
		return err
	}
	if err := e.terms(w); err != nil {
		return err
	}
	return e.words(w)
}

func (e entries) list(w *store.W) error {
	var rows []any
	for _, r := range e.recs {
		rows = append(rows, r.N, int64(r.Kind), r.Home, r.Retired != 0, r.ID[:], r.Updated, textOrNull(r.Day), textOrNull(r.Number), r.St)
	}
	_, err := w.Insert("INSERT INTO listing (n, kind, home, retired, id, updated, day, number, st)",
		`ON CONFLICT (n) DO UPDATE SET home = excluded.home, retired = excluded.retired, updated = excluded.updated, day = excluded.day,
			number = excluded.number, st = excluded.st`, 9, rows)
	return err
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// keys are the numbers of the records that can have entries.
func (e entries) keys() []any {
	var out []any
	for _, r := range e.recs {
		if r.Kind != schema.ServiceLine {
			out = append(out, r.N)
		}
	}
	return out
}

type term struct {
	n int64
	k string
}

func (e entries) terms(w *store.W) error {
	have := map[term]bool{}
	err := w.In("SELECT n, k FROM term WHERE n", "", e.keys(), func(rows *stdsql.Rows) error {
		var t term
		if err := rows.Scan(&t.n, &t.k); err != nil {
			return err
		}
		have[t] = true
		return nil
	})
	if err != nil {
		return err
	}
	var fresh []any
	for i, r := range e.recs {
		for _, k := range e.found[i].Terms {
			t := term{r.N, k}
			if !have[t] {
				fresh = append(fresh, k, r.N)
			}
			delete(have, t)
		}
	}
	for t := range have {
		if _, err := w.Exec("DELETE FROM term WHERE k = $1 AND n = $2", t.k, t.n); err != nil {
			return err
		}
	}
	_, err = w.Insert("INSERT INTO term (k, n)", "", 2, fresh)
	return err
}

func (e entries) words(w *store.W) error {
	have := map[int64]int64{}
	err := w.In("SELECT n, sum FROM worded WHERE n", "", e.keys(), func(rows *stdsql.Rows) error {
		var n, sum int64
		if err := rows.Scan(&n, &sum); err != nil {
			return err
		}
		have[n] = sum
		return nil
	})
	if err != nil {
		return err
	}
	for i, r := range e.recs {
		sum := e.found[i].WordSum()
		if have[r.N] == sum {
			continue
		}
		if have[r.N] != 0 {
			if _, err := w.Exec("DELETE FROM word WHERE rowid = $1", r.N); err != nil {
				return err
			}
		}
		if sum == 0 {
			if _, err := w.Exec("DELETE FROM worded WHERE n = $1", r.N); err != nil {
				return err
			}
			continue
		}
		if _, err := w.Exec("INSERT INTO word (rowid, name, text) VALUES ($1, $2, $3)", r.N, e.found[i].NameWords(), e.found[i].TextWords()); err != nil {
			return err
		}
		if _, err := w.Exec("INSERT INTO worded (n, sum) VALUES ($1, $2) ON CONFLICT (n) DO UPDATE SET sum = excluded.sum", r.N, sum); err != nil {
			return err
		}
	}
	return nil
}

// Hit is one record found.
type Hit struct {
	Rec *store.Rec
	index.Found
}

// Search finds records by what a person types, best first; of those that are one
// customer or one car the one that fits best. more tells that there are further
// ones, or may be. fits, if not nil, says which hits count at all.
func (x *Index) Search(ctx context.Context, query string, limit int, fits func(*store.Rec, string) bool) (hits []Hit, more bool, err error) {
	if err := x.follow.CatchUp(ctx); err != nil {
		return nil, false, err
	}
	asked := index.Parse(query)
	all := true
	err = x.st.Read(ctx, func(r *store.R) error {
		var found map[int64]index.Found
		var err error
		if found, all, err = index.Find(ctx, querier{r}, asked); err != nil {
			return err
		}
		ns := make([]int64, 0, len(found))
		for n := range found {
			ns = append(ns, n)
		}
		recs, err := recsOf(r, ns)
		if err != nil {
			return err
		}
		for _, by := range recs {
			f, rec := found[by.N], by
			if by.Kind == schema.Pin {
				if rec, err = store.RecOf(r, by.Customer); err != nil {
					return err
				}
				if rec == nil || rec.Kind != schema.Customer {
					continue
				}
			}
			if fits != nil && slices.ContainsFunc(append([]string{f.Matched}, f.Also...), func(by string) bool { return !fits(rec, by) }) {
				continue
			}
			if f, err = rank(by, f, asked); err != nil {
				return err
			}
			if rec.Retired != 0 {
				f.Rank += index.RankRetired
			}
			hits = append(hits, Hit{rec, f})
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("hq/find: search: %w", err)
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		return compare(int64(a.Rank), int64(b.Rank), b.Rec.Updated, a.Rec.Updated, b.Rec.N, a.Rec.N)
	})
	told := map[int64]bool{}
	hits = slices.DeleteFunc(hits, func(h Hit) bool {
		one := h.Rec.Grp
		if one == 0 {
			one = -h.Rec.N // by itself and by a value pinned at it
		}
		again := told[one]
		told[one] = true
		return again
	})
	if len(hits) > limit {
		return hits[:limit], true, nil
	}
	return hits, !all, nil
}

// rank says how well what a hit was found by fits.
func rank(rec *store.Rec, f index.Found, query *index.Query) (index.Found, error) {
	if f.Matched == index.ByName {
		k := schema.KindOf(rec.Kind)
		msg, err := store.MessageOf(k, rec.State)
		if err != nil {
			return f, err
		}
		if k, msg, err = searched(rec, k, msg); err != nil {
			return f, err
		}
		f.Rank = min(f.Rank, query.NameRank(index.Names(k, msg)))
	}
	return f, nil
}

// compare compares pairs until two differ.
func compare(pairs ...int64) int {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != pairs[i+1] {
			if pairs[i] < pairs[i+1] {
				return -1
			}
			return 1
		}
	}
	return 0
}

type querier struct{ r *store.R }

// QueryContext makes a snapshot an index.Querier; a snapshot is not cut short.
func (q querier) QueryContext(_ context.Context, text string, args ...any) (*stdsql.Rows, error) {
	return q.r.Query(text, args...)
}

// recsOf reads records by number, in no order.
func recsOf(r store.Reader, ns []int64) ([]*store.Rec, error) {
	var out []*store.Rec
	for part := range slices.Chunk(ns, 200) {
		args := make([]any, len(part))
		for i, n := range part {
			args[i] = n
		}
		err := r.Each("SELECT "+store.RecColumns+" FROM record WHERE n IN ("+places(len(args))+")", args, func(rows *stdsql.Rows) error {
			rec, err := store.ScanRec(rows)
			out = append(out, rec)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// places is "$1, $2, …".
func places(n int) string {
	s := make([]string, n)
	for i := range s {
		s[i] = fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(s, ", ")
}
