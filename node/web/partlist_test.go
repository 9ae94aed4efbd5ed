package web_test

import (
	"maps"
	"net/http"
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
	page = zm.page(gate)
	want(t, page, "这台车到了的件，这次装", "右大灯")

	// Taken in, the part is a line of the new order, and the old one says with which it is fitted. Unticked, it stays.
	reception := formOf(t, page, "/serviceOrders")
	reception.Set("complaint", "装大灯")
	unticked := maps.Clone(reception)
	unticked.Del("part")
	_, _, body := zm.post("/serviceOrders/new", unticked)
	if at := strings.Index(body, `name="part"`); at < 0 || strings.Contains(body[at:at+80], "checked") {
		t.Error("what was unticked is ticked again")
	}
	status, to, body := zm.post("/serviceOrders", reception)
	if status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	wantNot(t, zm.page(gate), "这次装")
	fresh := zm.page(to)
	want(t, fresh, "右大灯", "已同意")
	number := w.record(to[1:]).GetServiceOrder().GetNumber()
	old := zm.page("/" + order)
	want(t, old, "改在 "+number+" 上装", "完工")
	if !strings.Contains(old, `href="`+to+`"`) {
		t.Error("the old order does not lead to the new")
	}
	wantNot(t, text(zm.page("/parts")), "右大灯")
}
