// Package desk is what the APIs of both sites do the same way with an edit
// before it is saved and with a record before it is shown.
//
// Rules:
//   - Values are made uniform before they are saved (VINs, plates, outer spaces).
//     What is doubtful is asked about once and never refused: the answer to the
//     question is the name of the warning, said again.
//   - A change of an order's state is dated with it; a new record says where, when
//     and by whom it was made.
//   - Titles are made of what a record still holds after the caller's rights were
//     applied.
//   - What is counted of a car's history is made of it in one way (Visits), and the
//     parts of a car that work is filed under stand in one list (Systems).
//
// It is pure. It does not judge who may do what.
package desk

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/odometer"
	"branchline/schema/vin"
	"branchline/sync/edit"
)

// ConfirmVIN is the name of the warning a person confirms once: a VIN that fails
// the check its country requires.
const ConfirmVIN = "vin_check"

// ConfirmOdometer is the name of the warning about a reading that does not fit those before it.
const ConfirmOdometer = "odometer_check"

// Question is what a person must answer once, as an error (ErrInvalid) that names how: why is a sentence without its end.
func Question(field, why, confirm string) error {
	q := &branchlinev1.FieldViolation{Field: field, Reason: why + ". Is it really so?", Confirm: confirm}
	return &DetailedError{fmt.Errorf("please confirm: %s: %w", q.GetReason(), schema.ErrInvalid), []proto.Message{q}}
}

// DetailedError is an error with messages for the caller, one a field.
type DetailedError struct {
	error
	messages []proto.Message
}

func (e *DetailedError) Unwrap() error { return e.error }

// Details are the messages (schema/serve.Detailed).
func (e *DetailedError) Details() []proto.Message { return e.messages }

// Conflict gives an edit's conflicts as details for the caller: both values, who
// wrote theirs, where and when. who finds the staff code of a change, "" if it is
// not known. Other errors pass as they are.
func Conflict(err error, who func(schema.ChangeID) (string, error)) error {
	var ce *edit.ConflictError
	if !errors.As(err, &ce) {
		return err
	}
	out := &DetailedError{error: err}
	for _, f := range ce.Fields {
		d := &branchlinev1.FieldConflict{Field: f.Field, Yours: f.Yours, Theirs: f.Theirs, Branch: string(f.Stamp.Branch)}
		if !f.Stamp.IsZero() {
			d.At = f.Stamp.At.UnixMilli()
			var werr error
			if d.Who, werr = who(f.Stamp.Change()); werr != nil {
				return errors.Join(err, werr)
			}
		}
		out.messages = append(out.messages, d)
	}
	return out
}

// CheckVIN sets vin_checked of a vehicle whose VIN is written. It gives the
// question a person must answer first, as an error (ErrInvalid) that names how;
// nil when there is nothing to ask or it was answered.
func CheckVIN(v *branchlinev1.Vehicle, confirmed []string) error {
	if v.GetVin() == "" {
		v.VinChecked = nil
		return nil
	}
	rep := vin.Check(v.GetVin())
	ok := rep.Checked()
	v.VinChecked = &ok
	if ok || slices.Contains(confirmed, ConfirmVIN) {
		return nil
	}
	why := "the VIN looks wrong"
	switch {
	case rep.Has(vin.WrongLength):
		why = fmt.Sprintf("a VIN has 17 characters, this one %d", len([]rune(rep.VIN)))
	case rep.Has(vin.LetterIOQ):
		why = "a VIN has none of the letters I, O and Q"
	case rep.Has(vin.CheckDigitBad):
		why = "the VIN's check digit does not fit: a character is probably wrong"
	}
	if rep.Suggestion != "" {
		why += "; perhaps " + rep.Suggestion + " is meant"
	}
	return Question("vin", why, ConfirmVIN)
}

// CheckOdometer gives the question a person must answer about a reading just taken, for a field of the name odometer_km;
// nil when there is nothing to ask or it was answered. readings and orders are those of the car so far.
func CheckOdometer(readings, orders []*branchlinev1.Record, day string, km int64, confirmed []string) error {
	last, odd := odometer.Odd(readingsOf(readings, orders), odometer.Reading{Day: day, Km: km})
	switch {
	case !odd || slices.Contains(confirmed, ConfirmOdometer):
		return nil
	case km < last.Km:
		return Question("odometer_km", fmt.Sprintf("it is less than the %d km of %s", last.Km, last.Day), ConfirmOdometer)
	}
	return Question("odometer_km", fmt.Sprintf("it is %d km more than on %s", km-last.Km, last.Day), ConfirmOdometer)
}

// Fields are the fields a message holds.
func Fields(k *schema.KindInfo, m proto.Message) []*schema.FieldInfo {
	var out []*schema.FieldInfo
	m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if f := k.FieldNumber(int32(fd.Number())); f != nil {
			out = append(out, f)
		}
		return true
	})
	return out
}

// Masked are the fields an update mask names. ErrInvalid.
func Masked(k *schema.KindInfo, mask []string) ([]*schema.FieldInfo, error) {
	out := make([]*schema.FieldInfo, 0, len(mask))
	for _, name := range mask {
		f := k.Field(name)
		if f == nil {
			return nil, schema.Invalid("update_mask", "a %s has no field %q", k.Name, name)
		}
		out = append(out, f)
	}
	return out, nil
}

// NameOf reads a record's name that must be of one kind; a bare id is taken too:
// it is what references hold. ErrInvalid.
func NameOf(field, name string, k schema.Kind) (schema.RecordID, error) {
	got, id, err := schema.ParseName(name)
	if err != nil {
		if id, ierr := schema.ParseRecordID(name); ierr == nil {
			return id, nil
		}
		return id, schema.Invalid(field, "%q is neither a resource name nor a record id", name)
	}
	if got != k {
		return id, schema.Invalid(field, "%q is no %s", name, schema.KindOf(k).Name)
	}
	return id, nil
}

// NamesOf is NameOf for each of several.
func NamesOf(field string, names []string, k schema.Kind) ([]schema.RecordID, error) {
	out := make([]schema.RecordID, len(names))
	for i, name := range names {
		var err error
		if out[i], err = NameOf(field, name, k); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// StateNumber reads the name of a kind's state; 0 for "". ErrInvalid.
func StateNumber(k *schema.KindInfo, name string) (int64, error) {
	if name == "" {
		return 0, nil
	}
	if k.State == nil || k.State.Desc.Enum() == nil {
		return 0, schema.Invalid("state", "a %s has none", k.Name)
	}
	v := k.State.Desc.Enum().Values().ByName(protoreflect.Name(strings.ToUpper(name)))
	if v == nil || v.Number() == 0 {
		return 0, schema.Invalid("state", "a %s has no state %q", k.Name, name)
	}
	return int64(v.Number()), nil
}
