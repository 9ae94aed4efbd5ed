package workshop

import (
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

// job is an order of this branch with its lines, in the hand of who acts on it.
type job struct {
	*act.Hand
	id     schema.RecordID
	record *branchlinev1.Record
	order  *branchlinev1.ServiceOrder
	lines  []*branchlinev1.Record // not retired, by place
}

// jobOf reads an order that is to be worked on (orderOf).
func jobOf(h *act.Hand, name string) (*job, error) {
	id, r, err := orderOf(h, name)
	if err != nil {
		return nil, err
	}
	j := &job{Hand: h, id: id, record: r, order: r.GetServiceOrder()}
	return j, j.read()
}

// jobOfLine is the job a line belongs to, and the line.
func jobOfLine(h *act.Hand, name string) (*job, *branchlinev1.Record, error) {
	id, err := desk.NameOf("line", name, schema.ServiceLine)
	if err != nil {
		return nil, nil, err
	}
	r, err := h.V.Get(id)
	if err != nil {
		return nil, nil, err
	}
	if r.GetServiceLine() == nil {
		return nil, nil, fmt.Errorf("%s: %w", name, schema.ErrNotFound)
	}
	j, err := jobOf(h, r.GetServiceLine().GetOrder())
	if err != nil {
		return nil, nil, err
	}
	l, err := j.line(name)
	return j, l, err
}

// read reads the lines as they are now.
func (j *job) read() error {
	all, err := j.V.About(schema.ServiceLine, schema.ServiceOrder, j.id)
	if err != nil {
		return err
	}
	j.lines = slices.DeleteFunc(all, func(r *branchlinev1.Record) bool { return r.GetServiceLine().GetRetiredAt() != 0 })
	slices.SortStableFunc(j.lines, func(x, y *branchlinev1.Record) int {
		return cmp.Compare(x.GetServiceLine().GetPosition(), y.GetServiceLine().GetPosition())
	})
	return nil
}

// line is one of the job's. ErrInvalid.
func (j *job) line(name string) (*branchlinev1.Record, error) {
	id, err := desk.NameOf("line", name, schema.ServiceLine)
	if err != nil {
		return nil, err
	}
	want := schema.ResourceName(schema.ServiceLine, id)
	for _, r := range j.lines {
		if r.GetName() == want {
			return r, nil
		}
	}
	return nil, schema.Invalid("line", "is no line of this order")
}

// put writes fields of the job's order as it is in the transaction, and dates its state. etag is that of the page the
// person saw; "": what is there now. ErrConflict.
func (j *job) put(o *branchlinev1.ServiceOrder, etag string, mask ...string) error {
	e := store.Edit{Kind: schema.ServiceOrder, ID: j.id, Message: o, Mask: mask, Etag: cmp.Or(etag, j.record.GetEtag())}
	if o.GetState() != 0 && o.GetState() != j.order.GetState() {
		e.Add = &branchlinev1.ServiceOrder{States: []*branchlinev1.StateChange{{
			State: o.State, At: proto.Int64(j.Now.UnixMilli()), By: proto.String(j.Caller.Staff),
		}}}
	}
	if _, err := j.Put(e); err != nil {
		return err
	}
	r, err := j.V.Get(j.id)
	if err == nil {
		j.record, j.order = r, r.GetServiceOrder()
	}
	return err
}

// putState puts the order into a state, unless it is there.
func (j *job) putState(s branchlinev1.OrderState) error {
	if j.order.GetState() == s {
		return nil
	}
	return j.put(&branchlinev1.ServiceOrder{State: s.Enum()}, "", "state")
}

// putLine writes fields of a line as it is in the transaction. etag as in put.
func (j *job) putLine(r *branchlinev1.Record, l *branchlinev1.ServiceLine, etag string, mask ...string) error {
	id, err := act.IDOf(r)
	if err != nil {
		return err
	}
	if _, err := j.Put(store.Edit{Kind: schema.ServiceLine, ID: id, Message: l, Mask: mask, Etag: cmp.Or(etag, r.GetEtag())}); err != nil {
		return err
	}
	return j.read()
}
