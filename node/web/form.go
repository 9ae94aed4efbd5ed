package web

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// input is one control of a form. Its name is the path of the value in the message: phones.0.number.
type input struct {
	ID, Name, Label    string
	Type               string // "" is text; select, area, date, datetime-local, tel …
	Value              string
	Mode               string // inputmode
	Hint, Fault, Doubt string
	Class              string // w2, w3: how much of its row it takes
	Anchor             string
	Max                int
	Required, Focus    bool
	Options            []option
}

// Below tells whether a sentence stands under the control.
func (i input) Below() bool { return i.Fault != "" || i.Doubt != "" || i.Hint != "" }

type option struct{ Value, Text string }

// section is a group of inputs under a heading, in rows.
type section struct {
	Title  string
	Anchor string
	Rows   [][]input
	Like   *likeView // under it stands who it may be, as it is typed
}

type hidden struct{ Name, Value string }

// confirmation is a doubt the person may set aside: Name goes back to the API.
type confirmation struct{ Name, Text string }

// formView is the page of a form.
type formView struct {
	look.Frame
	Head, Sub string
	Action    string
	Hidden    []hidden
	Sections  []section
	Faults    []string // what is wrong with no input in particular, finished sentences
	Wrong     int      // inputs at fault
	Confirm   []confirmation
	Submit    string
	Back      string
	Choices   []choice
	ChoiceHow string
}

// choice is one of several records a typed value may mean.
type choice struct {
	Name, Value string
	Text, Meta  string
	Checked     bool
}

// fault is what is wrong with, or doubtful about, one input.
type fault struct {
	text    string
	confirm string // not "": a doubt that may be set aside under this name
}

// faults by the name of their input.
type faults map[string]fault

func (f faults) wrong() int {
	n := 0
	for _, x := range f {
		if x.confirm == "" {
			n++
		}
	}
	return n
}

// put fills in what is wrong with an input, and the id that its label points to.
func (f faults) put(in input) input {
	in.ID = "i-" + strings.ReplaceAll(in.Name, ".", "-")
	x, ok := f[in.Name]
	if !ok {
		return in
	}
	if x.confirm != "" {
		in.Doubt = x.text
	} else {
		in.Fault = x.text
	}
	return in
}

// take adds what the API found. Names it has no input for are matched by their field; the rest is returned as sentences.
func (a *ask) take(f faults, err error, has map[string]bool, say func(*branchlinev1.FieldViolation) string) (rest []string) {
	for _, v := range violations(err) {
		text := say(v)
		name := v.GetField()
		for !has[name] && name != "" {
			cut := strings.LastIndexByte(name, '.')
			name = name[:max(cut, 0)]
		}
		if name == "" {
			name = firstOf(has, v.GetField())
		}
		if name == "" {
			rest = append(rest, text)
			continue
		}
		f[name] = fault{text: text, confirm: v.GetConfirm()}
	}
	return rest
}

// firstOf is the first input of a field: phones.0.number for phones.
func firstOf(has map[string]bool, path string) string {
	field, _, _ := strings.Cut(path, ".")
	best := ""
	for name := range has {
		if strings.HasPrefix(name, field+".") && (best == "" || name < best) {
			best = name
		}
	}
	return best
}

// focus puts the cursor where something is to be put right.
func focus(sections []section, bad faults) []section {
	if len(bad) == 0 {
		return sections
	}
	found := false
	for _, s := range sections {
		for _, row := range s.Rows {
			for i := range row {
				row[i].Focus = !found && (row[i].Fault != "" || row[i].Doubt != "")
				found = found || row[i].Focus
			}
		}
	}
	return sections
}

// colleague is the choice of who in a role at this branch, by name. Whose code stands there already stays to be chosen.
func (a *ask) colleague(name, code string, role branchlinev1.Role) input {
	in := input{Name: name, Type: "select", Value: code, Options: []option{{"", a.T("form.not_said")}}}
	people := a.Names().Colleagues(a.branch(), role)
	if code != "" && !slices.Contains(people, code) {
		people = append(people, code)
	}
	for _, who := range people {
		in.Options = append(in.Options, option{who, a.Names().Person(who)})
	}
	return in
}

