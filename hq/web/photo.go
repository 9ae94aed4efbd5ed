package web

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/front"
)

// Files gives the files of attachments; *api.Records does. It is the part of the API that streams.
type Files interface {
	// OpenFile: see api.Records. schema.ErrUnavailable: it has not come yet.
	OpenFile(ctx context.Context, name string, thumb bool) (*os.File, *branchlinev1.Record, error)
	// HasThumb tells whether a thumbnail has come.
	HasThumb(m *branchlinev1.Attachment) bool
}

// fewPhotos are shown on a page, the latest.
const fewPhotos = 24

type photoRow struct {
	Href, Thumb    string // Thumb is "" where it has not come
	Caption, Where string
	Width, Height  int
}

// photos are those taken of a car's orders, or of a customer and the given orders, the latest first; none for who may not
// see them.
func (a *ask) photos(req *branchlinev1.ListRecordsRequest, orders ...*branchlinev1.Record) (out []photoRow, err error) {
	if !a.Reads(schema.Attachment) || a.s.c.Files == nil {
		return nil, nil
	}
	req.Collection, req.OrderBy = "attachments", "day desc"
	list, err := a.listed(req)
	if err != nil {
		return nil, err
	}
	if len(orders) > 0 {
		req := &branchlinev1.ListRecordsRequest{Collection: req.GetCollection(), OrderBy: req.GetOrderBy()}
		for _, o := range orders {
			req.Orders = append(req.Orders, o.GetName())
		}
		of, err := a.listed(req)
		if err != nil {
			return nil, err
		}
		list = append(list, slices.DeleteFunc(of, func(r *branchlinev1.Record) bool { return r.GetAttachment().GetCustomer() != "" })...)
		slices.SortStableFunc(list, func(x, y *branchlinev1.Record) int {
			return cmp.Compare(y.GetAttachment().GetDay(), x.GetAttachment().GetDay())
		})
	}
	list = slices.DeleteFunc(list, func(r *branchlinev1.Record) bool {
		m := r.GetAttachment()
		return m.GetRetiredAt() != 0 || m.GetRole() != branchlinev1.AttachmentRole_ATTACHMENT_PHOTO && m.GetRole() != branchlinev1.AttachmentRole_ATTACHMENT_OLD_PART
	})
	for _, r := range list[:min(len(list), fewPhotos)] {
		m := r.GetAttachment()
		row := photoRow{
			Href: "/" + r.GetName() + "/file", Caption: cmp.Or(m.GetCaption(), a.s.look.Word(a.Lang, "attachmentrole", m.GetRole())),
			Where: a.SiteName(cmp.Or(m.GetBranch(), r.GetHome())) + " " + m.GetDay(),
		}
		if a.s.c.Files.HasThumb(m) {
			row.Thumb = "/" + r.GetName() + "/thumb"
			row.Width, row.Height = front.ThumbSize(int(m.GetWidth()), int(m.GetHeight()))
		}
		out = append(out, row)
	}
	return out, nil
}

func (s *Site) fileShow(a *ask) error  { return s.giveFile(a, false) }
func (s *Site) thumbShow(a *ask) error { return s.giveFile(a, true) }

func (s *Site) giveFile(a *ask, thumb bool) (err error) {
	if s.c.Files == nil {
		return schema.ErrUnavailable
	}
	id := a.R.PathValue("id")
	f, r, err := s.c.Files.OpenFile(a.R.Context(), "attachments/"+id, thumb)
	if err != nil {
		return notFound(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	front.GiveFile(a.W, a.R, id, r.GetAttachment(), thumb, f)
	return nil
}
