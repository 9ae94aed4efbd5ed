package api_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
)

// Papers and signatures tell who somebody is: an auditor, who sees what was done, neither lists nor opens them, and is not
// told that there are any. A steward and the privacy officer do.
func TestAttachments_OfWhoIsSomebodyAreForWhoMaySeeThat(t *testing.T) {
	g, boss, pd, _ := group(t)
	order := g.id()
	pd.write(order, &branchlinev1.ServiceOrder{Number: proto.String("N1"), Branch: proto.String("pd")})
	files := map[branchlinev1.AttachmentRole]string{}
	for _, role := range []branchlinev1.AttachmentRole{
		branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE, branchlinev1.AttachmentRole_ATTACHMENT_DOCUMENT, branchlinev1.AttachmentRole_ATTACHMENT_PHOTO,
	} {
		id := g.id()
		hash := blob.HashOf([]byte{byte(role)})
		pd.write(id, &branchlinev1.Attachment{Order: proto.String(order.String()), Role: role.Enum(), Hash: hash[:], Branch: proto.String("pd")})
		files[role] = schema.ResourceName(schema.Attachment, id)
	}
	pd.send()
	for _, x := range []struct {
		who  *serve.Client
		role branchlinev1.Role
		sees int
	}{{g.as(auditor), auditor, 1}, {g.as(privacy), privacy, 3}, {g.as(steward), steward, 3}, {boss, admin, 3}} {
		for _, size := range []int32{1, 50} { // no page is cut short by what is left out
			list := must(x.who.Records.ListRecords(t.Context(), &branchlinev1.ListRecordsRequest{Collection: "attachments", Order: schema.ResourceName(schema.ServiceOrder, order), PageSize: size}))(t)
			if want := min(x.sees, int(size)); len(list.GetRecords()) != want {
				t.Errorf("%v lists %d of %d in a page of %d", x.role, len(list.GetRecords()), x.sees, size)
			}
			of := must(x.who.Records.ListRecords(t.Context(), &branchlinev1.ListRecordsRequest{Collection: "attachments", Orders: []string{order.String(), g.id().String()}, PageSize: size}))(t)
			if len(of.GetRecords()) != len(list.GetRecords()) {
				t.Errorf("%v lists %d of several orders", x.role, len(of.GetRecords()))
			}
		}
		for role, name := range files {
			sees := x.sees == 3 || role == branchlinev1.AttachmentRole_ATTACHMENT_PHOTO
			_, err := x.who.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: name})
			if sees && err != nil || !sees && !errors.Is(err, schema.ErrNotFound) {
				t.Errorf("%v reads of %v: %v", x.role, role, err)
			}
			_, _, err = g.api.Records().OpenFile(access.With(t.Context(), access.Caller{Roles: []branchlinev1.Role{x.role}}), name, false)
			if sees && !errors.Is(err, schema.ErrUnavailable) || !sees && !errors.Is(err, schema.ErrNotFound) { // no file has come here
				t.Errorf("%v opens %v: %v", x.role, role, err)
			}
		}
	}
}
