package web

import (
	"errors"
	"net/http"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// editor is the form of one kind of record.
type editor struct {
	kind   schema.Kind
	active string   // id of the rail item
	fields []string // of the message, that the form holds
	// sections are the inputs with their values and what is wrong.
	sections func(a *ask, m proto.Message, bad faults) []section
	// read takes the posted inputs into m and says what is wrong with them.
	read func(a *ask, m proto.Message) faults
	// title of a record of the kind.
	title func(a *ask, m proto.Message) string
	// page is where a record of a kind without a page of its own is seen: on that of what it is about, which the form's
	// fields name. nil: the record has a page.
	page func(m proto.Message) string
	// show is the page of the form, where it is not the common one; see showEdit.
	show func(a *ask, status int, etag string, was, typed proto.Message, bad faults, rest []string) error
	// put saves the masked fields of what was typed, where saving is an act; nil: the record is edited (Site.put). It is
	// asked for also where nothing was changed, for what else the form wants.
	put func(a *ask, m proto.Message, mask []string) error
	// then is what a saved form does besides, and where it leads; nil: to where the record is seen. m is what was typed.
	then func(a *ask, m proto.Message) (string, error)
}

func (e editor) info() *schema.KindInfo { return schema.KindOf(e.kind) }

func (e editor) name(id string) string { return e.info().Collection + "/" + id }

// seenAt is the address a record is seen at; m holds the form's fields.
func (e editor) seenAt(id string, m proto.Message) string {
	if e.page != nil {
		return e.page(m)
	}
	return "/" + e.name(id)
}

// seen are the fields of the form that the caller may see: others are neither shown nor written.
func (e editor) seen(a *ask) []string {
	var out []string
	for _, f := range e.fields {
		if a.sees(e.kind, f) {
			out = append(out, f)
		}
	}
	return out
}

// withForm does something with a form whose choices are read first.
func withForm(form func(*ask) (editor, error), do func(*ask, editor) error) func(*ask) error {
	return func(a *ask) error {
		e, err := form(a)
		if err != nil {
			return err
		}
		return do(a, e)
	}
}

func (s *Site) editPage(a *ask, e editor) error {
	sh, err := s.sheet(a, e.name(a.id))
	if err != nil {
		return err
	}
	return s.showEdit(a, e, http.StatusOK, sh.r.GetEtag(), only(sh.k, sh.body, e.seen(a)), sh.body, faults{}, nil)
}

// showEdit is the form with what was typed. was is what the page of the etag showed.
func (s *Site) showEdit(a *ask, e editor, status int, etag string, was, typed proto.Message, bad faults, rest []string) error {
	if e.show != nil {
		return e.show(a, status, etag, was, typed, bad, rest)
	}
	before, err := protojson.Marshal(was)
	if err != nil {
		return err
	}
	sections := e.sections(a, typed, bad)
	if err := s.pinHints(a, e, sections); err != nil {
		return err
	}
	v := formView{
		Frame: a.frame(a.T("form.edit"), e.active), Head: e.title(a, was), Sub: a.T("form.edit"),
		Action: "/" + e.name(a.id), Back: e.seenAt(a.id, was), Submit: a.T("word.save"),
		Hidden:   []hidden{{"etag", etag}, {"was", string(before)}},
		Sections: focus(sections, bad), Faults: rest, Wrong: bad.wrong(), Confirm: a.confirms(bad),
	}
	return s.pages.form.Render(a.W, status, v)
}

// update takes the form of an edit, or the answers of the page about values that others changed meanwhile.
func (s *Site) update(a *ask, e editor) error {
	k := e.info()
	fields := e.seen(a)
	was := k.New()
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(a.Form("was")), was); err != nil {
		return schema.Invalid("was", "is not what the form had")
	}
	typed := proto.Clone(was)
	bad := faults{}
	if text := a.Form("typed"); text != "" { // answers: what was typed has been read before
		typed = k.New()
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(text), typed); err != nil {
			return schema.Invalid("typed", "is not what the form had")
		}
	} else {
		bad = e.read(a, typed)
	}
	back := e.seenAt(a.id, was)
	mask := differing(k, fields, was, typed)
	switch a.Form("act") {
	case "theirs":
		return a.GoTo(back)
	case "again":
		return s.showEdit(a, e, http.StatusOK, a.Form("etag"), was, typed, bad, nil)
	}
	mask = a.picked(mask)
	if len(bad) > 0 {
		return s.showEdit(a, e, http.StatusBadRequest, a.Form("etag"), was, typed, bad, nil)
	}
	met, err := s.putID(a, e)
	if err != nil {
		return err
	}
	if met {
		bad["national_id"] = fault{text: a.T("like.id_met")}
		return s.showEdit(a, e, http.StatusConflict, a.Form("etag"), was, typed, bad, nil)
	}
	if len(mask) > 0 || e.put != nil {
		err = s.put(a, e, typed, mask)
	}
	switch {
	case err == nil:
		to, err := s.saved(a, e, typed, back, mask)
		if err != nil {
			return err
		}
		return a.GoTo(to)
	case errors.Is(err, schema.ErrConflict) && len(conflicts(err)) > 0:
		return s.clash(a, e, was, typed, mask, conflicts(err))
	case errors.Is(err, schema.ErrInvalid) && len(violations(err)) > 0:
		rest := a.take(bad, err, inputNames(e.sections(a, typed, bad)), a.violated)
		return s.showEdit(a, e, http.StatusBadRequest, a.Form("etag"), was, typed, bad, rest)
	}
	return err
}

