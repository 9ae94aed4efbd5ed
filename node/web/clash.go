package web

import (
	"errors"
	"net/http"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// The page for an edit that others overtook: both values of each such field, to choose from. What was typed is kept;
// fields nobody else touched are saved already.

type clashView struct {
	look.Frame
	Head   string
	Action string
	Hidden []hidden
	Rows   []clashRow
	Saved  []savedRow
	Back   string
}

type clashRow struct {
	Field, Label string
	Mine, Theirs diffText
	Was          string // what the page showed when it was opened
	Site, Who    string
	Own          bool // another desk of this site
	At           int64
}

type savedRow struct{ Label, Text string }

// diffText is a value cut where it differs from the other one.
type diffText struct{ Before, Diff, After string }

func (d diffText) Empty() bool { return d.Before+d.Diff+d.After == "" }

// clash saves what nobody else touched and asks about the rest.
func (s *Site) clash(a *ask, e editor, was, typed proto.Message, mask []string, met []*branchlinev1.FieldConflict) error {
	k := e.info()
	free := slices.DeleteFunc(slices.Clone(mask), func(f string) bool {
		return slices.ContainsFunc(met, func(c *branchlinev1.FieldConflict) bool { return c.GetField() == f })
	})
	if len(free) > 0 {
		err := s.put(a, e, typed, free)
		switch {
		case err == nil:
		case errors.Is(err, schema.ErrConflict) && len(conflicts(err)) > 0: // overtaken once more meanwhile
			return s.clash(a, e, was, typed, mask, append(met, conflicts(err)...))
		default:
			return err
		}
	}
	sh, err := s.sheet(a, e.name(a.id))
	if err != nil {
		return err
	}
	seen := e.seen(a)
	now := only(k, sh.body, seen)
	next := proto.Clone(now) // what the record becomes if every own value is kept
	v := clashView{
		Frame: a.frame(a.T("form.edit"), e.active), Head: e.title(a, now), Action: "/" + e.name(a.id), Back: e.seenAt(a.id, now),
	}
	for _, c := range met {
		f := k.Field(c.GetField())
		if f == nil || !slices.Contains(seen, c.GetField()) {
			continue
		}
		keepMine(f, was, typed, next, c)
		row := clashRow{
			Field: f.Name, Label: a.label(k, f.Name), Was: a.sayField(f, was), Site: a.SiteName(c.GetBranch()),
			Own: c.GetBranch() == a.branch(), At: c.GetAt(),
		}
		if c.GetWho() != "" {
			row.Who = a.Names().Person(c.GetWho())
		}
		row.Mine, row.Theirs = diff(a.sayJSON(k, f.Name, c.GetYours()), a.sayJSON(k, f.Name, c.GetTheirs()))
		v.Rows = append(v.Rows, row)
	}
	for _, name := range free {
		text := a.sayField(k.Field(name), typed)
		if text == "" {
			text = a.T("clash.removed")
		}
		v.Saved = append(v.Saved, savedRow{a.label(k, name), text})
	}
	nowText, err := protojson.Marshal(now)
	if err != nil {
		return err
	}
	nextText, err := protojson.Marshal(next)
	if err != nil {
		return err
	}
	v.Hidden = []hidden{{"etag", sh.r.GetEtag()}, {"was", string(nowText)}, {"typed", string(nextText)}}
	for _, c := range a.confirmed() {
		v.Hidden = append(v.Hidden, hidden{"confirmed", c})
	}
	return s.pages.clash.Render(a.W, http.StatusConflict, v)
}

// keepMine puts the typed value of a field into next, which holds the record as it is now. Of a list, what was typed is
// what the person added and took away: what others added beside it stays, what they put in place of the same entry goes.
func keepMine(f *schema.FieldInfo, was, typed, next proto.Message, c *branchlinev1.FieldConflict) {
	n, t := next.ProtoReflect(), typed.ProtoReflect()
	if !f.Desc.IsList() {
		if t.Has(f.Desc) {
			n.Set(f.Desc, t.Get(f.Desc))
		} else {
			n.Clear(f.Desc)
		}
		return
	}
	before, mine, have := entries(f, was), entries(f, typed), entries(f, next)
	var theirs []protoreflect.Value
	if m, ok := fromJSON(schema.KindOfMessage(next), f.Name, c.GetTheirs()); ok {
		theirs = entries(f, m)
	}
	list := n.NewField(f.Desc)
	for _, x := range have {
		if !has(theirs, x) && (!has(before, x) || has(mine, x)) {
			list.List().Append(x)
		}
	}
	for _, x := range mine {
		if !has(before, x) && !has(have, x) {
			list.List().Append(x)
		}
	}
	n.Set(f.Desc, list)
}

func entries(f *schema.FieldInfo, m proto.Message) []protoreflect.Value {
	list := m.ProtoReflect().Get(f.Desc).List()
	out := make([]protoreflect.Value, 0, list.Len())
	for i := range list.Len() {
		out = append(out, list.Get(i))
	}
	return out
}

func has(list []protoreflect.Value, v protoreflect.Value) bool {
	return slices.ContainsFunc(list, func(x protoreflect.Value) bool { return x.Equal(v) })
}

// diff cuts two texts at their common beginning and end.
func diff(x, y string) (diffText, diffText) {
	p, q := []rune(x), []rune(y)
	if x == y {
		return diffText{Before: x}, diffText{Before: y}
	}
	head := 0
	for head < len(p) && head < len(q) && p[head] == q[head] {
		head++
	}
	tail := 0
	for tail < len(p)-head && tail < len(q)-head && p[len(p)-1-tail] == q[len(q)-1-tail] {
		tail++
	}
	cut := func(r []rune) diffText {
		return diffText{string(r[:head]), string(r[head : len(r)-tail]), string(r[len(r)-tail:])}
	}
	return cut(p), cut(q)
}
