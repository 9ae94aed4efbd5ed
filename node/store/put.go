package store

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/number"
	"branchline/schema/sql"
	"branchline/sync/edit"
	"branchline/sync/merge"
	"branchline/sync/oplog"
)

// Edit is one thing a person does to one record.
type Edit struct {
	Kind schema.Kind
	// ID names the record to change. Zero: a new one, its id minted here. With Create it is the id of the new one, from MintID.
	ID      schema.RecordID
	Create  bool
	Message proto.Message // of the kind
	Mask    []string      // fields of Message that count in an update
	Etag    string        // of the page the person saw; not for a create
	// Actor is the staff code, Role the role used. Both are needed.
	Actor     string
	Role      branchlinev1.Role
	RequestID string   // a resend within 24 h does nothing twice
	Confirmed []string // warnings the person confirmed, by rule name
	// NewHome moves the record's home; only its present home may.
	NewHome schema.BranchID
	// Add are values for lists of the record, added to whatever they hold when the edit sets another state.
	Add proto.Message
	// Day, if not empty, gives a new record without a number the next one of that business day, if its kind has a series.
	Day string
}

// Result is what became of an edit.
type Result struct {
	ID     schema.RecordID
	Change schema.ChangeID // zero when nothing was written
	// NoChange: the edit equals what is shown. Again: the request id was seen before, this is the first result.
	NoChange, Again bool

	made   *row // of a create
	actor  string
	answer *answer // being made; nil: it is when it is asked for
}

// requestLife is how long a request id is remembered.
const requestLife = 24 * time.Hour

// Put commits one edit: row, search entry and change together. When it returns
// nil the edit is saved. Errors: ErrInvalid (also FieldsError), ErrNotFound,
// ErrForbidden (write rule of the kind), edit.ConflictError, ErrTooLarge,
// ErrUnavailable (not enrolled).
func (s *Store) Put(ctx context.Context, e Edit) (Result, error) {
	var res Result
	if err := check(&e); err != nil {
		return res, err
	}
	err := s.write(ctx, func(w *writer) error {
		var err error
		if res, err = w.put(&e); err == nil && res.made != nil {
			res.prepare() // while the disk works: nobody is told before it is done
		}
		return err
	})
	return res, err
}

// MintID makes an id for a record to be created.
func (s *Store) MintID() (schema.RecordID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids.New()
}

// Batch is a transaction of several edits.
type Batch struct{ w *writer }

// Put commits one edit with the batch. See Store.Put.
func (b *Batch) Put(e Edit) (Result, error) {
	if err := check(&e); err != nil {
		return Result{}, err
	}
	return b.w.put(&e)
}

// MintID makes an id for a record to be created in the batch.
func (b *Batch) MintID() (schema.RecordID, error) { return b.w.s.ids.New() }

// BySource finds a record by its number in another system; false if it is not held here.
func (b *Batch) BySource(k schema.Kind, source, id string) (schema.RecordID, bool, error) {
	return bySource(b.w.ctx, b.w.tx, k, source, id)
}

// errDryRun rolls a dry run back.
var errDryRun = errors.New("store: dry run")

// PutAll runs f for 0 to n-1 in one transaction, each under a savepoint: what f
// did is undone when it returns an error, and the others stay. The errors come
// back by position; the second result is the transaction's own. A dry run writes nothing.
func (s *Store) PutAll(ctx context.Context, n int, dry bool, f func(b *Batch, i int) error) ([]error, error) {
	errs := make([]error, n)
	err := s.write(ctx, func(w *writer) error {
		for i := range n {
			if err := w.savepoint(func() error { return f(&Batch{w}, i) }, &errs[i]); err != nil {
				return err
			}
		}
		if dry {
			w.touched = true
			return errDryRun
		}
		return nil
	})
	if dry && errors.Is(err, errDryRun) {
		err = nil
	}
	return errs, err
}

