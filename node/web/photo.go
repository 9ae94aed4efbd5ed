package web

import (
	"cmp"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"branchline/node/api"
	"branchline/schema"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
)

// Files takes and gives the files of attachments; *api.Records does. It is the part of the API that streams.
type Files interface {
	// TakeFile: see api.Records. It blocks until the file is on disk and the attachment saved.
	TakeFile(ctx context.Context, u api.Upload, r io.Reader) (*branchlinev1.Record, error)
	// OpenFile: see api.Records. It may wait for headquarters.
	OpenFile(ctx context.Context, name string, thumb bool) (*os.File, *branchlinev1.Record, error)
}

const (
	// fewPhotos are shown on a page, the latest.
	fewPhotos = 24
	// maxParts bounds the fields and files of one form, fieldSize one field of it.
	maxParts  = 40
	fieldSize = 4 << 10
	// fetchTime is how long a page waits for a file from headquarters.
	fetchTime = 60 * time.Second
)

// photoList is what was photographed and filed of one record.
type photoList struct {
	List      []photoRow
	More      string
	Write     bool
	RequestID string
	On        string // name of the record
	Fold      bool   // the form is a click away
}

type photoRow struct {
	Of, OfHref    string // the order it is of, where the page is about something else
	Href, Thumb   string // Thumb is "" when there is no picture to show yet
	Text          string // what it is, for those who do not see it
	Caption       string
	Meta          string
	Where         string // of the record: SAVED …
	State         string // of the file, a sentence
	Width, Height int
	// Retire is where it is taken off the page; "" when this is another branch's.
	Retire, Etag string
}

// photos are those of an order, of an inspection, or of a customer and the given orders, newest first. A signature stands
// where it was given.
func (a *ask) photos(on string, orders ...*branchlinev1.Record) (photoList, error) {
	out := photoList{On: on, Write: a.Writes(schema.Attachment) && a.s.c.Files != nil}
	if !a.Reads(schema.Attachment) {
		return photoList{}, nil
	}
	var err error
	if out.RequestID, err = a.requestID(); err != nil {
		return out, err
	}
	all, err := a.photographed(on, orders...)
	if err != nil {
		return out, err
	}
	of := map[string]*branchlinev1.ServiceOrder{}
	for _, o := range orders {
		of[idOf(o.GetName())] = o.GetServiceOrder()
	}
	for i, r := range all {
		if i == fewPhotos {
			out.More = a.T("photo.more", len(all)-fewPhotos)
			break
		}
		row := a.photoRow(r)
		if o := of[r.GetAttachment().GetOrder()]; o != nil {
			row.Of, row.OfHref = joinNew(o.GetDay(), o.GetNumber()), a.Href("serviceOrders/"+r.GetAttachment().GetOrder())
			row.Retire = "" // on its order's page
		}
		out.List = append(out.List, row)
	}
	return out, nil
}

// photographed are the photos and papers of an order, or those of them that belong to an inspection: that were taken of it
// or that it names; or those of a customer and the given orders.
func (a *ask) photographed(on string, orders ...*branchlinev1.Record) ([]*branchlinev1.Record, error) {
	req := &branchlinev1.ListRecordsRequest{Collection: "attachments", Order: on}
	if strings.HasPrefix(on, "customers/") {
		req.Order, req.Customer = "", on
	}
	id, ofInspection := strings.CutPrefix(on, "inspections/")
	var named []string
	if ofInspection {
		r, err := a.s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: on})
		if err != nil {
			return nil, err
		}
		i := r.GetInspection()
		named = i.GetPhotos()
		if i.GetOrder() != "" {
			req.Order = "serviceOrders/" + i.GetOrder()
		} else {
			req.Order, req.Vehicle = "", "vehicles/"+i.GetVehicle()
		}
	}
	all, _, err := a.listAll(a.R.Context(), req)
	if err != nil {
		return nil, err
	}
	if len(orders) > 0 {
		req := &branchlinev1.ListRecordsRequest{Collection: "attachments"}
		for _, o := range orders {
			req.Orders = append(req.Orders, o.GetName())
		}
		of, _, err := a.listAll(a.R.Context(), req)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(of, func(r *branchlinev1.Record) bool { return r.GetAttachment().GetCustomer() != "" })...)
	}
	all = slices.DeleteFunc(all, func(r *branchlinev1.Record) bool {
		m := r.GetAttachment()
		return m.GetRole() == branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE || ofInspection && m.GetInspection() != id && !slices.Contains(named, idOf(r.GetName()))
	})
	slices.SortStableFunc(all, func(x, y *branchlinev1.Record) int { return cmp.Compare(y.GetCreateTime(), x.GetCreateTime()) })
	return all, nil
}

