package golden_test

import (
	stdsql "database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/sql"
)

// A headquarters from before migration 0024, in which one telephone under many names made one of each pair of namesakes,
// has after it the clusters that its records have when they are taken from nothing.
func TestOneTelephone_afterTheMigration(t *testing.T) {
	g := newRig(t, nil)
	b := g.branch("b01")
	crowd := g.crowd(b, 60)
	family, given := []rune("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"), []rune("伟芳娜敏静丽强磊军洋")
	namesakes := map[string][]schema.RecordID{}
	for i := range 400 {
		name := string(family[i%20]) + string(given[i%200/20])
		id := g.id()
		namesakes[name] = append(namesakes[name], id)
		b.write(id, person(name, "13955501234"), true)
	}
	b.send()
	g.say(false, crowd[:1], crowd[1:2])
	g.catch()
	want := g.derived()
	old := g.before(24)
	old.joined(namesakes)
	old.open()
	defer old.close()
	old.catch()
	if d := differ(want, old.derived()); d != "" {
		t.Errorf("after the migration there is other than from nothing:\n%s", d)
	}
	old.paired()
	old.checked()
	if got := old.rows("SELECT COUNT(*) FROM record WHERE grp IS NOT NULL"); got == "0\n" {
		t.Error("nobody is in a group: what is compared says nothing")
	}
	g.close()
}

// before copies the database into one made by the migrations before n, and is not open.
func (g *rig) before(n int) *rig {
	g.t.Helper()
	w := &rig{t: g.t, dir: g.t.TempDir(), now: g.now, dice: g.dice, key: g.key, z: g.z, ids: g.ids, base: g.base}
	old := fstest.MapFS{}
	for _, e := range must(fs.ReadDir(sql.HQ(), "."))(g.t) {
		var number int
		if _, err := fmt.Sscanf(e.Name(), "%d_", &number); err == nil && number < n {
			old[e.Name()] = &fstest.MapFile{Data: must(fs.ReadFile(sql.HQ(), e.Name()))(g.t)}
		}
	}
	db := must(sql.Open(g.t.Context(), sql.Config{Path: filepath.Join(w.dir, store.File), Migrations: old}))(g.t)
	do := func(text string, args ...any) { g.t.Helper(); _ = must(db.W.Exec(text, args...))(g.t) }
	do("PRAGMA foreign_keys = OFF")
	do("ATTACH DATABASE $1 AS now", filepath.Join(g.dir, store.File))
	// Virtual tables and theirs hold no records.
	var tables []string
	each(g.t, db.W, "SELECT name FROM main.sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%' AND name NOT LIKE 'word\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' AND name <> 'goose_db_version'", func(rows *stdsql.Rows) error {
		var name string
		err := rows.Scan(&name)
		tables = append(tables, name)
		return err
	})
	for _, table := range tables {
		var columns []string
		each(g.t, db.W, "SELECT name FROM pragma_table_info('"+table+"')", func(rows *stdsql.Rows) error {
			var name string
			err := rows.Scan(&name)
			columns = append(columns, `"`+name+`"`)
			return err
		})
		list := strings.Join(columns, ", ")
		do("DELETE FROM main." + table)
		do("INSERT INTO main." + table + " (" + list + ") SELECT " + list + " FROM now." + table)
	}
	do("DETACH DATABASE now")
	check(g.t, db.Close())
	ledger := must(os.ReadFile(filepath.Join(g.dir, store.LedgerFile)))(g.t)
	check(g.t, os.WriteFile(filepath.Join(w.dir, store.LedgerFile), ledger, 0o600))
	return w
}

// joined makes of an old database what it was when a telephone told of one customer however many names had it: no key
// says that it is somebody's own, namesakes are pairs and groups, and somebody is asked about them.
func (g *rig) joined(namesakes map[string][]schema.RecordID) {
	t := g.t
	t.Helper()
	path := filepath.Join(g.dir, store.File)
	db := must(stdsql.Open("sqlite", path))(t)
	do := func(text string, args ...any) { t.Helper(); _ = must(db.Exec(text, args...))(t) }
	for _, table := range []string{"match_key", "match_crowd", "match_row"} {
		do("UPDATE " + table + " SET key = key & ~2")
	}
	keys := map[int64][]byte{}
	each(t, db, "SELECT n, keys FROM match_node", func(rows *stdsql.Rows) error {
		var at int64
		var b []byte
		err := rows.Scan(&at, &b)
		keys[at] = b
		return err
	})
	for at, b := range keys {
		for i := 7; i < len(b); i += 8 {
			b[i] &^= 2 // the last of eight bytes
		}
		do("UPDATE match_node SET keys = $1 WHERE n = $2", b, at)
	}
	for _, ids := range namesakes {
		a, b := ids[0], ids[1]
		do("UPDATE record SET grp = (SELECT n FROM record WHERE id = $1) WHERE id IN ($1, $2)", a[:], b[:])
		for range 2 {
			do("INSERT OR REPLACE INTO match_edge (a, b, strangers, sharers, flags) SELECT x.n, y.n, 900, 900, 1 FROM record x, record y WHERE x.id = $1 AND y.id = $2", a[:], b[:])
			a, b = b, a
		}
		do("INSERT OR IGNORE INTO match_question (rank, aid, bid, a, b, score, gain, joined, contradiction, alarm) SELECT -7, x.id, y.id, x.n, y.n, 900, 7, 1, 0, 0 FROM record x, record y WHERE x.id = $1 AND y.id = $2", a[:], b[:])
	}
	check(t, db.Close())
}

func each(t testing.TB, db *stdsql.DB, text string, read func(*stdsql.Rows) error) {
	t.Helper()
	rows := must(db.Query(text))(t)
	for rows.Next() {
		check(t, read(rows))
	}
	check(t, rows.Err())
	check(t, rows.Close())
}