// inputNames are the inputs of a form.
func inputNames(sections []section) map[string]bool {
	has := map[string]bool{}
	for _, s := range sections {
		for _, row := range s.Rows {
			for _, in := range row {
				has[in.Name] = true
			}
		}
	}
	return has
}

// violated says what the API found, in the reader's language where the pages know it.
func (a *ask) violated(v *branchlinev1.FieldViolation) string {
	if v.GetConfirm() != "" {
		return a.Sayer().Violation(v)
	}
	return a.T("form.refused", a.Sayer().Violation(v))
}

// confirms lists the doubts of a form that may be set aside by its second button.
func (a *ask) confirms(f faults) []confirmation {
	var out []confirmation
	for _, x := range f {
		if x.confirm != "" && !hasConfirm(out, x.confirm) {
			text := a.T("form.keep")
			if x.confirm == "vin_check" {
				text = a.T("form.keep_vin")
			}
			out = append(out, confirmation{x.confirm, text})
		}
	}
	return out
}

func hasConfirm(list []confirmation, name string) bool {
	for _, c := range list {
		if c.Name == name {
			return true
		}
	}
	return false
}

// confirmed are the doubts the person has set aside; the names come from our own buttons.
func (a *ask) confirmed() []string {
	a.Form("") // read the form
	list := a.R.PostForm["confirmed"]
	if len(list) > 20 {
		list = list[:20]
	}
	return list
}

// maxRows bounds how many rows of a list a form may bring.
const maxRows = 200

// rows collects the entries of a list from inputs named field.N.part, in their order.
func (a *ask) rows(field string, entry func(part func(string) string)) {
	a.Form("")
	last := -1
	for name := range a.R.PostForm {
		rest, ok := strings.CutPrefix(name, field+".")
		if !ok {
			continue
		}
		n, _, _ := strings.Cut(rest, ".")
		if i, ok := index(n); ok && i < maxRows {
			last = max(last, i)
		}
	}
	for i := 0; i <= last; i++ {
		prefix := field + "." + strconv.Itoa(i)
		entry(func(part string) string {
			if part == "" {
				return a.Form(prefix)
			}
			return a.Form(prefix + "." + part)
		})
	}
}

// differing are the fields of a form whose value is another than the page showed.
func differing(k *schema.KindInfo, fields []string, was, typed proto.Message) []string {
	var mask []string
	for _, name := range fields {
		f := k.Field(name)
		x, y := k.New().ProtoReflect(), k.New().ProtoReflect()
		if was.ProtoReflect().Has(f.Desc) {
			x.Set(f.Desc, was.ProtoReflect().Get(f.Desc))
		}
		if typed.ProtoReflect().Has(f.Desc) {
			y.Set(f.Desc, typed.ProtoReflect().Get(f.Desc))
		}
		if !proto.Equal(x.Interface(), y.Interface()) {
			mask = append(mask, name)
		}
	}
	return mask
}

// only is a copy of a message with the named fields.
func only(k *schema.KindInfo, m proto.Message, fields []string) proto.Message {
	out := k.New()
	for _, name := range fields {
		if d := k.Field(name).Desc; m.ProtoReflect().Has(d) {
			out.ProtoReflect().Set(d, m.ProtoReflect().Get(d))
		}
	}
	return proto.Clone(out)
}

// setText sets a text, or clears it.
func setText(m proto.Message, field, value string) {
	r := m.ProtoReflect()
	d := r.Descriptor().Fields().ByName(fieldName(field))
	if value == "" {
		r.Clear(d)
		return
	}
	r.Set(d, stringValue(value))
}

func (a *ask) day(f faults, name, value string) string {
	if value != "" && schema.CheckDay(value) != nil {
		f[name] = fault{text: a.T("form.bad_day")}
	}
	return value
}