func (a *ask) photoRow(r *branchlinev1.Record) photoRow {
	m := r.GetAttachment()
	site := a.SiteName(m.GetBranch())
	row := photoRow{
		Href: "/" + r.GetName() + "/file", Caption: m.GetCaption(), Text: a.s.look.Word(a.Lang, "attachmentrole", m.GetRole()), Where: "DELIVERED",
		Meta: joinNew(site, a.Names().Person(m.GetBy())),
	}
	if len(m.GetThumbHash()) > 0 && r.GetFile().GetThumbHere() {
		row.Thumb = "/" + r.GetName() + "/thumb"
		row.Width, row.Height = front.ThumbSize(int(m.GetWidth()), int(m.GetHeight()))
	}
	own := r.GetHome() == a.branch()
	if own {
		row.Where = whereWord(r.GetWhere())
		if a.May("POST /attachments/{id}/retire") && a.Writes(schema.Attachment) {
			row.Retire, row.Etag = "/"+r.GetName()+"/retire", r.GetEtag()
		}
	}
	switch f := r.GetFile(); {
	case own && f.GetAtHq():
		row.State = a.T("photo.at_hq")
	case own && f.GetHere():
		row.State = a.T("photo.only_here")
	case own:
		row.State = a.T("photo.lost")
	case f.GetHere():
		row.State = a.T("photo.copy_here")
	case f.GetThumbHere():
		row.State = a.T("photo.on_demand", site)
	default:
		row.State = a.T("photo.at_site", site)
	}
	return row
}

// refusedFile is one of the files of a form that was not taken.
type refusedFile struct {
	name string
	err  error
}

// fileCreate takes the files of a form, one after the other as they come: fields stand before the files. A program that
// accepts JSON gets the records.
func (s *Site) fileCreate(a *ask) error {
	if s.c.Files == nil {
		return schema.ErrUnavailable
	}
	asJSON := strings.Contains(a.R.Header.Get("Accept"), "application/json")
	made, refused, on, err := s.takeFiles(a)
	if err == nil {
		_, _, err = schema.ParseName(on)
	}
	if asJSON {
		if err == nil && len(made)+len(refused) == 0 {
			err = schema.Invalid("file", "there is no file in the form")
		}
		if err == nil && len(refused) > 0 {
			err = refused[0].err
		}
		return s.filesJSON(a, made, err)
	}
	if err != nil {
		return err
	}
	if len(refused) > 0 {
		text := a.T("photo.saved_some", len(made))
		for _, f := range refused {
			text += " " + a.T("photo.not_this", f.name, a.whyNot(f.err))
		}
		s.errorPage(a, front.Status(refused[0].err), look.Error{
			Head: a.T("photo.not_taken"), Text: text, Act: &look.Act{Href: "/" + on, Text: a.T("photo.back"), Kind: "go"},
		})
		return nil
	}
	return a.GoTo("/" + on) // also when nothing was chosen: nothing has happened
}

// fileRetire takes a photo off its page; the file stays with the record.
func (s *Site) fileRetire(a *ask) error {
	on := a.Form("on")
	if _, _, err := schema.ParseName(on); err != nil {
		return err
	}
	_, err := s.c.Records.UpdateRecord(a.R.Context(), &branchlinev1.UpdateRecordRequest{
		Record: &branchlinev1.Record{Name: "attachments/" + a.id, Etag: a.Form("etag"), Body: &branchlinev1.Record_Attachment{
			Attachment: &branchlinev1.Attachment{RetiredAt: proto.Int64(a.Now)},
		}},
		UpdateMask: []string{"retired_at"},
	})
	if err != nil && !errors.Is(err, schema.ErrConflict) { // another desk has done so: the page shows it
		return err
	}
	return a.GoTo("/" + on)
}