// savepoint runs f and undoes it when it fails; its error goes to *ferr.
func (w *writer) savepoint(f func() error, ferr *error) error {
	if _, err := w.exec("SAVEPOINT row"); err != nil {
		return fmt.Errorf("store: savepoint: %w", err)
	}
	nextN := w.m.nextN
	cur := w.m.current()
	var tail oplog.Tail
	if cur != nil {
		tail = cur.Tail
	}
	if *ferr = f(); *ferr != nil {
		if sql.IsDisk(*ferr) {
			return *ferr // no fault of this row, and SQLite may have rolled all back
		}
		w.m.nextN = nextN
		if cur != nil {
			cur.Tail = tail
		}
		if _, err := w.exec("ROLLBACK TO row"); err != nil {
			return fmt.Errorf("store: undo savepoint: %w", err)
		}
	}
	if _, err := w.exec("RELEASE row"); err != nil {
		return fmt.Errorf("store: release savepoint: %w", err)
	}
	return nil
}

// check is what can be said of an edit without the database.
func check(e *Edit) error {
	k := schema.KindOf(e.Kind)
	if k == nil {
		return schema.Invalid("kind", "there is no kind %d", e.Kind)
	}
	if e.Message == nil || schema.KindOfMessage(e.Message) != k {
		return schema.Invalid("record", "its body is no %s", k.Name)
	}
	if e.Actor == "" || e.Role == branchlinev1.Role_ROLE_UNSPECIFIED {
		return schema.Invalid("actor", "an edit needs who did it and in which role")
	}
	if err := schema.Validate(e.Message); err != nil {
		return err
	}
	if e.Create || e.ID.IsZero() {
		return schema.CheckNew(e.Message)
	}
	return nil
}

func (w *writer) put(e *Edit) (Result, error) {
	if w.m.current() == nil {
		return Result{}, fmt.Errorf("store: this branch is not enrolled yet: %w", schema.ErrUnavailable)
	}
	k := schema.KindOf(e.Kind)
	if k.Write == optionsv1.Write_WRITE_HQ {
		return Result{}, fmt.Errorf("store: a %s is kept by headquarters: %w", k.Name, schema.ErrForbidden)
	}
	switch m := e.Message.(type) {
	case *branchlinev1.Staff:
		if err := branchRoles(m); err != nil {
			return Result{}, err
		}
	case *branchlinev1.CardUse:
		if m.GetAmount() != 0 {
			return Result{}, schema.Invalid("amount", "stored money is used through headquarters only")
		}
	}
	if e.Create || e.ID.IsZero() {
		return w.create(k, e)
	}
	return w.update(k, e)
}

// branchRoles: a branch gives branch roles only.
func branchRoles(s *branchlinev1.Staff) error {
	for i, r := range s.GetRoles() {
		if r >= branchlinev1.Role_ROLE_HQ_ANALYST {
			return fmt.Errorf("store: a role of headquarters: %w", errors.Join(schema.ErrForbidden,
				schema.Invalid(fmt.Sprintf("roles[%d]", i), "only headquarters gives the role %s", r)))
		}
	}
	return nil
}

func (w *writer) create(k *schema.KindInfo, e *Edit) (Result, error) {
	if r, ok, err := w.request(k, madeBy, e); ok || err != nil {
		return r, err
	}
	if err := w.number(k, e); err != nil {
		return Result{}, err
	}
	if e.Add != nil {
		m := proto.Clone(e.Message)
		proto.Merge(m, e.Add)
		e.Message = m
	}
	values, err := edit.Create(k, e.Message)
	if err != nil {
		return Result{}, err
	}
	if err := w.refs(k, e.Message, nil); err != nil {
		return Result{}, err
	}
	id := e.ID
	if id.IsZero() {
		if id, err = w.s.ids.New(); err != nil {
			return Result{}, err
		}
	} else if r, err := w.find(id); err != nil || r != nil {
		return Result{}, errors.Join(err, fmt.Errorf("store: %s: %w", schema.ResourceName(k.Kind, id), schema.ErrExists))
	}
	body := &wirev1.ChangeBody{Kind: uint32(k.Kind), Record: id[:], Values: values, Actor: e.Actor, Role: uint32(e.Role), Confirmed: e.Confirmed, Create: true}
	sealed, at, err := w.append(id, body)
	if err != nil {
		return Result{}, err
	}
	stamp := schema.StampOf(sealed.ID, at, body)
	shown, ok := merge.EncodeFresh(stamp, body)
	if !ok {
		st, err := merge.FromChange(stamp, body)
		if err != nil {
			return Result{}, err
		}
		shown = st.Encode()
	}
	r := &row{
		n: w.m.nextN, id: id, kind: k, home: w.m.id.Branch, pass: w.m.pass, base: []byte{}, shown: shown,
		own: oplog.RowID(w.m.current().No, sealed.ID.Seq),
	}
	w.m.nextN++
	if err := w.insertRow(r); err != nil {
		return Result{}, err
	}
	if err := w.pend(r.own, r.n); err != nil {
		return Result{}, err
	}
	if err := w.noteRequest(k, madeBy, e, id, r.own); err != nil {
		return Result{}, err
	}
	return Result{ID: id, Change: sealed.ID, made: r, actor: e.Actor}, nil
}