// put writes the masked fields of what was typed, over what the page of the etag showed.
func (s *Site) put(a *ask, e editor, typed proto.Message, mask []string) error {
	if e.put != nil {
		return e.put(a, typed, mask)
	}
	r := &branchlinev1.Record{Name: e.name(a.id), Etag: a.Form("etag")}
	if err := schema.SetBody(r, only(e.info(), typed, mask)); err != nil {
		return err
	}
	_, err := s.c.Records.UpdateRecord(a.R.Context(), &branchlinev1.UpdateRecordRequest{
		Record: r, UpdateMask: mask, Confirmed: a.confirmed(),
	})
	return err
}

// picked leaves out the fields for which the person took the other value.
func (a *ask) picked(mask []string) []string {
	var out []string
	for _, f := range mask {
		if a.Form("pick."+f) != "theirs" {
			out = append(out, f)
		}
	}
	return out
}

// restore writes a value that had lost. It is an edit like any other, and may meet another one.
func (s *Site) restore(a *ask, e editor) error {
	k, field := e.info(), a.Form("field")
	f := k.Field(field)
	if f == nil || f.Desc.IsList() || !a.sees(e.kind, field) {
		return schema.Invalid("field", "is not one that can be restored")
	}
	typed := k.New() // what lost may be that there is no value
	if value := a.Form("value"); value != "" {
		var ok bool
		if typed, ok = fromJSON(k, field, value); !ok {
			return schema.Invalid("value", "is not one of the field")
		}
	}
	err := s.put(a, e, typed, []string{field})
	switch {
	case err == nil:
		return a.GoTo("/" + e.name(a.id) + "#v-" + field)
	case errors.Is(err, schema.ErrConflict) && len(conflicts(err)) > 0:
		return s.clash(a, e, k.New(), typed, []string{field}, conflicts(err))
	}
	return err
}

// keep lets a value of this branch that lost rest.
func (s *Site) keep(a *ask, e editor) error {
	field := a.Form("field")
	if f := e.info().Field(field); f == nil || !a.sees(e.kind, field) {
		return schema.Invalid("field", "is not one that can be restored")
	}
	_, err := s.c.Records.KeepAsIs(a.R.Context(), &branchlinev1.KeepAsIsRequest{Name: e.name(a.id), Field: field, Change: a.Form("change")})
	if err != nil && !errors.Is(err, schema.ErrNotFound) { // it has come to be shown meanwhile, or somebody wrote it
		return err
	}
	return a.GoTo("/" + e.name(a.id) + "#v-" + field)
}

// create makes the record of a form. extra are further hidden values, kept over a second try; then is where to go.
func (s *Site) create(a *ask, e editor, head string, extra []hidden, then func(*branchlinev1.Record) (string, error)) error {
	m := e.info().New()
	bad := e.read(a, m)
	if len(bad) > 0 {
		return s.showNew(a, e, http.StatusBadRequest, head, a.Form("request_id"), extra, m, bad, nil)
	}
	if s.unseen(a, m) {
		return s.showNew(a, e, http.StatusConflict, head, a.Form("request_id"), extra, m, bad, nil)
	}
	r := &branchlinev1.Record{}
	if err := schema.SetBody(r, m); err != nil {
		return err
	}
	made, err := s.c.Records.CreateRecord(a.R.Context(), &branchlinev1.CreateRecordRequest{
		Record: r, RequestId: a.Form("request_id"), Confirmed: a.confirmed(), NationalId: a.Form("national_id"),
	})
	if errors.Is(err, schema.ErrInvalid) && len(violations(err)) > 0 {
		rest := a.take(bad, err, inputNames(e.sections(a, m, bad)), a.violated)
		return s.showNew(a, e, http.StatusBadRequest, head, a.Form("request_id"), extra, m, bad, rest)
	}
	if err != nil {
		return err
	}
	to, err := then(made)
	if err != nil {
		return err
	}
	return a.GoTo(to)
}

// whom is the customer that a record is about; nil when it is about none, or one the caller is not to see.
func (a *ask) whom(k *schema.KindInfo, m proto.Message) (*branchlinev1.Record, error) {
	if k.Customer == nil || !m.ProtoReflect().Has(k.Customer.Desc) || !a.Reads(schema.Customer) {
		return nil, nil
	}
	r, err := a.s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "customers/" + m.ProtoReflect().Get(k.Customer.Desc).String(), Golden: true})
	if isMissing(err) || errors.Is(err, schema.ErrInvalid) { // the form says what is wrong with it
		return nil, nil
	}
	return r, err
}

func (s *Site) showNew(a *ask, e editor, status int, head, requestID string, extra []hidden, m proto.Message, bad faults, rest []string) error {
	who, err := a.whom(e.info(), m)
	if err != nil {
		return err
	}
	v := formView{
		Frame: a.frame(head, e.active), Head: head, Sub: who.GetCustomer().GetName(), Action: a.R.URL.Path, Back: "/" + e.info().Collection, Submit: a.T("word.save"),
		Hidden:   append([]hidden{{"request_id", requestID}}, extra...),
		Sections: focus(e.sections(a, m, bad), bad), Faults: rest, Wrong: bad.wrong(), Confirm: a.confirms(bad),
	}
	if e.page != nil {
		v.Back = e.page(m)
	}
	if v.Action == "/"+e.info().Collection+"/new" {
		v.Action = "/" + e.info().Collection
	}
	s.warn(a, v.Sections, m)
	return s.pages.form.Render(a.W, status, v)
}

func (s *Site) newPage(a *ask, e editor, head string, extra []hidden, m proto.Message) error {
	id, err := a.requestID()
	if err != nil {
		return err
	}
	return s.showNew(a, e, http.StatusOK, head, id, extra, m, faults{}, nil)
}
