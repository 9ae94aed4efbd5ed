package workshop

import (
	"context"
	"math/rand"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

const (
	adviser    = branchlinev1.Role_ROLE_ADVISER
	technician = branchlinev1.Role_ROLE_TECHNICIAN
	boss       = branchlinev1.Role_ROLE_BRANCH_MANAGER
)

// rig is a branch's workshop and its store. Its clock goes on by a millisecond whenever it is looked at.
type rig struct {
	*Workshop
	t   *testing.T
	st  *store.Store
	now time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)}
	clock := func() time.Time { r.now = r.now.Add(time.Millisecond); return r.now }
	var err error
	if r.st, err = store.Open(t.Context(), store.Config{Dir: t.TempDir(), Now: clock, Rand: rand.New(rand.NewSource(1))}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.st.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.st.Enrol(t.Context(), store.Enrolment{Identity: store.Identity{Branch: "pd", Entity: "e1", IDKey: []byte("k")}, Incarnation: 11, Epoch: 7}); err != nil {
		t.Fatal(err)
	}
	zone := time.FixedZone("UTC+8", 8*60*60)
	if r.Workshop, err = New(act.Acts{Store: r.st, Zone: func() *time.Location { return zone }, Now: clock}); err != nil {
		t.Fatal(err)
	}
	return r
}

// by is a context of LI of the branch.
func (r *rig) by(roles ...branchlinev1.Role) context.Context {
	return access.With(r.t.Context(), access.Caller{Account: "li", Staff: "LI", Roles: roles})
}

// create saves a record of the branch.
func (r *rig) create(m proto.Message) schema.RecordID {
	r.t.Helper()
	res, err := r.st.Put(r.t.Context(), store.Edit{Kind: schema.KindOfMessage(m).Kind, Message: m, Actor: "LI", Role: boss})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.ID
}

// get reads a record.
func (r *rig) get(id schema.RecordID) *branchlinev1.Record {
	r.t.Helper()
	out, err := r.st.Get(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// all are the records of a kind.
func (r *rig) all(k schema.Kind) (out []*branchlinev1.Record) {
	r.t.Helper()
	err := r.st.View(r.t.Context(), func(v *store.View) (err error) { out, err = v.All(k); return err })
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}