// What a request did stands before its id: a create and an update are two requests.
const (
	madeBy   = ""
	editedBy = "edit "
)

// noteRequest remembers what a request came to; change 0: that it changed nothing.
func (w *writer) noteRequest(k *schema.KindInfo, did string, e *Edit, id schema.RecordID, change int64) error {
	if e.RequestID == "" {
		return nil
	}
	if _, err := w.stmt(w.s.st.note).ExecContext(w.ctx, did+e.RequestID, int64(k.Kind), id[:], change, w.now()); err != nil {
		return fmt.Errorf("store: request id: %w", err)
	}
	return nil
}

// request finds the first result under an edit's request id, and forgets old ones.
func (w *writer) request(k *schema.KindInfo, did string, e *Edit) (Result, bool, error) {
	if e.RequestID == "" {
		return Result{}, false, nil
	}
	if _, err := w.stmt(w.s.st.forget).ExecContext(w.ctx, w.now()-requestLife.Milliseconds()); err != nil {
		return Result{}, false, fmt.Errorf("store: request ids: %w", err)
	}
	var kind, change int64
	var record []byte
	err := w.stmt(w.s.st.noted).QueryRowContext(w.ctx, did+e.RequestID).Scan(&kind, &record, &change)
	if errors.Is(err, stdsql.ErrNoRows) {
		return Result{}, false, nil
	}
	if err != nil {
		return Result{}, false, fmt.Errorf("store: request id: %w", err)
	}
	if schema.Kind(kind) != k.Kind {
		return Result{}, false, schema.Invalid("request_id", "was used for another record a short while ago: make a new one")
	}
	rid, err := schema.RecordIDFromBytes(record)
	if err != nil {
		return Result{}, false, err
	}
	no, seq := oplog.SplitRowID(change)
	res := Result{ID: rid, Again: true, NoChange: change == 0}
	if l := w.m.lifeNo(no); l != nil {
		res.Change = schema.ChangeID{Branch: w.m.id.Branch, Inc: l.Inc, Seq: seq}
	}
	return res, true, nil
}

// append writes the change and moves the tail in hand.
func (w *writer) append(id schema.RecordID, body *wirev1.ChangeBody, named ...schema.Tick) (schema.Sealed, schema.Tick, error) {
	cur := w.m.current()
	tail, sealed, err := w.s.log.Append(w.ctx, w.tx, cur.Tail, id, body, false, named...)
	if err != nil {
		return sealed, 0, err
	}
	cur.Tail, w.touched, w.event.Own = tail, true, true
	return sealed, tail.At, nil
}

func (w *writer) pend(change, n int64) error {
	if _, err := w.stmt(w.s.st.pend).ExecContext(w.ctx, change, n); err != nil {
		return fmt.Errorf("store: pending: %w", err)
	}
	return nil
}

