package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/sql"
	"branchline/schema/sql/sqltest"
)

// Many golden views are those that are given one by one, whatever is one with what: groups HQ told of, members of them that
// are not held here, records that say themselves whom they are, chosen values. They ask as often as few do.
func TestViews_areThoseOfOneByOne(t *testing.T) {
	for seed := range uint64(12) {
		dice := rand.New(rand.NewPCG(seed, 1))
		b := open(t, "pd", 11)
		h := newMiniHQ(b)
		var ids []schema.RecordID
		for i := range 24 {
			id := b.mint()
			h.edit(id, schema.Customer, b.values(customer(fmt.Sprint("王", i), fmt.Sprintf("139%08d", i))), b.now.Add(-time.Hour+time.Duration(i)*time.Second))
			ids = append(ids, id)
		}
		h.pass(0, 40, false)
		any := func() schema.RecordID { return ids[dice.IntN(len(ids))] }
		var rows []*wirev1.Row
		for i := 0; i+3 < 18; i += 3 {
			members := [][]byte{ids[i][:], ids[i+1+dice.IntN(2)][:]}
			if dice.IntN(3) == 0 {
				away := b.mint() // out of this branch's scope
				members = append(members, away[:])
			}
			rows = append(rows, &wirev1.Row{Row: wirev1.RowKind_GROUP, Rev: h.next(), Kind: 4, Record: members[0], Members: members})
		}
		b.page(&wirev1.Page{HqRev: h.rev, LastRev: h.rev, Full: true, Rows: rows})
		for range 6 { // some are in a group of HQ's, some claim one another in a row
			ids = append(ids, b.put(Edit{Message: &branchlinev1.Customer{Name: proto.String("自己"), SameAs: proto.String(any().String())}}).ID)
		}
		for range 4 {
			pin := b.mint()
			h.edit(pin, schema.Pin, b.values(&branchlinev1.Pin{Customer: proto.String(any().String()), Field: proto.String("name"), Value: customer("选中")}), b.now)
		}
		h.pass(0, 40, false)
		ids = append(ids, b.mint()) // nobody
		asked := func(ids []schema.RecordID) (map[schema.RecordID]*branchlinev1.Record, int64) {
			t.Helper()
			var n sql.Tally
			views, err := b.Views(sql.Counted(t.Context(), &n), ids)
			if err != nil {
				t.Fatal(err)
			}
			return views, n.Statements.Load()
		}
		views, all := asked(ids)
		if len(views) != len(ids)-1 {
			t.Fatalf("seed %d: %d views of %d records", seed, len(views), len(ids)-1)
		}
		for id, got := range views {
			want := b.golden(id)
			for _, r := range []*branchlinev1.Record{want, got} {
				for _, src := range r.GetSources() {
					src.Actor = ""
				}
			}
			if !proto.Equal(got, want) {
				t.Fatalf("seed %d, %s: among many\n%v\nalone\n%v", seed, id, got, want)
			}
		}
		if _, few := asked(ids[:4]); all > few+12 { // a row of claims is followed step by step
			t.Errorf("seed %d: %d statements for 4 views, %d for %d", seed, few, all, len(ids))
		}
	}
}

// Of all the customers there are, none is read but those asked for.
func TestViews_readByID(t *testing.T) {
	b := open(t, "pd", 11)
	args := make([]any, 3*toldAtOnce)
	for i := range args {
		args[i] = make([]byte, 16)
	}
	plan := sqltest.Plan(t, b.db.R, linkedText(toldAtOnce), args...)
	for _, step := range strings.Split(plan, "\n") {
		if strings.Contains(step, "SCAN") || strings.Contains(step, "(kind=?") {
			t.Errorf("%s in\n%s", step, plan)
		}
	}
}
