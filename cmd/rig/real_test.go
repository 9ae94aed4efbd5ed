package rig_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"branchline/cmd/rig"
	"branchline/cmd/rig/show"
	"branchline/node/intake"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/mapfile"
	"branchline/schema/sample"
)

// The totals expected of the real data sets stand in the SOURCE.md there.

func realGroup(t *testing.T, branches ...rig.Branch) *rig.Rig {
	t.Helper()
	r, err := rig.New(rig.Config{Dir: t.TempDir(), Branches: branches, Pages: true, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func asAdmin(ctx context.Context, site access.Site) context.Context {
	return access.With(ctx, access.Caller{Account: "test", Staff: "test", Roles: []branchlinev1.Role{access.Administrator(site)}, Local: true})
}

// take imports a file at a branch and gives what came of it.
func take(t *testing.T, r *rig.Rig, b schema.BranchID, mapName, file string, c mapfile.Choice) intake.Result {
	t.Helper()
	m, err := mapfile.Named(mapName)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = m.With(c); err != nil {
		t.Fatal(err)
	}
	x, err := intake.New(intake.Config{
		Map: m, File: file, Send: r.Site(b).Node().Server().API().Records.ImportRows,
		Rejects: filepath.Join(t.TempDir(), "rejects.csv"),
	})
	if err != nil {
		t.Fatal(err)
	}
	res, err := x.Run(asAdmin(t.Context(), access.Node))
	if err != nil {
		t.Fatal(err)
	}
	if res.Rejected > 0 {
		text, rerr := os.ReadFile(res.Rejects)
		t.Fatalf("%s at %s: %d rows rejected (%v): %.400s", mapName, b, res.Rejected, rerr, text)
	}
	return res
}

func report(t *testing.T, r *rig.Rig, by ...string) *branchlinev1.ReportResponse {
	t.Helper()
	out, err := r.HQ().Server().API().Headquarters.Report(asAdmin(t.Context(), access.HQ), &branchlinev1.ReportRequest{Report: "orders", By: by})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func clean(t *testing.T, r *rig.Rig) {
	t.Helper()
	for _, s := range r.Sites() {
		v, err := s.Node().Server().API().Sites.Verify(asAdmin(t.Context(), access.Node), &branchlinev1.Empty{})
		if err != nil || !v.GetSame() {
			t.Fatalf("%s differs from HQ: %v %v", s.Code, v, err)
		}
	}
}

// Two stores, one customer base: HQ's totals are those of the file, and a
// customer's history at either store shows both.
func TestReal_sakilaTwoStores(t *testing.T) {
	dir := sample.Path(t, "data", "real", "sakila-two-stores")
	r := realGroup(t, rig.Branch{Code: "s1", Name: "Store 1", Entity: "sk"}, rig.Branch{Code: "s2", Name: "Store 2", Entity: "sk"})
	stores := map[schema.BranchID]string{"s1": "1", "s2": "2"}
	for b, n := range stores {
		take(t, r, b, "sakila-customers", filepath.Join(dir, "customer.csv"), mapfile.Choice{Where: map[string]string{"store_id": n}})
	}
	for b, n := range stores {
		take(t, r, b, "sakila-rentals", filepath.Join(dir, "rental.csv"), mapfile.Choice{Where: map[string]string{"store_id": n}})
	}
	if again := take(t, r, "s1", "sakila-rentals", filepath.Join(dir, "rental.csv"), mapfile.Choice{Where: map[string]string{"store_id": "1"}}); again.Done != 0 || again.Skipped != 7923 {
		t.Errorf("a second run took %d in and skipped %d", again.Done, again.Skipped)
	}
	if err := show.Settle(t.Context(), r, 3*time.Minute); err != nil {
		t.Fatal(err)
	}
	rep := report(t, r, "branch")
	got := map[string][]int64{}
	for _, row := range rep.GetRows() {
		got[row.GetKeys()[0]] = row.GetValues()
	}
	if len(got) != 2 || got["s1"][0] != 7923 || got["s2"][0] != 8121 {
		t.Errorf("orders by store: %v, want 7,923 and 8,121", got)
	}
	if tot := rep.GetTotal().GetValues(); tot[0] != 16044 || tot[1] != 6741651 {
		t.Errorf("HQ counts %v, want 16,044 orders and 67,416.51", tot)
	}
	historyAtEitherStore(t, r)
	clean(t, r)
}

// historyAtEitherStore takes one customer and compares what both stores show of it.
func historyAtEitherStore(t *testing.T, r *rig.Rig) {
	t.Helper()
	ctx := asAdmin(t.Context(), access.Node)
	var lists [2]map[string]int
	for i, b := range []schema.BranchID{"s1", "s2"} {
		api := r.Site(b).Node().Server().API()
		hits, err := api.Records.Search(ctx, &branchlinev1.SearchRequest{Query: "ANDREA HENDERSON", Collections: []string{"customers"}})
		if err != nil || len(hits.GetHits()) == 0 {
			t.Fatalf("%s finds nobody: %v", b, err)
		}
		c, err := api.Records.GetRecord(ctx, &branchlinev1.GetRecordRequest{Name: hits.GetHits()[0].GetRecord().GetName(), Golden: true})
		if err != nil {
			t.Fatal(err)
		}
		lists[i] = map[string]int{}
		members := c.GetGroup()
		if len(members) == 0 {
			members = []string{c.GetName()}
		}
		for _, m := range members {
			page, err := api.Records.ListRecords(ctx, &branchlinev1.ListRecordsRequest{Collection: "serviceOrders", Customer: m, PageSize: 1000})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.GetRecords() {
				lists[i][o.GetHome()]++
			}
		}
	}
	if lists[0]["s1"] == 0 || lists[0]["s2"] == 0 || lists[0]["s1"] != lists[1]["s1"] || lists[0]["s2"] != lists[1]["s2"] {
		t.Errorf("the customer's orders by store: at s1 %v, at s2 %v; want the same at both, from both", lists[0], lists[1])
	}
}

// Ninety-five dealers' repairs on three nodes; the VINs fail their check digit and are taken.
func TestReal_warrantyRepairs(t *testing.T) {
	file := filepath.Join(sample.Path(t, "data", "real", "warranty-repairs"), "task2.csv")
	branches := []schema.BranchID{"s1", "s2", "s3"}
	r := realGroup(t, rig.Branch{Code: "s1", Name: "East", Entity: "ax"}, rig.Branch{Code: "s2", Name: "West", Entity: "ax"}, rig.Branch{Code: "s3", Name: "South", Entity: "ax"})
	var rows, warned int
	for i, b := range branches {
		res := take(t, r, b, "warranty-repairs", file, mapfile.Choice{Part: &mapfile.Part{Of: 3, Index: i}})
		if res.Done == 0 {
			t.Errorf("%s has no part of the rows", b)
		}
		rows += res.Done
		warned += res.Warned
	}
	if rows != 100 || warned < 98 {
		t.Errorf("%d rows taken, %d with a doubt; want 100 and at least the 98 whose VIN fails its check", rows, warned)
	}
	if err := show.Settle(t.Context(), r, time.Minute); err != nil {
		t.Fatal(err)
	}
	if tot := report(t, r).GetTotal().GetValues(); tot[0] != 100 || tot[1] != 5311932 {
		t.Errorf("HQ counts %v, want 100 orders and 53,119.32", tot)
	}
	vins, labour := map[string]bool{}, int64(0)
	api, ctx := r.HQ().Server().API(), asAdmin(t.Context(), access.HQ)
	eachRecord(t, ctx, r, "vehicles", func(x *branchlinev1.Record) { vins[x.GetVehicle().GetVin()] = true })
	eachRecord(t, ctx, r, "serviceLines", func(x *branchlinev1.Record) {
		if x.GetServiceLine().GetKind() == branchlinev1.LineKind_LABOUR {
			labour += x.GetServiceLine().GetAmount()
		}
	})
	if len(vins) != 98 || labour != 1063449 {
		t.Errorf("%d VINs and %d of labour at HQ, want 98 and 10,634.49", len(vins), labour)
	}
	h, err := api.Records.VehicleHistory(ctx, &branchlinev1.VehicleHistoryRequest{Vin: "1HRFFHEL8RZ133325"})
	if err != nil || len(h.GetVisits()) != 2 {
		t.Errorf("the car that came twice: %d visits (%v)", len(h.GetVisits()), err)
	}
	clean(t, r)
}

func eachRecord(t *testing.T, ctx context.Context, r *rig.Rig, collection string, f func(*branchlinev1.Record)) {
	t.Helper()
	req := &branchlinev1.ListRecordsRequest{Collection: collection, PageSize: 1000}
	for {
		page, err := r.HQ().Server().API().Records.ListRecords(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range page.GetRecords() {
			f(x)
		}
		if page.GetNextPageToken() == "" {
			return
		}
		req.PageToken = page.GetNextPageToken()
	}
}