// refs checks that what the message refers to is known here. only, if not nil,
// names the fields that count.
func (w *writer) refs(k *schema.KindInfo, m proto.Message, only []string) error {
	r := m.ProtoReflect()
	for _, f := range k.Fields {
		if f.Ref == 0 || !r.Has(f.Desc) || only != nil && !slices.Contains(only, f.Name) {
			continue
		}
		text := r.Get(f.Desc).String()
		if text == "" {
			continue
		}
		id, err := schema.ParseRecordID(text)
		if err != nil {
			return schema.Invalid(f.Name, "%v", err)
		}
		var kind int64
		err = w.stmt(w.s.st.exists).QueryRowContext(w.ctx, id[:]).Scan(&kind)
		if errors.Is(err, stdsql.ErrNoRows) || err == nil && schema.Kind(kind) != f.Ref {
			return schema.Invalid(f.Name, "there is no %s %s at this branch", schema.KindOf(f.Ref).Name, id)
		}
		if err != nil {
			return fmt.Errorf("store: look up %s: %w", f.Name, err)
		}
	}
	return nil
}

func (w *writer) update(k *schema.KindInfo, e *Edit) (Result, error) {
	r, err := w.find(e.ID)
	if err != nil {
		return Result{}, err
	}
	if r == nil || r.kind != k {
		return Result{}, fmt.Errorf("store: %s: %w", schema.ResourceName(k.Kind, e.ID), schema.ErrNotFound)
	}
	if again, ok, err := w.request(k, editedBy, e); ok || err != nil {
		if ok && again.ID != r.id {
			err = schema.Invalid("request_id", "was used for another record a short while ago: make a new one")
		}
		return again, err
	}
	page, own := (*edit.Whole)(nil), r
	if edit.IsGolden(e.Etag) {
		if page, own, err = w.whole(r); err != nil {
			return Result{}, err
		}
	}
	if own != nil {
		if err := w.mayUpdate(own, e); err != nil {
			return Result{}, err
		}
	}
	var st *merge.State
	if own != nil {
		if st, err = merge.Decode(own.shown); err != nil {
			return Result{}, fmt.Errorf("store: record %s: %w", own.id, err)
		}
	} else {
		st = page.State()
	}
	if schema.Ruled(e.Message) {
		was, err := st.Message(k)
		if err != nil {
			return Result{}, fmt.Errorf("store: record %s: %w", r.id, err)
		}
		if err := schema.CheckEdit(was, e.Message, e.Mask); err != nil {
			return Result{}, err
		}
	}
	diff := new(edit.Change)
	if len(e.Mask) > 0 || e.NewHome == "" {
		if page != nil {
			diff, err = page.Update(e.Message, e.Mask, e.Etag)
		} else {
			diff, err = edit.Update(k, st, e.Message, e.Mask, e.Etag)
		}
		if err != nil {
			return Result{}, err
		}
	}
	if diff.Empty() && (e.NewHome == "" || e.NewHome == r.home) {
		return Result{ID: r.id, NoChange: true}, w.noteRequest(k, editedBy, e, r.id, 0)
	}
	if e.Add != nil && slices.Contains(diff.Fields, k.State) {
		if err := diff.Append(k, st, e.Add); err != nil {
			return Result{}, err
		}
	}
	var written []string
	for _, f := range diff.Fields {
		written = append(written, f.Name)
	}
	if err := w.refs(k, e.Message, written); err != nil {
		return Result{}, err
	}
	if own == nil {
		return w.beside(r, e, diff)
	}
	asked := r.id
	r = own
	refused, err := w.refusedOf(r)
	if err != nil {
		return Result{}, err
	}
	if len(refused) > 0 {
		if diff, err = edit.Anew(k, st, diff); err != nil {
			return Result{}, fmt.Errorf("store: record %s: %w", r.id, err)
		}
	}
	body := &wirev1.ChangeBody{
		Kind: uint32(k.Kind), Record: r.id[:], Values: diff.Values, Names: diff.Names, Actor: e.Actor, Role: uint32(e.Role),
		Confirmed: e.Confirmed, NewHome: string(e.NewHome), Create: len(refused) > 0,
	}
	sealed, at, err := w.append(r.id, body, diff.Named...)
	if err != nil {
		return Result{}, err
	}
	c, err := merge.FromChange(schema.StampOf(sealed.ID, at, body), body)
	if err != nil {
		return Result{}, err
	}
	if r.base == nil {
		r.base = r.shown
	}
	r.shown = merge.Join(st, c).Encode()
	r.own = oplog.RowID(w.m.current().No, sealed.ID.Seq)
	if e.NewHome != "" {
		r.home = e.NewHome
	}
	if err := w.pend(r.own, r.n); err != nil {
		return Result{}, err
	}
	if len(refused) > 0 {
		err = w.offered(r, refused)
	} else {
		err = w.updateRow(r)
	}
	if err != nil {
		return Result{}, err
	}
	return Result{ID: r.id, Change: sealed.ID}, w.noteRequest(k, editedBy, e, asked, r.own)
}

