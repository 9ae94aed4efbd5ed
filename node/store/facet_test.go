package store

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
)

// Of a part, a loan car and a next step the index holds what is open still, and no more.
func TestFacts_AFacetEnds(t *testing.T) {
	i, str := proto.Int64, proto.String
	done, declined, approved := branchlinev1.LineState_LINE_DONE.Enum(), branchlinev1.LineState_LINE_DECLINED.Enum(), branchlinev1.LineState_LINE_APPROVED.Enum()
	for _, x := range []struct {
		of   proto.Message
		want string // the field whose facet stands; "" for none
	}{
		{&branchlinev1.ServiceLine{PartsOrderedAt: i(5)}, "parts_ordered_at"},
		{&branchlinev1.ServiceLine{PartsOrderedAt: i(5), State: approved}, "parts_ordered_at"},
		{&branchlinev1.ServiceLine{PartsOrderedAt: i(5), PartsArrivedAt: i(6), State: approved}, "parts_arrived_at"},
		{&branchlinev1.ServiceLine{PartsOrderedAt: i(5), State: declined}, ""},
		{&branchlinev1.ServiceLine{PartsOrderedAt: i(5), PartsArrivedAt: i(6), State: done}, ""},
		{&branchlinev1.ServiceOrder{LoanCar: str("沪A8D06")}, "loan_car"},
		{&branchlinev1.ServiceOrder{LoanCar: str("沪A8D06"), LoanBackAt: i(9)}, ""},
		{&branchlinev1.Contact{NextOn: str("2026-11-22")}, "next_on"},
		{&branchlinev1.Contact{NextOn: str("2026-11-22"), NextDoneAt: i(9)}, ""},
	} {
		msg, err := proto.Marshal(x.of)
		if err != nil {
			t.Fatal(err)
		}
		k := schema.KindOfMessage(x.of)
		var stands []string
		for _, f := range k.Fields {
			of := index.FacetTerm(f, "")
			if slices.ContainsFunc(readFacts(k, msg).found.Facets, func(term string) bool { return len(term) > len(of) && term[:len(of)] == of }) {
				stands = append(stands, f.Name)
			}
		}
		if x.want == "" && len(stands) > 0 || x.want != "" && !slices.Equal(stands, []string{x.want}) {
			t.Errorf("%v is picked by %q, want %q", x.of, stands, x.want)
		}
	}
}
