package web_test

import (
	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// agreed is a line that comes with the customer's yes: one of an order in work would have to be asked about first.
func agreed(l *branchlinev1.ServiceLine) *branchlinev1.ServiceLine {
	l.Approvals = []*branchlinev1.Approval{{
		At: proto.Int64(at("2026-11-21", "09:40").UnixMilli()), State: branchlinev1.LineState_LINE_APPROVED.Enum(), Way: branchlinev1.ApprovalWay_BY_WORD.Enum(),
		SaidBy: s("陈建国"), Phone: s("13900002270"), Amount: proto.Int64(l.GetAmount() - l.GetDiscount()),
	}}
	return l
}
