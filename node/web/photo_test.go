package web_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// picture is a JPEG in shades of one colour.
func picture(t testing.TB, w, h int, shade uint8) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{shade, uint8(255 * x / w), uint8(255 * y / h), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload posts the photo form of a page with files, as a browser does, and gives where it leads.
func (v *visitor) upload(t *testing.T, page, caption string, files ...[]byte) (status int, location, body string) {
	t.Helper()
	form := formOf(t, v.page(page), "/attachments")
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	field := func(name, value string) {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	field("on", form.Get("on"))
	field("request_id", form.Get("request_id"))
	field("caption", caption)
	for _, f := range files {
		p, err := w.CreateFormFile("file", "IMG_1.jpg")
		if err == nil {
			_, err = p.Write(f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.r.srv.URL+"/attachments", &b)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	status, body, head := v.do(req)
	return status, head.Get("Location"), body
}

func TestPhotos_AreKeptShownAndGiven(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	order := "/" + w.open
	want(t, zm.page(order), "照片与文件", "还没有照片")
	status, location, _ := zm.upload(t, order, "左前门划痕", picture(t, 640, 480, 10), picture(t, 480, 640, 20))
	if status != http.StatusSeeOther || location != order {
		t.Fatalf("%d %s", status, location)
	}
	page := zm.page(order)
	want(t, page, "左前门划痕", "仅存本店，线路空闲时传总部")
	images := regexp.MustCompile(`<img src="(/attachments/[^"]+/thumb)" width="(\d+)" height="(\d+)"`).FindAllStringSubmatch(page, -1)
	if len(images) != 2 {
		t.Fatalf("%d pictures", len(images))
	}
	for _, m := range images {
		if m[2]+"x"+m[3] != "320x240" && m[2]+"x"+m[3] != "240x320" {
			t.Errorf("a picture of %s by %s", m[2], m[3])
		}
		if status, body := zm.get(m[1]); status != http.StatusOK || !strings.HasPrefix(body, "\xff\xd8") {
			t.Errorf("%s: %d", m[1], status)
		}
		if status, body := zm.get(strings.TrimSuffix(m[1], "thumb") + "file"); status != http.StatusOK || !strings.HasPrefix(body, "\xff\xd8") {
			t.Errorf("the file: %d", status)
		}
		if status, _ := w.as("", "zh-CN").get(m[1]); status != http.StatusSeeOther {
			t.Errorf("without sign-in: %d", status)
		}
	}
	// What is not taken is said, with what was.
	status, _, body := zm.upload(t, order, "", picture(t, 64, 48, 30), []byte("<svg/>"))
	if status != http.StatusBadRequest {
		t.Errorf("%d", status)
	}
	want(t, body, "有文件没有保存", "已保存 1 个。", "只收 JPEG、PNG、WebP 图片和 PDF。")
	if status, location, _ := zm.upload(t, order, "nothing chosen"); status != http.StatusSeeOther || location != order {
		t.Errorf("nothing chosen: %d %s", status, location)
	}
	if n := strings.Count(zm.page(order), "<img src="); n != 3 {
		t.Errorf("%d pictures", n)
	}
	// One too many is taken away; what another desk took away is away.
	page = zm.page(order)
	retire := regexp.MustCompile(`action="(/attachments/[^"]+/retire)"`).FindStringSubmatch(page)[1]
	form := formOf(t, page, retire)
	for range 2 {
		if status, location, body := zm.post(retire, form); status != http.StatusSeeOther || location != order {
			t.Errorf("taken away: %d %s %s", status, location, body)
		}
	}
	if n := strings.Count(zm.page(order), "<img src="); n != 2 {
		t.Errorf("%d pictures after one was taken away", n)
	}
	// A technician sees them and adds some.
	lq := w.as("lq", "zh-TW")
	want(t, lq.page(order), "左前门划痕", "僅存本店")
	if status, _, _ := lq.upload(t, order, "", picture(t, 64, 48, 40)); status != http.StatusSeeOther {
		t.Errorf("a technician: %d", status)
	}
	for _, lang := range look.Langs() {
		looktest.HTML(t, w.as("zm", string(lang)).page(order))
	}
	if logs := w.logs.String(); strings.Contains(logs, "level=ERROR") || strings.Contains(logs, "level=WARN") {
		t.Error(logs)
	}
}

// A customer's page leads to what was photographed of their orders, with the order, beside what was filed of themselves.
func TestPhotos_OfACustomersOrdersStandOnTheirPage(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	customer := "/customers/" + w.orderCustomer(t)
	want(t, zm.page(customer), "还没有照片")
	for _, f := range []struct{ page, caption string }{{"/" + w.open, "左前门划痕"}, {customer, "行驶证"}} {
		if status, location, _ := zm.upload(t, f.page, f.caption, picture(t, 64, 48, 10)); status != http.StatusSeeOther || location != f.page {
			t.Fatalf("%s: %d %s", f.page, status, location)
		}
	}
	page := zm.page(customer)
	looktest.HTML(t, page)
	_, photos, _ := strings.Cut(page, `id="photos"`)
	for _, text := range []string{"左前门划痕", "行驶证", `<a href="/` + w.open + `">`} {
		if strings.Count(photos, text) == 0 {
			t.Errorf("the customer's photos are without %q", text)
		}
	}
	if n := strings.Count(photos, "<img src="); n != 2 {
		t.Errorf("%d pictures", n)
	}
	if n := strings.Count(photos, "/retire"); n != 1 {
		t.Errorf("%d may be taken off here: one of an order is taken off on its page", n)
	}
	other := zm.page("/" + w.he)
	if _, photos, _ = strings.Cut(other, `id="photos"`); strings.Contains(photos, "<img") {
		t.Error("another customer's page shows them")
	}
}

// Of a file that another branch has: it comes from headquarters, and until then it is said where it is.
func TestPhotos_OfAnotherBranch(t *testing.T) {
	w := newTown(newRig(t))
	hash, thumb := bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{8}, 32)
	a := w.elsewhere(w.now, "hg", false, &branchlinev1.Attachment{
		Order: s(w.open[len("serviceOrders/"):]), Branch: s("hg"), Day: s("2023-01-04"), Hash: hash, Size: proto.Int64(900_000), ThumbHash: thumb, ThumbSize: proto.Int64(9_000),
		MediaType: s("image/jpeg"), Role: branchlinev1.AttachmentRole_ATTACHMENT_PHOTO.Enum(),
	})
	en := w.as("zm", "en")
	want(t, en.page("/"+w.open), "it comes when it reaches HQ")
	w.line.set(false, w.now)
	status, body := en.get("/" + a + "/file")
	if status != http.StatusServiceUnavailable {
		t.Errorf("%d", status)
	}
	want(t, body, "The file is not here yet", "HQ cannot be asked now")
}

func TestBrowser_PhotosAreSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	for i := range 5 {
		caption := []string{"左前门划痕，长约十二厘米，见底漆", "", "里程表 88,412 km", "", "Wheel arch, rust under the seal"}[i]
		if status, _, _ := zm.upload(t, "/"+w.open, caption, picture(t, 640, 300+80*i, uint8(50*i))); status != http.StatusSeeOther {
			t.Fatal(status)
		}
	}
	if status, _, _ := zm.upload(t, "/"+w.open, "insurance paper", []byte("%PDF-1.7\n")); status != http.StatusSeeOther {
		t.Fatal(status)
	}
	b.Audit(t, w.srv.URL+"/"+w.open, look.Langs(), append([]looktest.Option{looktest.Named("order-photos")}, cookies(w.signIn("zm"))...)...)
}
