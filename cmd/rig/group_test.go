package rig

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/inbox"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// body is what a page says to somebody who is not signed in.
func body(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What the group is called is said once at headquarters: every site's pages show it, also of a company that came later.
func TestGroup_NameReachesEverySite(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	g.must(g.HQ().Inbox().SetGroup(context.Background(), "申陆汽车集团", admin))
	g.must(g.Add(Branch{Code: "b7", Name: "Suzhou", Entity: "e7"}))
	g.converge()
	// After a restart it is still known.
	g.must(g.StopHQ())
	g.must(g.StartHQ())
	g.converge()
	for name, url := range map[string]string{"hq": g.HQ().URL(), "b1": g.Site("b1").Node().URL(), "b3": g.Site("b3").Node().URL(), "b7": g.Site("b7").Node().URL()} {
		if !strings.Contains(body(t, url+"/sign-in"), "申陆汽车集团") {
			t.Errorf("the pages of %s do not name the group", name)
		}
	}
	g.must(g.HQ().Inbox().SetGroup(context.Background(), "申陆汽车集团", admin)) // once more changes nothing
}

// owner is who holds a site's local token.
func owner(ctx context.Context, s access.Site) context.Context {
	return access.With(ctx, access.Caller{Account: access.LocalName, Staff: "li", Roles: access.RolesOf(s), Local: true})
}

// A branch's business days are those of its own zone, which headquarters says and may change while the branch runs.
func TestGroup_ZoneOfABranch(t *testing.T) {
	// Twenty-five hours lie between the two: it is never the same day in both.
	east, west := "Pacific/Kiritimati", "Pacific/Pago_Pago"
	g := newGroup(t, Config{Pages: true, Branches: []Branch{
		{Code: "b1", Name: "East", Entity: "e1", Zone: east}, {Code: "b2", Name: "West", Entity: "e1", Zone: west}, {Code: "b3", Name: "Home", Entity: "e1"},
	}})
	g.converge()
	day := func(b schema.BranchID) string {
		t.Helper()
		r, err := g.Site(b).Node().Server().API().Records.CreateRecord(owner(t.Context(), access.Node), &branchlinev1.CreateRecordRequest{
			Record: &branchlinev1.Record{Body: &branchlinev1.Record_ServiceOrder{ServiceOrder: &branchlinev1.ServiceOrder{}}},
		})
		g.must(err)
		return r.GetServiceOrder().GetDay()
	}
	in := func(b schema.BranchID, zone string) {
		t.Helper()
		z, err := schema.Zone(zone)
		g.must(err)
		g.until(string(b)+" counts its days in "+z.String(), func() bool { return g.Site(b).Node().Zone().String() == z.String() })
		before := time.Now().In(z).Format(time.DateOnly)
		got := day(b)
		if after := time.Now().In(z).Format(time.DateOnly); got != before && got != after {
			t.Errorf("an order at %s is of day %s, in %s it is %s", b, got, zone, after)
		}
	}
	in("b1", east)
	in("b2", west)
	in("b3", "")
	// Headquarters moves a branch to another zone.
	b := g.HQ().Store().Branch("b3")
	_, err := g.HQ().Inbox().Edit(t.Context(), inbox.Edit{
		Kind: schema.Branch, Record: b.Record, Values: &branchlinev1.Branch{Zone: proto.String(west)}, Actor: admin.Actor, Role: admin.Role,
	})
	g.must(err)
	in("b3", west)
	g.must(g.StopNode("b3"))
	g.must(g.StartNode("b3"))
	if z := g.Site("b3").Node().Zone().String(); z != west {
		t.Errorf("after a restart its zone is %s", z)
	}
	if _, err := g.HQ().Inbox().AddBranchIn(t.Context(), "b9", "Nowhere", "e1", "Asia/Pudong", admin); err == nil {
		t.Error("a zone there is none of was taken")
	}
}
