//go:build linux

package soak

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	hqstore "branchline/hq/store"
	nodestore "branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/sql"
	"branchline/sync/merge"
)

// written are the kinds the load writes.
var written = []schema.Kind{schema.Customer, schema.Note, schema.ServiceOrder, schema.ServiceLine}

// audit ends the group and reads every database: each acknowledged change is at
// headquarters exactly once, each record there and at every branch entitled to it
// as its writers know it, and nothing is there that nobody saved.
func (g *group) audit() {
	g.t.Helper()
	if g.t.Failed() {
		g.t.FailNow()
	}
	g.settled()
	for _, b := range g.all {
		b.stop()
	}
	g.hq.stop()
	a := &auditor{g: g}
	a.open(g.hq, hqstore.File, func(db *stdsql.DB) {
		a.packs(db)
		a.records("hq", db, "SELECT id, kind, state FROM record", func(*entry) bool { return true })
		if n := a.count(db, "SELECT count(*) FROM outcome WHERE sealed IS NOT NULL"); n > 0 {
			a.say("%d changes are set aside at headquarters", n)
		}
	})
	for _, b := range g.all {
		a.open(b.site, nodestore.FileName, func(db *stdsql.DB) {
			a.records(b.name, db, "SELECT id, kind, shown FROM record", func(e *entry) bool { return a.entitled(b, e) })
		})
	}
	if a.bad > 0 {
		g.t.Fatalf("%d findings", a.bad)
	}
	g.t.Logf("audited: %d changes, %d records", len(g.book.changes), len(g.book.records))
}

type auditor struct {
	g   *group
	bad int
}

func (a *auditor) say(format string, args ...any) {
	a.g.t.Helper()
	if a.bad++; a.bad <= 20 {
		a.g.t.Errorf(format, args...)
	}
}

func (a *auditor) open(s *site, file string, f func(*stdsql.DB)) {
	a.g.t.Helper()
	dir := s.dir
	if s.disk != nil { // SQLite does not find its way there
		dir = a.g.copyOf(s)
	}
	db, err := sql.Open(context.Background(), sql.Config{Path: filepath.Join(dir, file), ReadOnly: true})
	a.g.must(err)
	f(db.R)
	a.g.must(db.Close())
}

func (a *auditor) count(db *stdsql.DB, q string) (n int) {
	a.g.t.Helper()
	a.g.must(db.QueryRow(q).Scan(&n))
	return n
}

func (a *auditor) rows(db *stdsql.DB, q string, f func(*stdsql.Rows) error) {
	a.g.t.Helper()
	rows, err := db.Query(q)
	a.g.must(err)
	defer rows.Close()
	for rows.Next() {
		a.g.must(f(rows))
	}
	a.g.must(rows.Err())
}

// packs checks that every incarnation is gapless up to its watermark, and that
// each acknowledged change is there once: as itself, or made again after a fork.
func (a *auditor) packs(db *stdsql.DB) {
	a.g.t.Helper()
	codec, err := schema.NewPackCodec()
	a.g.must(err)
	defer codec.Close()
	type place struct {
		inc schema.Incarnation
		seq schema.Seq
	}
	type found struct {
		place
		record schema.RecordID
	}
	marks, next := map[schema.Incarnation]schema.Seq{}, map[schema.Incarnation]schema.Seq{}
	a.rows(db, "SELECT inc, watermark FROM incarnation", func(r *stdsql.Rows) error {
		var inc schema.Incarnation
		var w schema.Seq
		err := r.Scan(&inc, &w)
		marks[inc], next[inc] = w, 1
		return err
	})
	// Copies of one edit (a change and its re-issues) are one: they have one chain hash.
	have := map[found]map[schema.Hash]bool{}
	add := func(f found, chain schema.Hash) {
		if have[f] == nil {
			have[f] = map[schema.Hash]bool{}
		}
		have[f][chain] = true
	}
	a.rows(db, "SELECT inc, first, last, raw FROM pack ORDER BY inc, first", func(r *stdsql.Rows) error {
		var inc schema.Incarnation
		var first, last schema.Seq
		var raw []byte
		if err := r.Scan(&inc, &first, &last, &raw); err != nil {
			return err
		}
		if first != next[inc] {
			a.say("incarnation %s: a pack begins at %d instead of %d", inc, first, next[inc])
		}
		next[inc] = last + 1
		h, _, _, body, err := schema.ParsePackHeader(raw)
		if err != nil {
			return err
		}
		all, err := codec.Decode(h, body)
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.ID.Seq < first {
				continue
			}
			b, err := s.Body()
			if err != nil {
				return err
			}
			id, err := schema.RecordIDFromBytes(b.GetRecord())
			if err != nil {
				return err
			}
			add(found{place{inc, s.ID.Seq}, id}, s.Chain)
			if o := b.GetOrigin(); o != nil {
				chain, err := schema.HashFromBytes(o.GetChain())
				if err != nil {
					return err
				}
				add(found{place{schema.Incarnation(o.GetIncarnation()), schema.Seq(o.GetSeq())}, id}, chain)
			}
		}
		return nil
	})
	for inc, w := range marks {
		if next[inc] != w+1 {
			a.say("incarnation %s: packs end at %d, the watermark is %d", inc, next[inc]-1, w)
		}
	}
	for c := range a.g.book.changes {
		if n := len(have[found{place{c.id.Inc, c.id.Seq}, c.record}]); n != 1 {
			a.say("change %s was acknowledged and is at headquarters %d times", c.id, n)
		}
	}
}

