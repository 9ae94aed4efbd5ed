package edit

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

var customers = schema.KindOf(schema.Customer)

// author writes changes of one branch, one tick apart.
type author struct {
	branch schema.BranchID
	seq    schema.Seq
	at     schema.Tick
}

func (a *author) change(t interface{ Fatal(...any) }, s *merge.State, values []byte, c *Change) *merge.State {
	a.seq++
	a.at += 10
	b := &wirev1.ChangeBody{Values: values}
	if c != nil {
		b.Values, b.Names = c.Values, c.Names
		for _, n := range c.Named {
			a.at = max(a.at, n+1)
		}
	}
	one, err := merge.FromChange(schema.Stamp{At: a.at, Branch: a.branch, Inc: 1, Seq: a.seq}, b)
	if err != nil {
		t.Fatal(err)
	}
	return merge.Join(s, one)
}

func shown(t interface{ Fatal(...any) }, s *merge.State) *branchlinev1.Customer {
	m, err := s.Message(customers)
	if err != nil {
		t.Fatal(err)
	}
	return m.(*branchlinev1.Customer)
}

func TestCreate_NothingIsNoValue(t *testing.T) {
	for name, m := range map[string]*branchlinev1.Customer{
		"nothing":    {},
		"empty text": {Name: proto.String(""), Type: branchlinev1.CustomerType_CUSTOMER_TYPE_UNSPECIFIED.Enum()},
	} {
		if _, err := Create(customers, m); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := &branchlinev1.Customer{Name: proto.String("王"), Remark: proto.String(""), ValueClass: proto.Int32(0)}
	b, err := Create(customers, m)
	if err != nil {
		t.Fatal(err)
	}
	var got branchlinev1.Customer
	if err := proto.Unmarshal(b, &got); err != nil || got.Remark != nil || got.ValueClass == nil || m.Remark == nil {
		t.Errorf("%v %v", &got, err)
	}
}

// A removal that won tells what it won over, and one that lost is told of.
func TestShow_Removals(t *testing.T) {
	a := author{branch: "pd"}
	s := a.change(t, nil, mustCreate(t, &branchlinev1.Customer{Name: proto.String("甲"), Remark: proto.String("r")}), nil)
	page := Etag(customers, s)
	less, err := Update(customers, s, &branchlinev1.Customer{}, []string{"remark"}, page)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Update(customers, s, &branchlinev1.Customer{Remark: proto.String("x")}, []string{"remark"}, page)
	if err != nil {
		t.Fatal(err)
	}
	source := func(s *merge.State) *branchlinev1.FieldSource {
		t.Helper()
		r, err := Show(customers, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, src := range r.GetSources() {
			if src.GetField() == "remark" {
				return src
			}
		}
		return nil
	}
	late := author{branch: "xh", at: 1000}
	if src := source(late.change(t, a.change(t, s, nil, other), nil, less)); src.GetBranch() != "xh" || len(src.GetLost()) != 1 || src.GetLost()[0].GetJson() != `"x"` {
		t.Errorf("the removal won: %v", src)
	}
	if src := source(late.change(t, a.change(t, s, nil, less), nil, other)); src.GetBranch() != "xh" || len(src.GetLost()) != 1 || src.GetLost()[0].GetJson() != "" {
		t.Errorf("the removal lost: %v", src)
	}
	if src := source(a.change(t, s, nil, less)); src != nil {
		t.Errorf("nothing lost: %v", src)
	}
}

func TestUpdate_NamesWhatThePageShowed(t *testing.T) {
	a, o := author{branch: "pd"}, author{branch: "xh", at: 5}
	s := a.change(t, nil, mustCreate(t, &branchlinev1.Customer{Name: proto.String("甲")}), nil)
	s = o.change(t, s, mustCreate(t, &branchlinev1.Customer{Name: proto.String("乙")}), nil) // concurrent, the later one
	page := Etag(customers, s)
	c, err := Update(customers, s, &branchlinev1.Customer{Name: proto.String("丙")}, []string{"name"}, page)
	if err != nil || len(c.Names) != 1 || len(c.Names[0].GetEntries()) != 2 {
		t.Fatalf("%v %v", c, err)
	}
	s2 := a.change(t, s, nil, c)
	if got := s2.Shown(customers); got[0].Lost != nil || shown(t, s2).GetName() != "丙" {
		t.Fatalf("%v", got)
	}
	// Removing, then writing what is not shown.
	c, err = Update(customers, s2, &branchlinev1.Customer{}, []string{"name"}, Etag(customers, s2))
	if err != nil || !c.Names[0].GetRemove() {
		t.Fatalf("%v %v", c, err)
	}
	s3 := a.change(t, s2, nil, c)
	if shown(t, s3).Name != nil {
		t.Fatal("not removed")
	}
	gone := Etag(customers, s3)
	c, err = Update(customers, s3, &branchlinev1.Customer{Name: proto.String("丁")}, []string{"name"}, gone)
	if err != nil || len(c.Names) != 1 {
		t.Fatalf("%v %v", c, err)
	}
	s4 := a.change(t, s3, nil, c)
	if shown(t, s4).GetName() != "丁" {
		t.Fatal("a value after a removal is not shown")
	}
	// The old page of the removal is a conflict now.
	var ce *ConflictError
	if _, err := Update(customers, s4, &branchlinev1.Customer{Name: proto.String("戊")}, []string{"name"}, gone); !errors.As(err, &ce) || ce.Fields[0].Theirs != `"丁"` {
		t.Fatalf("%v", err)
	}
}

func mustCreate(t interface{ Fatal(...any) }, m proto.Message) []byte {
	b, err := Create(schema.KindOfMessage(m), m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUpdate_ConsentAfterARefusal(t *testing.T) {
	a, o := author{branch: "pd"}, author{branch: "xh", at: 3}
	yes := func(v bool) *branchlinev1.Customer {
		return &branchlinev1.Customer{ConsentMarketing: &branchlinev1.Consent{Given: &v}}
	}
	s := a.change(t, nil, mustCreate(t, yes(false)), nil)
	s = o.change(t, s, mustCreate(t, yes(true)), nil)
	if shown(t, s).GetConsentMarketing().GetGiven() {
		t.Fatal("a concurrent yes outweighs a no")
	}
	c, err := Update(customers, s, yes(true), []string{"consent_marketing"}, Etag(customers, s))
	if err != nil {
		t.Fatal(err)
	}
	if s = a.change(t, s, nil, c); !shown(t, s).GetConsentMarketing().GetGiven() {
		t.Fatal("a yes that saw the no does not count")
	}
}

func TestUpdate_BadEtagsAndMasks(t *testing.T) {
	a := author{branch: "pd"}
	s := a.change(t, nil, mustCreate(t, &branchlinev1.Customer{Name: proto.String("甲")}), nil)
	good := Etag(customers, s)
	m := &branchlinev1.Customer{Name: proto.String("x")}
	for _, etag := range []string{"", "x", "!", good[:len(good)-2], good + "AAAA", "Ag"} {
		if _, err := Update(customers, s, m, []string{"name"}, etag); err == nil {
			t.Errorf("etag %q is taken", etag)
		}
	}
	for _, mask := range [][]string{nil, {"nosuch"}, {"names"}} {
		if _, err := Update(customers, s, m, mask, good); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("mask %v: %v", mask, err)
		}
	}
}

func FuzzParseEtag(f *testing.F) {
	a := author{branch: "pd"}
	s := a.change(f, nil, mustCreate(f, &branchlinev1.Customer{Name: proto.String("甲"), Emails: []string{"a", "b"}}), nil)
	f.Add(Etag(customers, s))
	f.Fuzz(func(t *testing.T, etag string) {
		if seen, err := parseEtag(etag); err == nil && len(seen) > len(etag) {
			t.Fatalf("%d fields of %d bytes", len(seen), len(etag))
		}
	})
}

// Whatever two desks do to a list from pages of any age, a conflict is told or
// the result is: what others did, plus what this one added, less what it took away.
func TestUpdate_ListsOfTwoDesks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := author{branch: "pd"}
		first := rapid.SliceOfNDistinct(rapid.StringMatching("[a-e]"), 1, 4, rapid.ID).Draw(rt, "first")
		s := a.change(rt, nil, mustCreate(rt, &branchlinev1.Customer{Emails: first}), nil)
		mine := rapid.SliceOfNDistinct(rapid.StringMatching("[a-h]"), 0, 5, rapid.ID).Draw(rt, "mine")
		theirs := rapid.SliceOfNDistinct(rapid.StringMatching("[a-h]"), 0, 5, rapid.ID).Draw(rt, "theirs")
		page := Etag(customers, s)
		c, err := Update(customers, s, &branchlinev1.Customer{Emails: theirs}, []string{"emails"}, page)
		if err != nil {
			rt.Fatal(err)
		}
		now := s
		if !c.Empty() {
			now = a.change(rt, s, nil, c)
		}
		if got := shown(rt, now).GetEmails(); !equalSets(got, theirs) {
			rt.Fatalf("%v edited to %v shows %v", first, theirs, got)
		}
		c, err = Update(customers, now, &branchlinev1.Customer{Emails: mine}, []string{"emails"}, page)
		if errors.Is(err, schema.ErrConflict) {
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		if !c.Empty() {
			now = a.change(rt, now, nil, c)
		}
		want := map[string]bool{}
		for _, x := range theirs {
			want[x] = !slices.Contains(first, x) || slices.Contains(mine, x)
		}
		for _, x := range mine {
			if !slices.Contains(first, x) {
				want[x] = true
			}
		}
		var list []string
		for x, in := range want {
			if in {
				list = append(list, x)
			}
		}
		if got := shown(rt, now).GetEmails(); !equalSets(got, list) {
			rt.Fatalf("first %v, theirs %v, mine %v: shows %v, want %v", first, theirs, mine, got, list)
		}
	})
}

func equalSets(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// A change that wrote many fields is written out once.
func TestShow_WritesOneChangeOutOnce(t *testing.T) {
	a := author{branch: "pd"}
	s := a.change(t, nil, mustCreate(t, &branchlinev1.Customer{Name: proto.String("甲"), Remark: proto.String("x"), Birthday: proto.String("1990-01-01")}), nil)
	r, err := Show(customers, s)
	if err != nil || len(r.GetSources()) != 3 {
		t.Fatalf("%d sources, %v", len(r.GetSources()), err)
	}
	first := r.GetSources()[0].GetChange()
	for _, src := range r.GetSources() {
		if src.GetChange() != first || unsafe.StringData(src.GetChange()) != unsafe.StringData(first) {
			t.Errorf("%s is from %q, written out anew", src.GetField(), src.GetChange())
		}
	}
}

func TestShow_SourcesAndLosers(t *testing.T) {
	a, o := author{branch: "pd"}, author{branch: "xh", at: 5}
	s := a.change(t, nil, mustCreate(t, &branchlinev1.Customer{Name: proto.String("甲"), Emails: []string{"a", "b"}}), nil)
	s = o.change(t, s, mustCreate(t, &branchlinev1.Customer{Name: proto.String("乙")}), nil)
	r, err := Show(customers, s)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, src := range r.GetSources() {
		got = append(got, fmt.Sprintf("%s %d %s %d", src.GetField(), src.GetIndex(), src.GetBranch(), len(src.GetLost())))
	}
	if want := []string{"name -1 xh 1", "emails 0 pd 0", "emails 1 pd 0"}; !slices.Equal(got, want) {
		t.Fatalf("%v", got)
	}
	if l := r.GetSources()[0].GetLost()[0]; l.GetJson() != `"甲"` || l.GetBranch() != "pd" {
		t.Fatalf("%v", l)
	}
}

func TestMoved(t *testing.T) {
	a := author{branch: "pd"}
	s := a.change(t, nil, mustCreate(t, &branchlinev1.Customer{Name: proto.String("甲"), Remark: proto.String("x"), Emails: []string{"a@b.c"}}), nil)
	page := Etag(customers, s)
	for _, x := range []struct {
		edit *branchlinev1.Customer
		mask string
	}{
		{&branchlinev1.Customer{Name: proto.String("乙")}, "name"},
		{&branchlinev1.Customer{}, "remark"},
		{&branchlinev1.Customer{Birthday: proto.String("1974-06-08")}, "birthday"},
		{&branchlinev1.Customer{Emails: []string{"a@b.c", "d@e.f"}}, "emails"},
	} {
		c, err := Update(customers, s, x.edit, []string{x.mask}, page)
		if err != nil {
			t.Fatal(err)
		}
		now := Etag(customers, a.change(t, s, nil, c))
		for _, f := range []string{"name", "remark", "birthday", "emails", "phones"} {
			if moved, err := Moved(customers, page, now, f); err != nil || moved != (f == x.mask) {
				t.Errorf("%s edited: %s moved is %v, %v", x.mask, f, moved, err)
			}
		}
	}
	if _, err := Moved(customers, "", page, "name"); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("no etag: %v", err)
	}
}
