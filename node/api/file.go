package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/proto"

	"branchline/node/attach"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Upload is a file as somebody hands it in.
type Upload struct {
	// On is the record it belongs to: an order, a line of one, a car, a customer, an inspection or a claim.
	On   string
	Role branchlinev1.AttachmentRole // a photo if not said
	// Name is what its file was called, Caption what is said of it. Neither says what the file is.
	Name, Caption string
	// RequestID: a resend of the same file within 24 h makes nothing twice.
	RequestID string
}

// errNoFiles is a branch that was built without a place for files.
var errNoFiles = fmt.Errorf("this site keeps no files: %w", schema.ErrUnavailable)

// TakeFile reads a file to its end, keeps it and makes the attachment that names it. It returns when both are saved.
// *blob.RefusedError and schema.ErrTooLarge: the file is not one that is taken; schema.ErrExhausted: the disk is full,
// and nothing was saved.
func (h *Records) TakeFile(ctx context.Context, u Upload, r io.Reader) (_ *branchlinev1.Record, err error) {
	if h.c.Files == nil {
		return nil, errNoFiles
	}
	m, err := h.belongs(ctx, u.On)
	if err != nil {
		return nil, err
	}
	if u.Role == branchlinev1.AttachmentRole_ATTACHMENT_ROLE_UNSPECIFIED {
		u.Role = branchlinev1.AttachmentRole_ATTACHMENT_PHOTO
	}
	m.Role = u.Role.Enum()
	setIf(&m.Name, u.Name)
	setIf(&m.Caption, u.Caption)
	if err := schema.Validate(m); err != nil { // before the file is worked on
		return nil, err
	}
	caller := access.CallerFrom(ctx)
	if err := caller.CheckWrite(access.Node, schema.Attachment); err != nil {
		return nil, err
	}
	made := &branchlinev1.Record{Body: &branchlinev1.Record_Attachment{Attachment: m}}
	if u.Role == branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE && !access.Sees(made, caller.Roles) {
		return nil, fmt.Errorf("your role may not see signatures, nor take one: %w", schema.ErrForbidden)
	}
	in, err := h.c.Files.Receive(r)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	k, err := h.c.Files.Keep(ctx, in)
	if err != nil {
		return nil, err
	}
	if k.Type == blob.PDF && u.Role != branchlinev1.AttachmentRole_ATTACHMENT_DOCUMENT {
		m.Role = branchlinev1.AttachmentRole_ATTACHMENT_DOCUMENT.Enum()
	}
	m.Hash, m.Size, m.MediaType = k.Hash[:], proto.Int64(k.Size), proto.String(k.Type)
	if k.Width > 0 {
		m.Width, m.Height = proto.Int32(int32(k.Width)), proto.Int32(int32(k.Height))
	}
	if !k.Thumb.IsZero() {
		m.ThumbHash, m.ThumbSize = k.Thumb[:], proto.Int64(k.ThumbSize)
	}
	m.TakenAt = proto.Int64(h.c.Now().UnixMilli())
	req := &branchlinev1.CreateRecordRequest{Record: made}
	if u.RequestID != "" {
		// One request may bring several files: the id is of this one.
		req.RequestId = blob.HashOf([]byte(u.RequestID + "\x00" + k.Hash.String())).String()
	}
	made, err = h.CreateRecord(ctx, req)
	if err != nil {
		return nil, err
	}
	h.c.Files.Named()
	return made, nil
}

func setIf(s **string, v string) {
	if v != "" {
		*s = &v
	}
}

// belongs is an attachment of a record that the caller may see, with what ties it to the car and the order.
func (h *Records) belongs(ctx context.Context, on string) (*branchlinev1.Attachment, error) {
	k, id, err := h.held(ctx, on)
	if err != nil {
		return nil, err
	}
	r, err := h.show(ctx, id, k, false)
	if err != nil {
		return nil, err
	}
	if r.GetShared() {
		return nil, fmt.Errorf("what another company keeps is not added to: %w", schema.ErrForbidden)
	}
	m, self := &branchlinev1.Attachment{}, id.String()
	switch k.Kind {
	case schema.ServiceOrder:
		m.Order = &self
		m.Vehicle, err = h.heldHere(ctx, r.GetServiceOrder().GetVehicle())
	case schema.ServiceLine:
		m.Line = &self
		setIf(&m.Order, r.GetServiceLine().GetOrder())
	case schema.Inspection:
		m.Inspection = &self
		setIf(&m.Order, r.GetInspection().GetOrder())
		m.Vehicle, err = h.heldHere(ctx, r.GetInspection().GetVehicle())
	case schema.Claim:
		m.Claim = &self
		setIf(&m.Order, r.GetClaim().GetOrder())
	case schema.Vehicle:
		m.Vehicle = &self
	case schema.Customer:
		m.Customer = &self
	default:
		return nil, schema.Invalid("on", "a file belongs to an order, a line, a car, a customer, an inspection or a claim")
	}
	return m, err
}