func (s *Site) takeFiles(a *ask) (made []*branchlinev1.Record, refused []refusedFile, on string, err error) {
	mr, err := a.R.MultipartReader()
	if err != nil {
		return nil, nil, "", schema.Invalid("file", "the form is not multipart/form-data")
	}
	fields := map[string]string{}
	for range maxParts {
		p, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			return made, refused, fields["on"], nil
		}
		if err != nil {
			return made, refused, fields["on"], tooLong(err)
		}
		if p.FileName() == "" {
			if err := readField(fields, p); err != nil {
				return made, refused, fields["on"], err
			}
			continue
		}
		role := branchlinev1.AttachmentRole(branchlinev1.AttachmentRole_value[fields["role"]])
		r, err := s.c.Files.TakeFile(a.R.Context(), api.Upload{
			On: fields["on"], Role: role, Name: p.FileName(), Caption: fields["caption"], RequestID: fields["request_id"],
		}, p)
		var no *blob.RefusedError
		err = tooLong(err)
		switch {
		case err == nil:
			made = append(made, r)
		case errors.As(err, &no), errors.Is(err, schema.ErrTooLarge), errors.Is(err, schema.ErrExhausted):
			refused = append(refused, refusedFile{p.FileName(), err})
			if !errors.As(err, &no) { // the rest of this one is still to come, or there is no room for the others
				return made, refused, fields["on"], nil
			}
		default:
			return made, refused, fields["on"], err
		}
	}
	return made, refused, fields["on"], schema.Invalid("file", "a form may bring %d fields and files", maxParts)
}

func readField(fields map[string]string, p *multipart.Part) error {
	b, err := io.ReadAll(io.LimitReader(p, fieldSize+1))
	if err != nil {
		return tooLong(err)
	}
	if len(b) > fieldSize {
		return schema.Invalid(p.FormName(), "is too long")
	}
	fields[p.FormName()] = strings.TrimSpace(string(b))
	return nil
}

// tooLong lets the end of what a request may bring be schema.ErrTooLarge.
func tooLong(err error) error {
	var most *http.MaxBytesError
	if errors.As(err, &most) {
		return errors.Join(schema.ErrTooLarge, err)
	}
	return err
}

// whyNot says why a file was not taken.
func (a *ask) whyNot(err error) string {
	var no *blob.RefusedError
	switch errors.As(err, &no); {
	case errors.Is(err, schema.ErrExhausted):
		return a.T("photo.full")
	case errors.Is(err, schema.ErrTooLarge):
		return a.T("photo.too_large", blob.MaxFile>>20)
	case no != nil && no.Why == blob.WrongType:
		return a.T("photo.wrong_type")
	case no != nil && no.Why == blob.TooMany:
		return a.T("photo.pixels")
	}
	return a.T("photo.damaged")
}

func (s *Site) filesJSON(a *ask, made []*branchlinev1.Record, err error) error {
	status, body := http.StatusOK, []byte(nil)
	if err != nil {
		if status = front.Status(err); status == http.StatusInternalServerError {
			return err
		}
		body, err = protojson.Marshal(&branchlinev1.FieldViolation{Field: "file", Reason: err.Error()})
	} else {
		body, err = protojson.Marshal(&branchlinev1.ListRecordsResponse{Records: made})
	}
	if err != nil {
		return err
	}
	a.W.Header().Set("Content-Type", "application/json")
	a.W.Header().Set("Cache-Control", "no-store")
	a.W.WriteHeader(status)
	_, err = a.W.Write(body)
	return err
}

func (s *Site) fileShow(a *ask) error  { return s.giveFile(a, false) }
func (s *Site) thumbShow(a *ask) error { return s.giveFile(a, true) }

// giveFile answers with a file, or says where it is.
func (s *Site) giveFile(a *ask, thumb bool) (err error) {
	if s.c.Files == nil {
		return schema.ErrUnavailable
	}
	ctx, cancel := context.WithTimeout(a.R.Context(), fetchTime)
	defer cancel()
	f, r, err := s.c.Files.OpenFile(ctx, "attachments/"+a.id, thumb)
	var away *api.ElsewhereError
	if errors.As(err, &away) {
		e := look.Error{Head: a.T("photo.away"), Text: a.T("photo.away_text", a.SiteName(string(away.Branch)))}
		if away.Cut {
			e.Text = a.T("photo.cut_text", a.SiteName(string(away.Branch)))
		}
		s.errorPage(a, http.StatusServiceUnavailable, e)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	front.GiveFile(a.W, a.R, a.id, r.GetAttachment(), thumb, f)
	return nil
}
