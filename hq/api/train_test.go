package api_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/hq/golden"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func (m *matcher) Check(ctx context.Context) (*golden.Checked, error) { return m.g.gold.Check(ctx) }

// A headquarters whose groups are not those that follow from its records says so.
func TestVerify_groupsAreMadeAnew(t *testing.T) {
	g := newRig(t)
	boss := g.as(branchlinev1.Role_ROLE_HQ_ADMINISTRATOR)
	for range 2 {
		must(boss.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Customer{
			Name: proto.String("王伟"), Phones: []*branchlinev1.Phone{{Number: proto.String("13761894502")}},
		})}))(t)
	}
	if r := must(boss.Sites.Verify(t.Context(), &branchlinev1.Empty{}))(t); !r.GetSame() || !strings.Contains(r.GetNote(), "1 groups of 2 customers") {
		t.Fatalf("%v", r)
	}
	_ = must(g.st.DB().W.Exec("UPDATE record SET grp = NULL WHERE kind = 4"))(t)
	r := must(boss.Sites.Verify(t.Context(), &branchlinev1.Empty{}))(t)
	if r.GetSame() || len(r.GetDiffering()) != 2 {
		t.Fatalf("groups that were taken away are not missed: %v", r)
	}
}
