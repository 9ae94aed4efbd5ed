package web

import (
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/front"
)

// sign is where a customer puts their name, drawn with a finger or a pen, or typed: {{template "sign" .}} within a form
// that is posted without files.
//
// static/sign.js, which the block brings along, shows a canvas. When the form is sent it posts the drawing to /attachments
// as an attachment of role SIGNATURE of the record On, and the form then brings that attachment's name in Field. Without
// script, and by keyboard, Field comes empty and the name typed into ByField is all there is: pages then say that it was
// typed (see signedView).
type sign struct {
	// ID begins the ids of the block's fields; one on its page.
	ID string
	// On is the record the drawing belongs to, by name: an order, a line, an inspection, a claim … of this branch.
	On string
	// RequestID makes a drawing that is sent again no second attachment; the form's own may serve.
	RequestID string
	// Field is the form's field for the attachment's name, ByField the one for who signs.
	Field, ByField string
	// By is the name typed so far; a name that comes back alone is a signature, so it is not to be filled in beforehand.
	By string
	// Expected is who will sign as far as is known: offered for the name, and taken when a drawing comes without one.
	Expected string
	// Drawn is the attachment that an earlier sending of the form brought, by name: it is kept and shown.
	Drawn string
	// Text is what is signed, a finished sentence; "" where the form says it.
	Text string
	// Fault is what is wrong, a finished sentence.
	Fault string
}

// signature is the attachment that a form's block brings in field: its id, "" when nothing was drawn. schema.ErrInvalid:
// the field holds something else.
func (a *ask) signature(field string) (string, error) {
	name := a.Form(field)
	if name == "" {
		return "", nil
	}
	k, id, err := schema.ParseName(name)
	if err != nil || k != schema.Attachment {
		return "", schema.Invalid(field, "names no attachment")
	}
	return id.String(), nil
}

// signedView is a signature as pages show it: {{template "signed" .}}.
type signedView struct {
	// Thumb and File are the picture, small and whole; "" when there is none here, or the name was typed.
	Thumb, File   string
	Width, Height int // of the small one
	By            string
	At, Now       int64
	Typed         bool // there is no drawing
}

// Done tells whether somebody has signed.
func (s signedView) Done() bool { return s.At != 0 || s.By != "" }

// signed is what the attachment (by id, "" for a typed name) and the fields beside it say.
func (a *ask) signed(attachment, by string, at int64) (signedView, error) {
	out := signedView{By: by, At: at, Now: a.Now, Typed: attachment == ""}
	if attachment == "" || !a.Reads(schema.Attachment) {
		return out, nil
	}
	r, err := a.s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "attachments/" + attachment})
	if isMissing(err) {
		return out, nil // it has not come yet
	}
	if err != nil {
		return out, err
	}
	m := r.GetAttachment()
	if r.GetFile().GetHere() {
		out.File = "/" + r.GetName() + "/file"
	}
	if len(m.GetThumbHash()) > 0 && r.GetFile().GetThumbHere() {
		out.Thumb = "/" + r.GetName() + "/thumb"
		out.Width, out.Height = front.ThumbSize(int(m.GetWidth()), int(m.GetHeight()))
	}
	return out, nil
}