// mayUpdate holds the kind's write rule and the fields' (DESIGN §4).
func (w *writer) mayUpdate(r *row, e *Edit) error {
	atHome := r.home == w.m.id.Branch
	name := schema.ResourceName(r.kind.Kind, r.id)
	if r.kind.Write == optionsv1.Write_WRITE_HOME && !atHome {
		return fmt.Errorf("store: %s is kept by branch %s: %w", name, r.home, schema.ErrForbidden)
	}
	if e.NewHome != "" {
		if !atHome {
			return fmt.Errorf("store: the home of %s is branch %s, only it may move it: %w", name, r.home, schema.ErrForbidden)
		}
		if _, err := schema.ParseBranchID(string(e.NewHome)); err != nil {
			return err
		}
	}
	for _, m := range e.Mask {
		f := r.kind.Field(m)
		if f == nil {
			continue // edit.Update says so
		}
		if r.shared && f.Share != optionsv1.Share_SHARE_GROUP {
			// It would be saved, and gone from this page with the next one from HQ.
			return schema.Invalid(m, "is not shared between companies: this %s belongs to branch %s of another company, which keeps it", r.kind.Name, r.home)
		}
		if f.HomeOnly && !atHome {
			return fmt.Errorf("store: %s of %s is kept by branch %s: %w", m, name, r.home, schema.ErrForbidden)
		}
		if r.kind.Fixed(f) {
			return fmt.Errorf("store: %s.%s stays as it was written: %w", r.kind.Name, m, schema.ErrForbidden)
		}
	}
	return nil
}

// number gives a new record of a kind with a series (number.SeriesOf) its number, unless it has one.
func (w *writer) number(k *schema.KindInfo, e *Edit) error {
	if _, ok := number.SeriesOf(k.Kind); !ok || e.Day == "" || e.Message.ProtoReflect().Has(k.Number.Desc) {
		return nil
	}
	text, err := w.nextNumber(k, e.Day)
	if err != nil {
		return err
	}
	e.Message = proto.Clone(e.Message)
	e.Message.ProtoReflect().Set(k.Number.Desc, protoreflect.ValueOfString(text))
	return nil
}

// nextNumber is the next number of a kind and business day: the counter of the day is kept in the database, so that no
// two records of one life have the same.
func (w *writer) nextNumber(k *schema.KindInfo, day string) (string, error) {
	series, ok := number.SeriesOf(k.Kind)
	if !ok {
		return "", fmt.Errorf("store: a branch gives a %s no number: %w", k.Name, schema.ErrInvalid)
	}
	key := metaCounter
	if series != number.Orders {
		key += "." + strconv.Itoa(int(k.Kind))
	}
	was, err := metaGet(w.ctx, w.tx, key)
	if err != nil {
		return "", err
	}
	n := 1
	if on, count, ok := strings.Cut(string(was), " "); ok && on == day {
		if n, err = strconv.Atoi(count); err != nil {
			return "", fmt.Errorf("store: %s: %w", key, err)
		}
		n++
	}
	text, err := number.Number{Branch: w.m.id.Branch, Life: number.Life(w.m.current().Inc), Day: day, Counter: n, Series: series}.Format()
	if err != nil {
		return "", fmt.Errorf("store: %s: %w", k.Name, err)
	}
	return text, w.metaSet(key, []byte(day+" "+strconv.Itoa(n)))
}
