package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/edit"
)

func pinCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "pin", Usage: "choose the value that a golden customer shows, in place of what the field's rule shows",
		ArgsUsage: takes(operands{names: []string{"CUSTOMER", "FIELD", "VALUE"}, optional: 1}),
		Description: "CUSTOMER is a name such as customers/01J…, or the id alone. The value is kept with the registration that has it, and goes to the\n" +
			"branches that registration goes to; a value nobody has registered is kept with CUSTOMER. Of a list (phones, addresses,\nemails, other_names) it is the one to use first; the others stay. What customers allowed or refused is not chosen by anybody.",
		Flags: append(siteFlags(), jsonFlag(),
			&cli.StringFlag{Name: "from", Usage: "take the value of this registration, in place of VALUE"}),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			f, err := pinField(c.Args().Get(1))
			if err != nil {
				return err
			}
			of := customerName(c.Args().First())
			var v *branchlinev1.Customer
			switch text, from := c.Args().Get(2), c.String("from"); {
			case (text == "") == (from == ""):
				return usage("hq pin: say the value, or --from the registration whose value it is")
			case from != "":
				of = customerName(from)
				v, err = valueOf(c, s, of, f)
			default:
				if v, err = typedValue(f, text); err == nil {
					of, err = whoHas(c, s, of, v)
				}
			}
			if err != nil {
				return err
			}
			_, id, _ := strings.Cut(of, "/")
			r, err := s.records.CreateRecord(c.Context, &branchlinev1.CreateRecordRequest{
				Record: &branchlinev1.Record{Body: &branchlinev1.Record_Pin{Pin: &branchlinev1.Pin{Customer: &id, Field: proto.String(f.Name), Value: v}}},
			})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			fmt.Fprintf(c.App.Writer, "pinned: %s\n", r.GetName())
			fmt.Fprintf(e.stderr, "take it back by: branchline hq unpin %s %s\n", c.Args().First(), f.Name)
			return nil
		},
	}
}

func unpinCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "unpin", Usage: "take back the choice of a value; what stood before it is shown again",
		ArgsUsage: takes(operands{names: []string{"CUSTOMER", "FIELD"}}), Flags: append(siteFlags(), jsonFlag()),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			f, err := pinField(c.Args().Get(1))
			if err != nil {
				return err
			}
			name := customerName(c.Args().First())
			pin, err := pinOn(c, s, name, f)
			if err != nil {
				return err
			}
			if pin == "" {
				return fmt.Errorf("no value of %s is chosen for %s: %w", f.Name, name, schema.ErrNotFound)
			}
			r, err := s.records.GetRecord(c.Context, &branchlinev1.GetRecordRequest{Name: pin})
			if err != nil {
				return err
			}
			r, err = s.records.UpdateRecord(c.Context, &branchlinev1.UpdateRecordRequest{
				Record: &branchlinev1.Record{
					Name: pin, Etag: r.GetEtag(), Body: &branchlinev1.Record_Pin{Pin: &branchlinev1.Pin{RetiredAt: proto.Int64(e.now().UnixMilli())}},
				},
				UpdateMask: []string{"retired_at"},
			})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			fmt.Fprintf(c.App.Writer, "unpinned: %s\n", pin)
			if pin, err = pinOn(c, s, name, f); err == nil && pin != "" {
				fmt.Fprintf(e.stderr, "an earlier choice is shown again: %s\n", pin)
			}
			return err
		},
	}
}

// pinField is a field whose value may be chosen.
func pinField(name string) (*schema.FieldInfo, error) {
	k := schema.KindOf(schema.Customer)
	if f := k.Field(name); edit.MayPin(f) {
		return f, nil
	}
	var all []string
	for _, f := range k.Fields {
		if edit.MayPin(f) {
			all = append(all, f.Name)
		}
	}
	return nil, usage("%q is no field whose value is chosen: one of %s", name, strings.Join(all, ", "))
}

// pinOn is the pin that counts for a field of a golden customer; "" for none.
func pinOn(c *cli.Context, s *site, name string, f *schema.FieldInfo) (string, error) {
	r, err := s.records.GetRecord(c.Context, &branchlinev1.GetRecordRequest{Name: name, Golden: true})
	if err != nil {
		return "", err
	}
	for _, src := range r.GetSources() {
		if src.GetField() == f.Name && src.GetPin() != "" {
			return src.GetPin(), nil
		}
	}
	return "", nil
}

// valueOf is what a registration itself has in a field; of a list the value written down last.
func valueOf(c *cli.Context, s *site, name string, f *schema.FieldInfo) (*branchlinev1.Customer, error) {
	r, err := s.records.GetRecord(c.Context, &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return nil, err
	}
	m := r.GetCustomer().ProtoReflect()
	if r.GetCustomer() == nil || !m.Has(f.Desc) {
		return nil, fmt.Errorf("%s has no %s: %w", name, f.Name, schema.ErrNotFound)
	}
	v := new(branchlinev1.Customer)
	if f.Desc.IsList() {
		list := m.Get(f.Desc).List()
		v.ProtoReflect().Mutable(f.Desc).List().Append(list.Get(list.Len() - 1))
	} else {
		v.ProtoReflect().Set(f.Desc, m.Get(f.Desc))
	}
	return v, nil
}

// typedValue reads a value as a person types it: a telephone by its number, an address by its street, what else is no
// plain text as JSON.
func typedValue(f *schema.FieldInfo, text string) (*branchlinev1.Customer, error) {
	v := new(branchlinev1.Customer)
	switch {
	case strings.HasPrefix(text, "{"):
	case f.Name == "phones":
		v.Phones = []*branchlinev1.Phone{{Number: &text}}
		return v, nil
	case f.Name == "addresses":
		v.Addresses = []*branchlinev1.Address{{Street: &text}}
		return v, nil
	}
	tries := []string{text}
	if quoted, err := json.Marshal(text); err == nil && !strings.HasPrefix(text, "{") {
		tries = []string{string(quoted), text} // text and names of enums first, then numbers
	}
	var err error
	for _, t := range tries {
		if f.Desc.IsList() {
			t = "[" + t + "]"
		}
		if err = protojson.Unmarshal([]byte(`{"`+f.Name+`":`+t+`}`), v); err == nil {
			return v, nil
		}
	}
	return nil, usage("%q is no value of %s", text, f.Name)
}

// whoHas is the registration of a golden customer that has a value, else the one named.
func whoHas(c *cli.Context, s *site, name string, v *branchlinev1.Customer) (string, error) {
	r, err := s.records.GetRecord(c.Context, &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return "", err
	}
	_, raw := edit.PinnedValue(&branchlinev1.Pin{Field: proto.String(fieldOf(v)), Value: v})
	for _, m := range append([]string{name}, r.GetGroup()...) {
		if m != name {
			if r, err = s.records.GetRecord(c.Context, &branchlinev1.GetRecordRequest{Name: m}); err != nil {
				return "", err
			}
		}
		if edit.Holds(r.GetCustomer(), fieldOf(v), raw) {
			return m, nil
		}
	}
	return name, nil
}

// fieldOf is the one field that is set.
func fieldOf(v *branchlinev1.Customer) string {
	for _, f := range schema.KindOf(schema.Customer).Fields {
		if v.ProtoReflect().Has(f.Desc) {
			return f.Name
		}
	}
	return ""
}
