package rig

import (
	"context"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// A customer known at one branch only: another that is cut off warns that they are perhaps known in the group, when
// their phone, id or car is typed; when the line is back the two records join.
func TestKnown_aBranchCutOffWarnsAndTheRecordsJoin(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	const number, id, car = "13812345001", "11010519491231002X", "5YJ3E1EAXHF000316"
	ctx := owner(t.Context(), access.Node)
	who := func() *branchlinev1.Record {
		return &branchlinev1.Record{Body: &branchlinev1.Record_Customer{Customer: &branchlinev1.Customer{
			Name: proto.String("王小明"), Phones: []*branchlinev1.Phone{{Number: proto.String(number)}},
		}}}
	}
	create := func(b schema.BranchID, r *branchlinev1.Record, id string) *branchlinev1.Record {
		t.Helper()
		made, err := g.Site(b).Node().Server().API().Records.CreateRecord(ctx, &branchlinev1.CreateRecordRequest{Record: r, NationalId: id})
		g.must(err)
		return made
	}
	find := func(b schema.BranchID, req *branchlinev1.FindLikeRequest) *branchlinev1.FindLikeResponse {
		t.Helper()
		r, err := g.Site(b).Node().Server().API().Records.FindLike(ctx, req)
		g.must(err)
		return r
	}
	phone := func(number string) *branchlinev1.FindLikeRequest {
		return &branchlinev1.FindLikeRequest{Customer: &branchlinev1.Customer{Phones: []*branchlinev1.Phone{{Number: &number}}}}
	}
	first := create("b1", who(), id)
	create("b1", &branchlinev1.Record{Body: &branchlinev1.Record_Vehicle{Vehicle: &branchlinev1.Vehicle{Vin: proto.String(car)}}}, "")
	g.converge()
	// Also at another company's branch: that they are perhaps known is all it is told.
	for _, b := range []schema.BranchID{"b2", "b3"} {
		g.until(string(b)+" has the filter", func() bool { return len(find(b, phone("+86 138-1234-5001")).GetPerhapsKnown()) > 0 })
		_, recordID, err := schema.ParseName(first.GetName())
		g.must(err)
		if _, err := g.Site(b).Node().Store().Get(t.Context(), recordID); !errors.Is(err, schema.ErrNotFound) {
			t.Fatalf("%s holds the customer: %v", b, err)
		}
	}

	if k := said(t, g.Site("b2").Node()).GetKnownElsewhere(); k.GetEntries() != 3 || k.GetBytes() == 0 || k.GetMadeAt() == 0 {
		t.Errorf("the status of b2 says of the filter: %v", k) // a phone, an id, a VIN
	}

	g.Site("b2").Proxy().Cut()
	g.must(g.StopNode("b2")) // what it was given lies in its folder
	g.must(g.StartNode("b2"))
	for name, x := range map[string]struct {
		req  *branchlinev1.FindLikeRequest
		want []string
	}{
		"the phone":     {phone(number), []string{"phone"}},
		"the id":        {&branchlinev1.FindLikeRequest{NationalId: "110105 19491231 002x"}, []string{"national_id"}},
		"the car":       {&branchlinev1.FindLikeRequest{Vin: "5yj3e1eaxhf000316"}, []string{"vin"}},
		"another phone": {phone("13812345002"), nil},
		"another id":    {&branchlinev1.FindLikeRequest{NationalId: "E12345678"}, nil},
	} {
		r := find("b2", x.req)
		if !slices.Equal(r.GetPerhapsKnown(), x.want) || len(r.GetMatches()) > 0 || r.GetKnownAt() == 0 {
			t.Errorf("cut off, %s: perhaps known by %v, want %v; %d matches; told from %d", name, r.GetPerhapsKnown(), x.want, len(r.GetMatches()), r.GetKnownAt())
		}
	}
	second := create("b2", who(), id)
	if r := find("b2", phone(number)); len(r.GetMatches()) != 1 || len(r.GetPerhapsKnown()) > 0 {
		t.Errorf("what is held here is named, not guessed at: %v", r)
	}

	g.Site("b2").Proxy().Open()
	g.linked("b2")
	g.converge()
	g.until("the two records are one customer at both branches", func() bool {
		for _, b := range []schema.BranchID{"b1", "b2"} {
			r, err := g.Site(b).Node().Server().API().Records.GetRecord(ctx, &branchlinev1.GetRecordRequest{Name: second.GetName(), Golden: true})
			if err != nil || !slices.Contains(r.GetGroup(), first.GetName()) || !slices.Contains(r.GetGroup(), second.GetName()) {
				return false
			}
		}
		return true
	})
	if r := find("b2", phone(number)); len(r.GetMatches()) != 1 || len(r.GetMatches()[0].GetRecord().GetGroup()) != 2 {
		t.Errorf("the joined customer is not named once: %v", r)
	}
}

// What a branch has no right to ask it is not given: without a standing, or before there is a filter.
func TestKnown_isGivenToBranchesOfTheGroupOnly(t *testing.T) {
	g := newGroup(t, Config{})
	g.converge()
	g.must(g.HQ().MakeKnown(context.Background()))
	for _, req := range [][]byte{nil, []byte("\x0a\x02hi\x10\x09"), []byte("no message")} {
		out, err := g.Site("b1").Node().Ask(t.Context(), "known", req)
		if string(req) == "no message" {
			if !errors.Is(err, schema.ErrInvalid) {
				t.Errorf("%q: %v", req, err)
			}
			continue
		}
		if err != nil || len(out) > 200 {
			t.Errorf("%q: %d bytes, %v", req, len(out), err)
		}
	}
}
