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
	part := agreed(&branchlinev1.ServiceLine{
		Kind: branchlinev1.LineKind_PART.Enum(), State: branchlinev1.LineState_LINE_APPROVED.Enum(), PartName: s("右大灯"),
		PartsOrderedAt: proto.Int64(at("2026-11-19").UnixMilli()), PartsExpectedOn: s("2026-11-20"),
	})
	order := w.car("沪A7Z3K5", inWork, "", &branchlinev1.ServiceOrder{Customer: s(w.he[len("customers/"):]), Vehicle: s(w.passat[len("vehicles/"):])}, part)
	zm := w.as("zm", "zh-CN")
	zm.done(t, "/"+order+"/state", url.Values{"state": {"HANDED_OVER"}}, "/"+order)
	page := zm.page("/parts")
	want(t, section(page, `id="waits"`, "</table>"), "右大灯", "沪A·7Z3K5", "已交车")
	form := formAt(t, page, `id="waits"`, "act", "came")
	zm.done(t, "/parts", form, "done=came")
	page = zm.page("/parts")
	want(t, section(page, `id="live-calls"`, "</section>"), "右大灯", "何建华", "139 0000 6600", "已交车")
	want(t, page, "没有在等的件")
	want(t, zm.page("/"), "配件到货，约客户来装")
	if !strings.Contains(page, "/"+order) {
		t.Error("it does not lead to the order")
	}
	// The text for the customer is about the part, and at the gate the car is known to have one waiting.
	want(t, zm.page("/"+order+"/tell"), "要的配件到了：右大灯")
	gate := "/serviceOrders/new?vehicle=" + w.passat[len("vehicles/"):]
	want(t, zm.page(gate), "这台车的件到了，等着装：右大灯")
	lines, err := w.rec.ListRecords(w.by("zm"), &branchlinev1.ListRecordsRequest{Collection: "serviceLines", Order: order})
	if err != nil {
		t.Fatal(err)
	}
	w.update(w.now, "zm", lines.GetRecords()[0].GetName(), &branchlinev1.ServiceLine{State: branchlinev1.LineState_LINE_DONE.Enum()}, "state")
	wantNot(t, zm.page(gate), "这台车的件到了")
}
