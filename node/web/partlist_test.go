package web_test

import (
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// The lists of parts name cars that drove off, and say that they did.
func TestParts_OfCarsThatDroveOff(t *testing.T) {
	w := newTown(newRig(t))
	part := &branchlinev1.ServiceLine{
		Kind: branchlinev1.LineKind_PART.Enum(), State: branchlinev1.LineState_LINE_APPROVED.Enum(), PartName: s("右大灯"),
		PartsOrderedAt: proto.Int64(at("2026-11-19").UnixMilli()), PartsExpectedOn: s("2026-11-20"),
	}
	order := w.car("沪A7Z3K5", inWork, "", &branchlinev1.ServiceOrder{Customer: s(w.he[len("customers/"):])}, part)
	zm := w.as("zm", "zh-CN")
	zm.done(t, "/"+order+"/state", url.Values{"state": {"HANDED_OVER"}}, "/"+order)
	page := zm.page("/parts")
	want(t, section(page, `id="waits"`, "</table>"), "右大灯", "沪A·7Z3K5", "已交车")
	form := formAt(t, page, `id="waits"`, "act", "came")
	zm.done(t, "/parts", form, "done=came")
	page = zm.page("/parts")
	want(t, section(page, `id="live-calls"`, "</section>"), "右大灯", "何建华", "13900006600", "已交车")
	want(t, page, "没有在等的件")
	want(t, zm.page("/"), "配件到货，约客户来装")
	if !strings.Contains(page, "/"+order) {
		t.Error("it does not lead to the order")
	}
}
