package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/known"
)

// hearsay knows what it is told.
type hearsay map[known.Thing]bool

func (h hearsay) Perhaps(_ context.Context, things []known.Thing) ([]bool, int64, error) {
	var out []bool
	for _, t := range things {
		out = append(out, h[t])
	}
	return out, 1700000000000, nil
}

func (h hearsay) Stands() (*branchlinev1.KnownElsewhere, error) {
	return &branchlinev1.KnownElsewhere{Entries: int64(len(h))}, nil
}

func phones(numbers ...string) (out []*branchlinev1.Phone) {
	for _, n := range numbers {
		out = append(out, &branchlinev1.Phone{Number: proto.String(n)})
	}
	return out
}

func TestFindLike_saysWhoIsHereAndWhatTheGroupPerhapsKnows(t *testing.T) {
	s := newSite(t)
	const id = "11010519491231002X"
	made, err := s.rec.CreateRecord(s.ctx, &branchlinev1.CreateRecordRequest{
		Record: record(t, &branchlinev1.Customer{Name: proto.String("王小明"), Phones: phones("13812345001")}), NationalId: "110105 19491231 002x",
	})
	if err != nil || made.GetCustomer().GetIdLast() != "002X" || len(made.GetCustomer().GetIdHash()) != 32 {
		t.Fatalf("%v, %v", made, err)
	}
	car := s.create(&branchlinev1.Vehicle{Vin: proto.String("5YJ3E1EAXHF000316"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A8K362")}}})
	h := hearsay{}
	for _, list := range [][]known.Thing{
		known.Phones("13812345001"), known.Phones("13912345009"), known.IDs(made.GetCustomer().GetIdHash()), known.VINs("5YJ3E1EAXHF000316"), known.VINs("WAUZZZ8K1DA006278"),
	} {
		for _, x := range list {
			h[x] = true
		}
	}
	s.rec.c.Known = h
	ask := func(req *branchlinev1.FindLikeRequest) (agrees, perhaps string) {
		t.Helper()
		r, err := s.rec.FindLike(s.ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		if r.GetKnownAt() == 0 {
			t.Error("nobody says from when it is told")
		}
		for _, m := range r.GetMatches() {
			agrees += strings.Join(m.GetAgrees(), " ")
		}
		return agrees, strings.Join(r.GetPerhapsKnown(), " ")
	}
	for name, x := range map[string]struct {
		req             *branchlinev1.FindLikeRequest
		agrees, perhaps string
	}{
		"nothing":                 {&branchlinev1.FindLikeRequest{}, "", ""},
		"a phone that is here":    {&branchlinev1.FindLikeRequest{Customer: &branchlinev1.Customer{Phones: phones("138 1234 5001")}}, "phone", ""},
		"a phone elsewhere":       {&branchlinev1.FindLikeRequest{Customer: &branchlinev1.Customer{Phones: phones("139 1234 5009")}}, "", "phone"},
		"a phone nowhere":         {&branchlinev1.FindLikeRequest{Customer: &branchlinev1.Customer{Phones: phones("139 1234 5000")}}, "", ""},
		"one here, one elsewhere": {&branchlinev1.FindLikeRequest{Customer: &branchlinev1.Customer{Phones: phones("13812345001", "13912345009")}}, "phone", ""},
		"an id that is here":      {&branchlinev1.FindLikeRequest{NationalId: id}, "national_id id_last", ""},
		"half an id":              {&branchlinev1.FindLikeRequest{NationalId: id[:12]}, "", ""},
		"a car that is here":      {&branchlinev1.FindLikeRequest{Vin: "5YJ3E1EAXHF000316"}, "", ""},
		"a car elsewhere":         {&branchlinev1.FindLikeRequest{Vin: "wauzzz8k1da006278"}, "", "vin"},
	} {
		if agrees, perhaps := ask(x.req); agrees != x.agrees || perhaps != x.perhaps {
			t.Errorf("%s: agrees %q, perhaps known %q; want %q, %q", name, agrees, perhaps, x.agrees, x.perhaps)
		}
	}
	// An id given later is kept in the same way, and the mask names it by itself.
	other := s.create(&branchlinev1.Customer{Name: proto.String("何平")})
	up, err := s.rec.UpdateRecord(s.ctx, &branchlinev1.UpdateRecordRequest{
		Record:     &branchlinev1.Record{Name: other.GetName(), Etag: other.GetEtag(), Body: &branchlinev1.Record_Customer{Customer: &branchlinev1.Customer{}}},
		UpdateMask: []string{"id_last"}, NationalId: id,
	})
	if err != nil || !slices.Equal(up.GetCustomer().GetIdHash(), made.GetCustomer().GetIdHash()) {
		t.Errorf("%v, %v", up, err)
	}
	_ = car
	for name, req := range map[string]*branchlinev1.CreateRecordRequest{
		"mistyped": {Record: record(t, &branchlinev1.Customer{Name: proto.String("何平")}), NationalId: "110105194912310021"},
		"of a car": {Record: record(t, &branchlinev1.Vehicle{Vin: proto.String("WAUZZZ8K1DA006278")}), NationalId: id},
	} {
		if _, err := s.rec.CreateRecord(s.ctx, req); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFindLike_isForWhoWritesCustomersDown(t *testing.T) {
	s := newSite(t)
	s.create(&branchlinev1.Customer{Name: proto.String("王小明"), Phones: phones("13812345001")})
	req := &branchlinev1.FindLikeRequest{Customer: &branchlinev1.Customer{Phones: phones("13812345001")}}
	if _, err := s.rec.FindLike(as(t.Context(), branchlinev1.Role_ROLE_TECHNICIAN), req); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a technician: %v", err)
	}
	if r, err := s.rec.FindLike(as(t.Context(), branchlinev1.Role_ROLE_CLERK), req); err != nil || len(r.GetMatches()) != 1 {
		t.Errorf("a clerk: %v, %v", r, err)
	}
	var many []string
	for i := range maxDraftPhones + 1 {
		many = append(many, fmt.Sprintf("138000010%02d", i))
	}
	for name, c := range map[string]*branchlinev1.Customer{
		"many phones": {Phones: phones(many...)}, "long": {Remark: proto.String(strings.Repeat("x", maxDraft))},
	} {
		if _, err := s.rec.FindLike(s.ctx, &branchlinev1.FindLikeRequest{Customer: c}); !errors.Is(err, schema.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