// heldHere is the car an order names, nil when it is none or not held here: a file needs no car.
func (h *Records) heldHere(ctx context.Context, id string) (*string, error) {
	if id == "" {
		return nil, nil
	}
	rid, err := schema.ParseRecordID(id)
	if err != nil {
		return nil, err
	}
	if _, _, err := h.c.Store.State(ctx, rid); errors.Is(err, schema.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return &id, nil
}

// OpenFile gives the file of an attachment that the caller may see, or its thumbnail, whole, and the record; the caller
// closes it. One that is not here is fetched from HQ, which may take as long as ctx lets it. schema.ErrNotFound: no such
// attachment, or none with a thumbnail. *ElsewhereError: the file is not to be had now.
func (h *Records) OpenFile(ctx context.Context, name string, thumb bool) (*os.File, *branchlinev1.Record, error) {
	if h.c.Files == nil {
		return nil, nil, errNoFiles
	}
	k, id, err := h.held(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if k.Kind != schema.Attachment {
		return nil, nil, schema.Invalid("name", "%q is no attachment", name)
	}
	r, err := h.show(ctx, id, k, false)
	if err != nil {
		return nil, nil, err
	}
	m := r.GetAttachment()
	raw, size := m.GetHash(), m.GetSize()
	if thumb {
		raw, size = m.GetThumbHash(), m.GetThumbSize()
	}
	hash, err := blob.HashFrom(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s has no such file: %w", name, schema.ErrNotFound)
	}
	f, _, err := h.c.Files.Open(ctx, hash, size)
	switch {
	case errors.Is(err, schema.ErrNotFound), errors.Is(err, schema.ErrUnavailable):
		return nil, nil, &ElsewhereError{Branch: schema.BranchID(m.GetBranch()), Cut: errors.Is(err, schema.ErrUnavailable)}
	case err != nil:
		return nil, nil, err
	}
	return f, r, nil
}

// ElsewhereError is a file that is not here and cannot be had now. errors.Is(err, schema.ErrUnavailable) holds.
type ElsewhereError struct {
	Branch schema.BranchID // that has it
	Cut    bool            // headquarters cannot be asked; else it does not have it yet
}

func (e *ElsewhereError) Error() string {
	if e.Cut {
		return fmt.Sprintf("the file is not at this branch, and headquarters cannot be asked now: it lies at %s", e.Branch)
	}
	return fmt.Sprintf("the file lies at %s and has not reached headquarters yet: it comes when it has", e.Branch)
}

// Is makes errors.Is(err, schema.ErrUnavailable) hold.
func (e *ElsewhereError) Is(target error) bool { return target == schema.ErrUnavailable }

// checkFile refuses an attachment whose file is not here: a change names what is saved.
func (h *Records) checkFile(m proto.Message) error {
	a, ok := m.(*branchlinev1.Attachment)
	if !ok {
		return nil
	}
	if h.c.Files == nil {
		return errNoFiles
	}
	for _, f := range []struct {
		field string
		raw   []byte
		need  bool
	}{{"hash", a.GetHash(), true}, {"thumb_hash", a.GetThumbHash(), false}} {
		if !f.need && len(f.raw) == 0 {
			continue
		}
		hash, bad := blob.HashFrom(f.raw)
		here := false
		if bad == nil {
			var err error
			if here, err = h.c.Files.Renew(hash); err != nil {
				return err
			}
		}
		if !here {
			return schema.Invalid(f.field, "names no file that was handed in here: post the file to /attachments, which makes the attachment")
		}
	}
	return nil
}

// dressFile adds where an attachment's file is.
func dressFile(ctx context.Context, files *attach.Attach, r *branchlinev1.Record) (err error) {
	if a := r.GetAttachment(); a != nil && files != nil {
		r.File, err = files.State(ctx, a)
	}
	return err
}
