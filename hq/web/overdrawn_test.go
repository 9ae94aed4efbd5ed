package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// cards are headquarters' cards: one with a use too many, until somebody bears it.
type cards struct {
	branchlinev1connect.UnimplementedCounterServiceHandler
	mu    sync.Mutex
	borne string
}

func (c *cards) ListOverdrawn(context.Context, *branchlinev1.ListOverdrawnRequest) (*branchlinev1.ListOverdrawnResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	use := func(branch, by string) *branchlinev1.CardUse {
		u := &branchlinev1.CardUse{Branch: proto.String(branch), Uses: proto.Int32(1), UsedAt: proto.Int64(1_795_000_000_000)}
		if by != "" {
			u.BorneBy = &by
		}
		return u
	}
	s := &branchlinev1.CardState{
		Name: "packageCards/c", Card: &branchlinev1.PackageCard{Title: proto.String("洗车"), Number: proto.String("PDn-C1")}, Left: -1, Open: 1,
		Uses: []*branchlinev1.CardUseRow{
			{Name: "cardUses/a", Use: use("pd", ""), OrderNumber: "PD-1"}, {Name: "cardUses/b", Use: use("hq", c.borne), OrderNumber: "HG-2", Over: true, Last: "cardUses/a"},
		},
	}
	if c.borne != "" {
		s.Open = 0
	}
	return &branchlinev1.ListOverdrawnResponse{Cards: []*branchlinev1.CardState{s}}, nil
}

func (c *cards) Bear(_ context.Context, r *branchlinev1.BearRequest) (*branchlinev1.CardState, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.borne != "" {
		return nil, schema.Invalid("borne_by", "it is said already who bears it")
	}
	c.borne = r.GetBorneBy()
	return &branchlinev1.CardState{}, nil
}

func TestOverdrawn_isAnsweredOnce(t *testing.T) {
	r := newRig(t, world())
	steward, auditor := r.token("over-steward", branchlinev1.Role_ROLE_HQ_STEWARD), r.token("over-auditor", branchlinev1.Role_ROLE_AUDITOR)
	page := r.get("/overdrawn", steward, look.ZhCN).body
	for _, x := range []string{"洗车", "剩 −1 次", "PD-1", "HG-2", "1 次待定", `value="cardUses/b"`} {
		if !strings.Contains(page, x) {
			t.Errorf("does not say %q", x)
		}
	}
	if strings.Contains(r.get("/overdrawn", auditor, look.ZhCN).body, `name="borne_by"`) {
		t.Error("the auditor is asked who bears it")
	}
	form := url.Values{"use": {"cardUses/b"}, "borne_by": {"customer"}, "reason": {"by phone"}}
	if a := r.do("POST", "/overdrawn", auditor, look.En, form); a.status != http.StatusForbidden {
		t.Errorf("the auditor says who bears it: %d", a.status)
	}
	if a := r.do("POST", "/overdrawn", steward, look.En, form); a.status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if page := r.get("/overdrawn", steward, look.En).body; !strings.Contains(page, "borne by the customer") || strings.Contains(page, `name="borne_by"`) {
		t.Error("it is asked again")
	}
	if a := r.do("POST", "/overdrawn", steward, look.En, form); a.status != http.StatusBadRequest || !strings.Contains(a.body, "It is said already") {
		t.Errorf("answered twice: %d", a.status)
	}
}

func TestBrowser_OverdrawnIsSound(t *testing.T) {
	r := newRig(t, world())
	steward := r.token("over-steward", branchlinev1.Role_ROLE_HQ_STEWARD)
	looktest.Audit(t, r.url+"/overdrawn", look.Langs(), looktest.Named("overdrawn"), looktest.Cookie(r.cookie(), steward))
}
