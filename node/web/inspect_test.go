package web_test

import (
	"bytes"
	"image/color"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

func (r *rig) record(name string) *branchlinev1.Record {
	r.t.Helper()
	out, err := r.rec.GetRecord(r.by("boss"), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// arrivedCar is an order of a car that has come in and of which nothing was looked at yet.
func (w *town) arrivedCar() string {
	return w.create(at("2026-11-21", "10:05"), "zm", &branchlinev1.ServiceOrder{
		State: branchlinev1.OrderState_RECEIVED.Enum(), Plate: s("沪A52H17"), Model: s("大众 帕萨特"), Vehicle: s(id(w.record(w.passat))), Customer: s(w.chen[len("customers/"):]), Complaint: s("保养"),
	}).GetName()
}

func (w *town) checkOf(order string) (string, *branchlinev1.Inspection) {
	w.t.Helper()
	for _, r := range w.all("inspections") {
		if "serviceOrders/"+r.GetInspection().GetOrder() == order {
			return r.GetName(), r.GetInspection()
		}
	}
	w.t.Fatalf("%s has no inspection", order)
	return "", nil
}

// What is typed is saved as it was typed, without a script; what the order does not have it learns; and nothing is made
// twice.
func TestInspect_IsFilledInAndRead(t *testing.T) {
	w := newTown(newRig(t))
	order := w.arrivedCar()
	zm := w.as("zm", "zh-CN")
	want(t, zm.page("/"+order), "还没有做环车检查", "做环车检查")
	path := "/" + order + "/inspection"
	form := formOf(t, zm.page(path), path)
	for k, v := range map[string]string{
		"fuel_eighths": "0", "odometer_km": "88,412 km", "charge_percent": "60", "lamp_other": "四驱，拖车灯", "valuables": "行车记录仪", "no_valuables": "true", "wash_wanted": "true",
		"damages.0.part": "door_fl", "damages.0.what": "scratch", "damages.0.x": "235", "damages.0.y": "400", "damages.0.note": "见底漆",
		"damages.2.part": "interior", "damages.2.what": "stain",
		"points.0.finding": "1", "points.0.measured": "5.2 mm", "points.5.finding": "3", "points.5.measured": "2", "signed_by": "陈建国",
	} {
		form.Set(k, v)
	}
	form.Del("old_parts_wanted")
	form["lamp"] = []string{"abs", "tyre"}
	for range 2 {
		if status, to, body := zm.post(path, form); status != http.StatusSeeOther || to != "/"+order+"#inspection" {
			t.Fatalf("%d %s %s", status, to, text(body))
		}
	}
	if n := len(w.all("inspections")); n != 1 {
		t.Fatalf("%d inspections", n)
	}
	name, got := w.checkOf(order)
	at := got.GetDoneAt()
	if at == 0 || got.GetSignedAt() == 0 {
		t.Errorf("done at %d, signed at %d", at, got.GetSignedAt())
	}
	ident := func(n string) *string { return s(n[strings.IndexByte(n, '/')+1:]) }
	wanted := &branchlinev1.Inspection{
		Order: ident(order), Vehicle: ident(w.passat), Branch: s("pd"), Day: s("2026-11-21"), DoneAt: &at, Inspector: s("zm"), SignedAt: got.SignedAt, SignedBy: s("陈建国"),
		OdometerKm: proto.Int64(88_412), FuelEighths: proto.Int32(0), ChargePercent: proto.Int32(60), WarningLamps: []string{"abs", "tyre", "四驱", "拖车灯"},
		Valuables: s("行车记录仪"), WashWanted: proto.Bool(true),
		Damages: []*branchlinev1.Damage{
			{Part: s("door_fl"), What: s("scratch"), X: proto.Int32(235), Y: proto.Int32(400), Note: s("见底漆")}, {Part: s("interior"), What: s("stain")},
		},
		Points: []*branchlinev1.CheckPoint{
			{Item: s("tyre_fl"), Finding: branchlinev1.Finding_FINDING_GOOD.Enum(), Measured: s("5.2 mm")},
			{Item: s("brake_pads_front"), Finding: branchlinev1.Finding_FINDING_NOW.Enum(), Measured: s("2 mm")},
		},
	}
	if !sameLists(got, wanted) {
		t.Errorf("saved\n%s\nwant\n%s", protojson.Format(got), protojson.Format(wanted))
	}
	o := w.record(order).GetServiceOrder()
	if o.GetOdometerKm() != 88_412 || !o.GetWashWanted() || o.OldPartsWanted != nil {
		t.Errorf("the order: %s", protojson.Format(o))
	}
	readings := 0
	for _, r := range w.all("odometerReadings") {
		if r.GetOdometerReading().GetOrder() == *ident(order) {
			readings++
		}
	}
	if readings != 1 {
		t.Errorf("%d odometer readings of the order", readings)
	}
	want(t, zm.page("/"+order), "左前门 刮痕 见底漆", "内饰 污渍", "马上处理 前刹车片 2 mm", "陈建国", "打字代签", "行车记录仪", "ABS")
	want(t, zm.page("/"+w.passat), "左前门 刮痕")
	if status, _, to := zm.fetch(path); status != http.StatusSeeOther || to.Get("Location") != "/"+name {
		t.Errorf("the order's inspection leads to %d %s", status, to.Get("Location"))
	}
	page := zm.page("/" + name)
	again := formOf(t, page, "/"+name)
	if again.Get("damages.0.note") != "见底漆" || again.Get("odometer_km") != "88412" || again.Get("fuel_eighths") != "0" || again.Get("points.5.measured") != "2 mm" {
		t.Errorf("the form does not hold what was saved: %v", again)
	}
	// Sent as it is, nothing has changed.
	etag := w.record(name).GetEtag()
	again["lamp"] = []string{"abs", "tyre"}
	again.Set("wash_wanted", "true")
	again.Del("old_parts_wanted")
	again.Del("no_valuables")
	if status, _, body := zm.post("/"+name, again); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	if now := w.record(name).GetEtag(); now != etag {
		t.Errorf("saving what was there wrote something: %s", protojson.Format(w.record(name).GetInspection()))
	}
	want(t, zm.page("/"+name+"/print"), "环车检查", "左前门", "刮痕", "前刹车片", "马上处理", "陈建国", "沪A·52H17")
	for _, lang := range look.Langs() {
		v := w.as("zm", string(lang))
		for _, p := range []string{"/" + order, "/" + name, "/" + name + "/print", path + "?new=1", "/" + w.passat} {
			looktest.HTML(t, v.page(p))
		}
	}
	// A technician sees all but who signed, and may not sign.
	lq := w.as("lq", "zh-CN")
	page = lq.page("/" + name)
	wantNot(t, text(page), "陈建国")
	if strings.Contains(page, `name="signed_by"`) {
		t.Error("a technician is to sign")
	}
	if logs := w.logs.String(); strings.Contains(logs, "level=ERROR") || strings.Contains(logs, "level=WARN") {
		t.Error(logs)
	}
}

// sameLists compares inspections, whatever order the entries of their lists came to stand in.
func sameLists(x, y *branchlinev1.Inspection) bool {
	norm := func(m *branchlinev1.Inspection) string {
		m = proto.CloneOf(m)
		var all []string
		for _, d := range m.GetDamages() {
			all = append(all, protojson.Format(d))
		}
		for _, p := range m.GetPoints() {
			all = append(all, protojson.Format(p))
		}
		all = append(all, m.GetWarningLamps()...)
		m.Damages, m.Points, m.WarningLamps = nil, nil, nil
		return sorted(all) + protojson.Format(m)
	}
	return norm(x) == norm(y)
}

// What is wrong is said beside it, and what was typed stays.
func TestInspect_Wrong(t *testing.T) {
	w := newTown(newRig(t))
	order := w.arrivedCar()
	zm := w.as("zm", "zh-CN")
	path := "/" + order + "/inspection"
	for _, x := range []struct{ field, value, says string }{
		{"odometer_km", "many", "里程要填"},
		{"odometer_km", "-4", "里程要填"},
		{"charge_percent", "101", "电量要填 0 到 100"},
		{"damages.0.part", "hood", "请选是什么损伤"},
		{"damages.1.what", "dent", "请选部位"},
		{"signature", "customers/1", "签名没有存上"},
	} {
		form := formOf(t, zm.page(path), path)
		form.Set(x.field, x.value)
		form.Set("remark", "雨天看的")
		status, _, body := zm.post(path, form)
		if status != http.StatusBadRequest {
			t.Errorf("%s=%s: %d", x.field, x.value, status)
			continue
		}
		want(t, body, x.says, "雨天看的")
		looktest.HTML(t, body)
	}
	if n := len(w.all("inspections")); n != 0 {
		t.Errorf("%d inspections", n)
	}
}

// A finding becomes a line of the order by one button, once; the rest of the points are good by one.
func TestInspect_AFindingBecomesALine(t *testing.T) {
	w := newTown(newRig(t))
	order := w.arrivedCar()
	zm := w.as("zm", "zh-CN")
	path := "/" + order + "/inspection"
	form := formOf(t, zm.page(path), path)
	form.Set("points.5.finding", "2")
	form.Set("points.5.measured", "3.5 mm")
	form.Set("propose", "brake_pads_front")
	status, to, body := zm.post(path, form)
	if status != http.StatusSeeOther || !strings.HasSuffix(to, "#points") {
		t.Fatalf("%d %s %s", status, to, text(body))
	}
	name, _ := w.checkOf(order)
	page := zm.page("/" + name)
	want(t, page, "已在工单里")
	form = formOf(t, page, "/"+name)
	form.Set("propose", "brake_pads_front") // an old page
	form.Set("rest", "good")
	if status, _, body := zm.post("/"+name, form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	var lines []*branchlinev1.ServiceLine
	for _, r := range w.all("serviceLines") {
		if "serviceOrders/"+r.GetServiceLine().GetOrder() == order {
			lines = append(lines, r.GetServiceLine())
		}
	}
	if len(lines) != 1 || lines[0].GetItem() != "前刹车片" || lines[0].GetState() != branchlinev1.LineState_LINE_PROPOSED || lines[0].GetPosition() != 1 {
		t.Fatalf("lines: %v", lines)
	}
	want(t, zm.page("/"+order), "环车检查发现", "前刹车片", "近期处理 3.5 mm")
	_, got := w.checkOf(order)
	good := 0
	for _, p := range got.GetPoints() {
		if p.GetFinding() == branchlinev1.Finding_FINDING_GOOD {
			good++
		}
	}
	if len(got.GetPoints()) != good+1 || good < 15 {
		t.Errorf("%d points, %d of them good", len(got.GetPoints()), good)
	}
}

// What the last inspection of the car found, at whatever branch, is grey and is not entered again.
func TestInspect_OldDamageIsGrey(t *testing.T) {
	w := newTown(newRig(t))
	car := s(w.passat[len("vehicles/"):])
	w.elsewhere(at("2026-10-01"), "hg", false, &branchlinev1.Inspection{
		Vehicle: car, Branch: s("hg"), Day: s("2026-10-01"), DoneAt: proto.Int64(at("2026-10-01").UnixMilli()), Damages: []*branchlinev1.Damage{{Part: s("hood"), What: s("chip")}},
	})
	order := w.arrivedCar()
	w.clock.set(w.now)
	zm := w.as("zm", "zh-CN")
	path := "/" + order + "/inspection"
	page := zm.page(path)
	want(t, page, "灰色：虹桥店 2026-10-01 记的 1 处")
	if n := strings.Count(page, `class="dent old"`); n != 1 {
		t.Errorf("%d grey marks", n)
	}
	if status, _, _ := zm.post(path, formOf(t, page, path)); status != http.StatusSeeOther {
		t.Fatal(status)
	}
	name, got := w.checkOf(order)
	if len(got.GetDamages()) != 0 {
		t.Errorf("entered again: %v", got.GetDamages())
	}
	// A second one, at hand-over, has the first as what was before; the order's page leads to the last.
	w.clock.set(w.now.Add(9 * time.Minute))
	want(t, zm.page("/"+name), "再查一次")
	again := path + "?new=1"
	form := formOf(t, zm.page(again), path)
	form.Set("damages.0.part", "roof")
	form.Set("damages.0.what", "dent")
	if status, _, _ := zm.post(path, form); status != http.StatusSeeOther {
		t.Fatal(status)
	}
	want(t, zm.page("/"+order), "车顶 凹陷", "更早还有 1 次")
	// Another branch's is read.
	for _, r := range w.all("inspections") {
		if r.GetInspection().GetBranch() == "hg" {
			page := zm.page("/" + r.GetName())
			want(t, page, "前盖", "崩点", "虹桥店")
			if strings.Contains(page, "inspect-form") {
				t.Error("another branch's inspection is a form")
			}
		}
	}
}

// Two tablets at one car: what only one wrote is saved, what both wrote is asked about.
func TestInspect_TwoTablets(t *testing.T) {
	w := newTown(newRig(t))
	order := w.arrivedCar()
	name := w.create(at("2026-11-21", "10:20"), "zm", &branchlinev1.Inspection{Order: s(order[len("serviceOrders/"):]), OdometerKm: proto.Int64(88_000)}).GetName()
	w.clock.set(w.now)
	zm, wf := w.as("zm", "zh-CN"), w.as("wf", "zh-CN")
	path := "/" + name
	mine, theirs := formOf(t, zm.page(path), path), formOf(t, wf.page(path), path)
	for _, f := range []url.Values{mine, theirs} {
		f.Del("lamp")
		for _, k := range []string{"old_parts_wanted", "wash_wanted", "no_valuables"} {
			f.Del(k)
		}
	}
	theirs.Set("odometer_km", "88412")
	theirs.Set("damages.0.part", "hood")
	theirs.Set("damages.0.what", "dent")
	if status, _, body := wf.post(path, theirs); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	mine.Set("odometer_km", "88421")
	mine.Set("remark", "后备箱没看")
	mine.Set("damages.0.part", "roof")
	mine.Set("damages.0.what", "scratch")
	status, _, body := zm.post(path, mine)
	if status != http.StatusConflict {
		t.Fatalf("%d %s", status, text(body))
	}
	want(t, body, "里程", "88,4 21 km", "88,4 12 km", "后备箱没看")
	answer := formOf(t, body, path)
	answer.Set("pick.odometer_km", "mine")
	answer.Set("act", "save")
	if status, _, body := zm.post(path, answer); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	got := w.record(name).GetInspection()
	if got.GetOdometerKm() != 88_421 || got.GetRemark() != "后备箱没看" || len(got.GetDamages()) != 2 {
		t.Errorf("%s", protojson.Format(got))
	}
}

// A drawing is an attachment before the form comes; a new name without one is a name that was typed.
func TestInspect_Signature(t *testing.T) {
	w := newTown(newRig(t))
	order := w.arrivedCar()
	zm := w.as("zm", "zh-CN")
	w.line.set(false, w.now.Add(-time.Hour)) // the file is kept here, and shown
	path := "/" + order + "/inspection"
	form := formOf(t, zm.page(path), path)
	drawn := zm.draw(t, order, form.Get("request_id"))
	if again := zm.draw(t, order, form.Get("request_id")); again != drawn {
		t.Errorf("the same drawing twice: %s and %s", drawn, again)
	}
	form.Set("signature", drawn)
	form.Set("signed_by", "陈建国")
	if status, _, body := zm.post(path, form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	name, got := w.checkOf(order)
	if "attachments/"+got.GetSignature() != drawn || got.GetSignedBy() != "陈建国" {
		t.Errorf("%s", protojson.Format(got))
	}
	page := zm.page("/" + order)
	want(t, page, "陈建国")
	wantNot(t, text(page), "打字代签")
	thumb := regexp.MustCompile(`class="signature" src="(/attachments/[^"]+)"`).FindStringSubmatch(page)
	if thumb == nil {
		t.Fatalf("no signature to see: %s", page)
	}
	if status, body := zm.get(thumb[1]); status != http.StatusOK || !strings.HasPrefix(body, "\xff\xd8") {
		t.Errorf("the picture: %d", status)
	}
	if strings.Contains(page, `<ul class="photos">`) {
		t.Error("a signature among the photos")
	}
	want(t, w.as("lq", "zh-CN").page("/"+order), "已签名 今天 10:05")
	wantNot(t, w.as("lq", "zh-CN").page("/"+order), `class="signature"`)
	form = formOf(t, zm.page("/"+name), "/"+name)
	form.Set("signed_by", "陈太太")
	form.Set("signature", "")
	if status, _, body := zm.post("/"+name, form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	_, got = w.checkOf(order)
	if got.GetSignature() != "" || got.GetSignedBy() != "陈太太" {
		t.Errorf("typed: %s", protojson.Format(got))
	}
	want(t, zm.page("/"+order), "陈太太", "打字代签")
	// A technician reads that somebody signed, and neither who nor the drawing.
	lq := w.as("lq", "zh-CN")
	for _, p := range []string{"/" + order, "/" + name, "/" + name + "/print", "/" + w.passat} {
		page := lq.page(p)
		wantNot(t, page, "陈太太", "陈建国", `class="signature"`)
	}
	// Photos are of the inspection.
	if status, to, body := zm.upload(t, "/"+name, "左前门", picture(t, 640, 480, 9)); status != http.StatusSeeOther || to != "/"+name {
		t.Fatalf("%d %s %s", status, to, text(body))
	}
	want(t, zm.page("/"+name), "左前门", "仅存本店")
	if strings.Count(zm.page("/"+name+"/print"), "<img") != 1 {
		t.Error("the photo is not on the sheet")
	}
}

// draw posts a drawing as sign.js does.
func (v *visitor) draw(t *testing.T, on, request string) string {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, f := range [][2]string{{"on", on}, {"role", "ATTACHMENT_SIGNATURE"}, {"request_id", request}, {"caption", "陈建国"}} {
		if err := m.WriteField(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	p, err := m.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="signature.png"`}, "Content-Type": {"image/png"}})
	if err == nil {
		_, err = p.Write(drawing(t, color.Black))
	}
	if err == nil {
		err = m.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.r.srv.URL+"/attachments", &b)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", m.FormDataContentType())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	status, body, _ := v.do(req)
	out := new(branchlinev1.ListRecordsResponse)
	if err := protojson.Unmarshal([]byte(body), out); err != nil || status != http.StatusOK || len(out.GetRecords()) != 1 {
		t.Fatalf("%d %v %s", status, err, body)
	}
	if r := out.GetRecords()[0]; r.GetAttachment().GetRole() != branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE {
		t.Errorf("%v", r)
	}
	return out.GetRecords()[0].GetName()
}

// Photos that were taken of the order before anybody walked round the car are ticked to belong to the inspection.
func TestInspect_PhotosOfTheOrderAreTicked(t *testing.T) {
	w := newTown(newRig(t))
	order := w.arrivedCar()
	w.clock.set(w.now)
	zm := w.as("zm", "zh-CN")
	for i := range 2 {
		if status, _, body := zm.upload(t, "/"+order, []string{"左前门", "仪表"}[i], picture(t, 640, 480, uint8(90*i))); status != http.StatusSeeOther {
			t.Fatalf("%d %s", status, text(body))
		}
	}
	path := "/" + order + "/inspection"
	page := zm.page(path)
	want(t, page, "单上的照片", "左前门", "仪表")
	shown := regexp.MustCompile(`name="photo_shown" value="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(shown) != 2 {
		t.Fatalf("%d photos to tick", len(shown))
	}
	form := formOf(t, page, path)
	form["photo_shown"], form["photo"] = []string{shown[0][1], shown[1][1]}, []string{shown[1][1]}
	if status, _, body := zm.post(path, form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	name, got := w.checkOf(order)
	if len(got.GetPhotos()) != 1 || got.GetPhotos()[0] != shown[1][1] {
		t.Fatalf("photos: %v", got.GetPhotos())
	}
	if page = zm.page("/" + name + "/print"); strings.Count(page, "<img") != 1 {
		t.Error("the photo is not on the sheet")
	}
	page = zm.page("/" + name)
	if strings.Count(page, `checked><img`) != 1 {
		t.Errorf("what was ticked is not: %s", page)
	}
	looktest.HTML(t, page)
	// Another photo of it is no photo of the order's to tick; unticked, one is the order's alone again.
	if status, _, _ := zm.upload(t, "/"+name, "车顶", picture(t, 640, 480, 33)); status != http.StatusSeeOther {
		t.Fatal(status)
	}
	page = zm.page("/" + name)
	if n := strings.Count(page, `name="photo_shown"`); n != 2 {
		t.Errorf("%d to tick", n)
	}
	form = formOf(t, page, "/"+name)
	form["photo_shown"] = []string{shown[0][1], shown[1][1]}
	form.Del("photo")
	if status, _, body := zm.post("/"+name, form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	if _, got = w.checkOf(order); len(got.GetPhotos()) != 0 {
		t.Errorf("unticked: %v", got.GetPhotos())
	}
	// A photo of another order does not come in by its id.
	other := w.create(w.now, "zm", &branchlinev1.ServiceOrder{Complaint: s("补胎")}).GetName()
	form = formOf(t, zm.page("/"+other+"/inspection"), "/"+other+"/inspection")
	form["photo"] = []string{shown[0][1]}
	if status, _, body := zm.post("/"+other+"/inspection", form); status != http.StatusBadRequest {
		t.Errorf("%d %s", status, text(body))
	}
}