// entitled tells whether a branch must hold a record: its own, and a customer that
// a branch of the same company knows as one of its own.
func (a *auditor) entitled(b *branch, e *entry) bool {
	if e.home == code(b) {
		return true
	}
	c, ok := e.want.(*branchlinev1.Customer)
	if !ok || a.entity(e.home) != b.entity {
		return false
	}
	for _, o := range a.g.book.records {
		if o.home == code(b) && o.kind == schema.Customer && o.want.(*branchlinev1.Customer).GetName() == c.GetName() {
			return true
		}
	}
	return false
}

func (a *auditor) entity(home schema.BranchID) string {
	for _, b := range a.g.all {
		if code(b) == home {
			return b.entity
		}
	}
	return ""
}

// records compares what a site holds with the book.
func (a *auditor) records(site string, db *stdsql.DB, q string, must func(*entry) bool) {
	a.g.t.Helper()
	seen := map[schema.RecordID]bool{}
	a.rows(db, q, func(r *stdsql.Rows) error {
		var raw, state []byte
		var kind schema.Kind
		if err := r.Scan(&raw, &kind, &state); err != nil {
			return err
		}
		if !slices.Contains(written, kind) {
			return nil
		}
		id, err := schema.RecordIDFromBytes(raw)
		if err != nil {
			return err
		}
		name := schema.ResourceName(kind, id)
		e := a.g.book.records[id]
		if e == nil {
			a.say("%s is at %s and nobody was told it was saved", name, site)
			return nil
		}
		seen[id] = true
		st, err := merge.Decode(state)
		if err != nil {
			return err
		}
		got, err := st.Message(schema.KindOf(kind))
		if err != nil {
			return err
		}
		if d := differs(got, e.want); d != "" {
			a.say("%s at %s: %s", name, site, d)
		}
		return nil
	})
	for id, e := range a.g.book.records {
		if !seen[id] && must(e) {
			a.say("%s was saved at %s and is not at %s", schema.ResourceName(e.kind, id), e.home, site)
		}
	}
}

// differs names the fields of want that got shows otherwise. A list is a bag.
func differs(got, want proto.Message) string {
	var out []string
	want.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if g, w := texts(fd, got.ProtoReflect().Get(fd)), texts(fd, v); !slices.Equal(g, w) {
			out = append(out, fmt.Sprintf("%s is %q instead of %q", fd.Name(), g, w))
		}
		return true
	})
	return strings.Join(out, "; ")
}

func texts(fd protoreflect.FieldDescriptor, v protoreflect.Value) []string {
	one := func(v protoreflect.Value) string {
		if fd.Message() != nil {
			return protojson.MarshalOptions{}.Format(v.Message().Interface())
		}
		return v.String()
	}
	if !fd.IsList() {
		return []string{one(v)}
	}
	var out []string
	for i := range v.List().Len() {
		out = append(out, one(v.List().Get(i)))
	}
	slices.Sort(out)
	return out
}
