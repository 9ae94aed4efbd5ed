package web_test

import (
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// What is over offers nothing to order, ask or settle; a car that is ready waits for its owner and is not late.
func TestOrder_WhatIsOverOffersNothing(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	line := func() *branchlinev1.ServiceLine {
		return &branchlinev1.ServiceLine{
			Kind: branchlinev1.LineKind_PART.Enum(), State: branchlinev1.LineState_LINE_PROPOSED.Enum(), PartName: s("右大灯"), Amount: proto.Int64(50_000), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(),
		}
	}
	for _, x := range []struct {
		made    branchlinev1.OrderState
		then    string
		has, no []string
	}{
		{branchlinev1.OrderState_QUOTED, "", []string{"缺件", "等客户答复", "结算收款", "还没有做环车检查", "迟 1 小时"}, nil},
		{branchlinev1.OrderState_READY, "", []string{"缺件", "结算收款"}, []string{"迟 1 小时"}},
		{branchlinev1.OrderState_READY, "HANDED_OVER", []string{"收款记录"}, []string{"迟 1 小时", "结算收款", "还没有做环车检查"}},
		{branchlinev1.OrderState_QUOTED, "CANCELLED", []string{"收款记录", "待答复"}, []string{"缺件", "等答复", "迟 1 小时", "结算收款", "还没有做环车检查"}},
	} {
		order := "/" + w.car("沪A7Z3K5", x.made, "09:31", nil, line())
		if x.then != "" {
			zm.done(t, order+"/state", url.Values{"state": {x.then}, "reason": {"不修了"}}, order)
		}
		page := zm.page(order)
		page = page[strings.Index(page, `id="live-head"`):]
		want(t, page, x.has...)
		wantNot(t, text(page), x.no...)
	}
}
