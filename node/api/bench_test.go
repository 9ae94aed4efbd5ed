package api

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func BenchmarkCreateRecord(b *testing.B) {
	s := newSite(b)
	r := new(branchlinev1.Record)
	if err := schema.SetBody(r, &branchlinev1.Customer{Name: proto.String("王小明"), Phones: []*branchlinev1.Phone{{Number: proto.String("13812345678")}}, Remark: proto.String("x")}); err != nil {
		b.Fatal(err)
	}
	req := &branchlinev1.CreateRecordRequest{Record: r}
	for b.Loop() {
		if _, err := s.rec.CreateRecord(s.ctx, req); err != nil {
			b.Fatal(err)
		}
	}
}
