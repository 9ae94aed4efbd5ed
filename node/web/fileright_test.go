package web_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"branchline/node/api"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Who is given the file of an attachment, and its thumbnail, by its address: every role, every sort of file, whatever it
// belongs to. A technician sees photos of the work, and neither papers nor signatures, nor what is the customer's alone.
func TestFiles_AreGivenToWhoMaySeeThem(t *testing.T) {
	w := newTown(newRig(t))
	order, vehicle := w.arrivedCar(), w.passat
	bare := func(name string) *string { return s(name[strings.IndexByte(name, '/')+1:]) }
	on := map[string]string{
		"order": order, "vehicle": vehicle, "customer": w.chen, "line": w.lineDone,
		"inspection": w.create(w.now, "zm", &branchlinev1.Inspection{Order: bare(order)}).GetName(),
		"claim": w.create(w.now, "zm", &branchlinev1.Claim{
			Order: bare(order), Party: branchlinev1.ClaimParty_CLAIM_ON_INSURER.Enum(),
		}).GetName(),
	}
	w.line.set(false, w.now)
	browsers := map[branchlinev1.Role]*visitor{
		branchlinev1.Role_ROLE_TECHNICIAN: w.as("lq", "zh-CN"), branchlinev1.Role_ROLE_ADVISER: w.as("zm", "zh-CN"),
		branchlinev1.Role_ROLE_BRANCH_MANAGER: w.as("boss", "zh-CN"), branchlinev1.Role_ROLE_SALESPERSON: w.as("sale", "zh-CN"),
	}
	n := uint8(0)
	for _, sort := range []branchlinev1.AttachmentRole{
		branchlinev1.AttachmentRole_ATTACHMENT_PHOTO, branchlinev1.AttachmentRole_ATTACHMENT_OLD_PART,
		branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE, branchlinev1.AttachmentRole_ATTACHMENT_DOCUMENT,
	} {
		for what, name := range on {
			n += 7
			made, err := w.rec.TakeFile(w.by("boss"), api.Upload{On: name, Role: sort}, strings.NewReader(string(picture(t, 64, 48, n))))
			if err != nil {
				t.Fatal(err)
			}
			ofWork := sort == branchlinev1.AttachmentRole_ATTACHMENT_PHOTO || sort == branchlinev1.AttachmentRole_ATTACHMENT_OLD_PART
			for _, role := range access.BranchRoles() {
				may := role != branchlinev1.Role_ROLE_TECHNICIAN || ofWork && what != "customer"
				ctx := access.With(t.Context(), access.Caller{Account: "x", Staff: "x", Roles: []branchlinev1.Role{role}})
				for _, thumb := range []bool{false, true} {
					f, _, err := w.rec.OpenFile(ctx, made.GetName(), thumb)
					if err == nil {
						err = f.Close()
					}
					if may && err != nil || !may && !errors.Is(err, schema.ErrNotFound) {
						t.Errorf("%s, %s of a %s, thumbnail %v: %v", access.Name(role), sort, what, thumb, err)
					}
					v, has := browsers[role]
					if !has {
						continue
					}
					wanted, to := http.StatusNotFound, "/file"
					if may {
						wanted = http.StatusOK
					}
					if thumb {
						to = "/thumb"
					}
					if status, _ := v.get("/" + made.GetName() + to); status != wanted {
						t.Errorf("%s, %s of a %s at %s: %d", access.Name(role), sort, what, to, status)
					}
				}
			}
		}
	}
	// Nor does who sees no signatures make one, or take one away.
	lq := access.With(t.Context(), access.Caller{Account: "lq", Staff: "lq", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_TECHNICIAN}})
	if _, err := w.rec.TakeFile(lq, api.Upload{On: order, Role: branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE}, strings.NewReader(string(picture(t, 64, 48, 3)))); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a technician signs: %v", err)
	}
	signed, err := w.rec.TakeFile(w.by("zm"), api.Upload{On: order, Role: branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE}, strings.NewReader(string(picture(t, 64, 48, 4))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.rec.UpdateRecord(lq, &branchlinev1.UpdateRecordRequest{
		Record: &branchlinev1.Record{Name: signed.GetName(), Etag: signed.GetEtag(), Body: &branchlinev1.Record_Attachment{Attachment: &branchlinev1.Attachment{RetiredAt: new(int64(1))}}}, UpdateMask: []string{"retired_at"},
	}); !errors.Is(err, schema.ErrNotFound) || w.record(signed.GetName()).GetAttachment().GetRetiredAt() != 0 {
		t.Errorf("a technician takes a signature away: %v", err)
	}
}
