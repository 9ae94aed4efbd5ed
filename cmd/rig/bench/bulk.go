package bench

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"branchline/cmd/rig"
	nodestore "branchline/node/store"
	"branchline/schema/sql"
	"branchline/sync/link"
)

const (
	hqCacheKiB   = 64 << 10
	nodeCacheKiB = 12 << 10
)

// bulk measures what moves many records at once: the drain of a branch that
// worked offline, and the first fetch of a branch's new machine.
func (r *runner) bulk(want func(string) bool) (err error) {
	g, err := r.line(false, branches(1)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	b := g.Site("b1")
	// What would go into the index is kept as rows: the ceiling of the bootstrap writes it.
	if err := r.whileStopped(g, func() error { return unindexed(r.ctx, b.Dir, true) }); err != nil {
		return err
	}
	if err := r.quiet(g, 20*time.Second); err != nil {
		return err
	}
	b.Proxy().Cut()
	r.step("writing %d records offline", r.scale(80_000))
	if _, err := r.fill(b.Node().Store(), r.rows()); err != nil {
		return err
	}
	if err := r.drain(g, want); err != nil {
		return err
	}
	if !want("bootstrap") && !want("wire") {
		return nil
	}
	return r.bootstraps(g, want)
}

// whileStopped does something to b1's folder while the branch is stopped.
func (r *runner) whileStopped(g *rig.Rig, f func() error) error {
	if err := g.StopNode("b1"); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return g.StartNode("b1")
}

// passed is the bytes through a site's proxy, both ways.
func passed(s *rig.Site) int64 {
	up, down := s.Proxy().Bytes()
	return up + down
}

func (r *runner) drain(g *rig.Rig, want func(string) bool) error {
	b := g.Site("b1")
	l, err := b.Node().Store().Line(r.ctx)
	if err != nil {
		return err
	}
	n := r.scale(80_000)
	if err := g.StopNode("b1"); err != nil {
		return err
	}
	b.Proxy().Open()
	before := passed(b)
	r.step("draining")
	if err := g.StartNode("b1"); err != nil {
		return err
	}
	began := r.Now()
	if err := r.reached(b.Node(), l.LastSeq, time.Minute); err != nil {
		return err
	}
	took := r.Now().Sub(began)
	if want("wire") {
		if err := r.emit("wire/drain", float64(passed(b)-before)/float64(n), "B/record", goal(140), note("both ways, TLS, until the receipts are back")); err != nil {
			return err
		}
	}
	if !want("drain") {
		return nil
	}
	if err := r.quiet(g, time.Minute); err != nil {
		return err
	}
	db := g.HQ().Store().DB().R
	var tables []*table
	for _, name := range []string{"record", "pack", "hold", "feed"} {
		t, err := readTable(r.ctx, db, name, "")
		if err != nil {
			return err
		}
		if len(t.rows) > 0 {
			tables = append(tables, t)
		}
	}
	if have := len(tables[0].rows); have < n {
		return fmt.Errorf("drain: headquarters has %d records of %d", have, n)
	}
	r.step("bare inserts of the same rows")
	bare, err := r.bareInsert(sql.HQ(), hqCacheKiB, n, tables...)
	if err != nil {
		return err
	}
	name := "drain"
	if r.Quick {
		name = fmt.Sprintf("drain/%d", n)
	}
	return r.emit(name, took.Seconds(), "s", ceiling(bare.Seconds()), goal(1.6*float64(n)/80_000), within(2.5),
		note("%.0f records/s; from the start of the line to the receipt for the last change; ceiling: bare inserts of the same records, packs and holds", float64(n)/took.Seconds()))
}

// bootstraps: the branch's disk is lost, a new machine enrols and fetches all.
func (r *runner) bootstraps(g *rig.Rig, want func(string) bool) error {
	b := g.Site("b1")
	if err := g.StopNode("b1"); err != nil {
		return err
	}
	words, err := wordsWritten(r.ctx, b.Dir)
	if err != nil {
		return err
	}
	n := r.scale(80_000)
	grouped, err := r.grouped(g)
	if err != nil {
		return err
	}
	var took [2]time.Duration // with the index, before it
	var record, term *table
	for i := range took {
		r.step("a new machine fetches %d records", n)
		if err := os.RemoveAll(b.Dir); err != nil {
			return err
		}
		if i == 1 {
			if err := r.emptyStore(b.Dir); err != nil {
				return err
			}
			if err := unindexed(r.ctx, b.Dir, false); err != nil {
				return err
			}
		}
		before := passed(b)
		if err := g.ReEnrol("b1"); err != nil {
			return err
		}
		began := r.Now()
		if err := r.await("bootstrap", time.Minute, func() (bool, error) {
			s := b.Node().Link()
			return s.Phase == link.Open && s.Full && !s.FullPass, nil
		}); err != nil {
			return err
		}
		took[i] = r.Now().Sub(began)
		l, err := b.Node().Store().Line(r.ctx)
		if err != nil {
			return err
		}
		if l.Records < int64(n) {
			return fmt.Errorf("bootstrap: the branch has %d records of %d", l.Records, n)
		}
		if i == 0 && want("wire") {
			if err := r.emit("wire/bootstrap", float64(passed(b)-before)/float64(n), "B/record", goal(140), note("both ways, TLS")); err != nil {
				return err
			}
		}
		if err := g.StopNode("b1"); err != nil {
			return err
		}
		if !want("bootstrap") {
			return nil
		}
		if i == 0 {
			if record, term, err = recordsAndTerms(r.ctx, b.Dir); err != nil {
				return err
			}
		}
	}
	r.step("bare inserts of the same rows")
	bare, err := r.bareInsert(sql.Node(), nodeCacheKiB, n, record)
	if err != nil {
		return err
	}
	indexed, err := r.bareInsert(sql.Node(), nodeCacheKiB, n, record, term, words)
	if err != nil {
		return err
	}
	part := float64(n) / 80_000
	if err := r.emit("bootstrap", took[0].Seconds(), "s", ceiling(indexed.Seconds()), goal(2.5*part),
		note("%d records and their search index, %s; ceiling: bare inserts of the same rows", n, grouped)); err != nil {
		return err
	}
	return r.emit("bootstrap/before-index", took[1].Seconds(), "s", ceiling(bare.Seconds()), goal(1.5*part),
		note("the same with the index left out; ceiling: bare inserts of the records"))
}

// grouped waits until headquarters has found who is one customer in what was drained, for a while: it takes one of two
// cores, and a branch that gets a new machine seldom gets it in that minute. It says what came of it.
func (r *runner) grouped(g *rig.Rig) (string, error) {
	r.step("headquarters groups what it got")
	ctx, stop := context.WithTimeout(r.ctx, time.Minute)
	defer stop()
	err := g.HQ().CatchUp(ctx)
	switch {
	case r.ctx.Err() != nil:
		return "", r.ctx.Err()
	case ctx.Err() != nil:
		return "headquarters still grouping", nil
	}
	return "headquarters at rest", err
}

func recordsAndTerms(ctx context.Context, dir string) (record, term *table, err error) {
	db, err := openPlain(dir)
	if err != nil {
		return nil, nil, err
	}
	record, rerr := readTable(ctx, db, "record", "")
	term, terr := readTable(ctx, db, "term", "")
	return record, term, errors.Join(rerr, terr, db.Close())
}

// emptyStore makes a branch's database in a new folder.
func (r *runner) emptyStore(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	st, err := nodestore.Open(r.ctx, nodestore.Config{Dir: dir, Now: r.Now, Rand: r.Rand})
	if err != nil {
		return err
	}
	return st.Close()
}

func openPlain(dir string) (*stdsql.DB, error) {
	return stdsql.Open("sqlite", "file:"+filepath.Join(dir, nodestore.FileName))
}

// unindexed puts views in the place of a stopped branch's search tables, so that
// it writes everything but the index. With keep the words are noted in a table,
// and terms go where they belong.
func unindexed(ctx context.Context, dir string, keep bool) error {
	db, err := openPlain(dir)
	if err != nil {
		return err
	}
	script := `DROP TABLE word; CREATE TABLE word_kept (n INTEGER PRIMARY KEY, name TEXT, text TEXT);
		CREATE VIEW word AS SELECT n AS rowid, name, text FROM word_kept;
		CREATE TRIGGER word_out INSTEAD OF DELETE ON word BEGIN SELECT 1; END;
		CREATE TRIGGER word_in INSTEAD OF INSERT ON word BEGIN `
	if keep {
		script += `INSERT INTO word_kept (n, name, text) VALUES (NEW.rowid, NEW.name, NEW.text); END;`
	} else {
		script += `SELECT 1; END; DROP TABLE term; CREATE VIEW term AS SELECT '' AS k, 0 AS n;
			CREATE TRIGGER term_out INSTEAD OF DELETE ON term BEGIN SELECT 1; END;
			CREATE TRIGGER term_in INSTEAD OF INSERT ON term BEGIN SELECT 1; END;`
	}
	_, err = db.ExecContext(ctx, script)
	return errors.Join(err, db.Close())
}

// wordsWritten is what a branch with kept words would have put into its index.
func wordsWritten(ctx context.Context, dir string) (*table, error) {
	db, err := openPlain(dir)
	if err != nil {
		return nil, err
	}
	t, terr := readTable(ctx, db, "word_kept", "")
	if err := errors.Join(terr, db.Close()); err != nil {
		return nil, err
	}
	t.name, t.columns[0] = "word", "rowid"
	if strings.Join(t.columns, ",") != "rowid,name,text" {
		return nil, fmt.Errorf("the index has the columns %v", t.columns)
	}
	return t, nil
}
