package web_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// OpenFile gives the files of attachments whose hash begins with 1; others have not come.
func (f *fake) OpenFile(ctx context.Context, name string, thumb bool) (*os.File, *branchlinev1.Record, error) {
	r, err := f.GetRecord(ctx, &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return nil, nil, err
	}
	if !f.HasThumb(r.GetAttachment()) {
		return nil, nil, schema.ErrUnavailable
	}
	path := filepath.Join(f.dir, "small.jpg")
	if !thumb {
		path = filepath.Join(f.dir, "whole.jpg")
	}
	file, err := os.Open(path)
	return file, r, err
}

func (f *fake) HasThumb(m *branchlinev1.Attachment) bool {
	return len(m.GetThumbHash()) > 0 && m.GetThumbHash()[0] == 1
}

// Photos of a car from all its branches stand on its page, by their thumbnails; what has not come says where it is. Who
// may not see attachments sees none and is given none by its address.
func TestPhotos_OfACar(t *testing.T) {
	w := world()
	w.dir = t.TempDir()
	for name, b := range map[string]string{"small.jpg": "small", "whole.jpg": "whole"} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte("\xff\xd8"+b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	vehicle := proto.String(strings.TrimPrefix(car, "vehicles/"))
	file := func(n int, role branchlinev1.AttachmentRole, first byte, caption string) string {
		hash := append([]byte{first}, make([]byte, 31)...)
		r := &branchlinev1.Record{Name: "attachments/" + id(n), Home: "hq", Body: &branchlinev1.Record_Attachment{Attachment: &branchlinev1.Attachment{
			Vehicle: vehicle, Role: role.Enum(), Hash: hash, ThumbHash: hash, Caption: &caption, MediaType: proto.String("image/jpeg"), Branch: proto.String("sj"), Day: proto.String("2026-04-03"),
			Width: proto.Int32(1200), Height: proto.Int32(900),
		}}}
		w.records = append(w.records, r)
		return "/" + r.GetName()
	}
	here, away := file(901, branchlinev1.AttachmentRole_ATTACHMENT_PHOTO, 1, "左前门划痕"), file(902, branchlinev1.AttachmentRole_ATTACHMENT_OLD_PART, 2, "旧刹车片")
	signed := file(903, branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE, 1, "签名")
	of := file(904, branchlinev1.AttachmentRole_ATTACHMENT_PHOTO, 1, "机舱")
	w.records[len(w.records)-1].GetAttachment().Vehicle, w.records[len(w.records)-1].GetAttachment().Order = nil, proto.String(strings.TrimPrefix(order, "serviceOrders/"))
	r := newRig(t, w)
	token := r.token("steward", steward)
	if page := r.get("/"+chen, token, look.ZhCN).body; !strings.Contains(page, of+"/thumb") || strings.Contains(page, here) {
		t.Error("the customer's page has other photos than those of their orders")
	}
	for _, lang := range look.Langs() {
		looktest.HTML(t, r.get("/"+car, token, lang).body)
	}
	page := r.get("/"+car, token, look.ZhCN).body
	for _, want := range []string{"左前门划痕 松江店 2026-04-03", "还在店里，没传到", "旧刹车片"} {
		if !strings.Contains(text(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if !strings.Contains(page, `src="`+here+`/thumb" width="320" height="240"`) || strings.Contains(page, away+"/thumb") || strings.Contains(page, signed) {
		t.Error("other pictures than those that have come")
	}
	for path, want := range map[string]int{here + "/thumb": http.StatusOK, here + "/file": http.StatusOK, away + "/thumb": http.StatusServiceUnavailable, "/attachments/" + id(999) + "/file": http.StatusNotFound} {
		if a := r.get(path, token, look.ZhCN); a.status != want || want == http.StatusOK && !strings.HasPrefix(a.body, "\xff\xd8") {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	figures := r.token("figures", branchlinev1.Role_ROLE_HQ_ANALYST)
	if strings.Contains(r.get("/"+car, figures, look.ZhCN).body, "/attachments/") {
		t.Error("an analyst is shown photos")
	}
	if a := r.get(here+"/thumb", figures, look.ZhCN); a.status != http.StatusForbidden {
		t.Errorf("an analyst is given a photo: %d", a.status)
	}
}
