package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/han"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// ConfirmVIN is the name of the warning a person confirms once: a VIN that fails
// the check its country requires.
const ConfirmVIN = "vin_check"

// uniform makes values of a message uniform, in place: VINs and plates folded,
// outer spaces gone. What it cannot read stays as it was written.
func uniform(m proto.Message) {
	switch v := m.(type) {
	case *branchlinev1.Vehicle:
		trim(v.Vin, vin.Fold)
		for _, p := range v.GetPlates() {
			trim(p.Plate, plate.Fold)
		}
	case *branchlinev1.ServiceOrder:
		trim(v.Vin, vin.Fold)
		trim(v.Plate, plate.Fold)
	case *branchlinev1.Customer:
		trim(v.Name, strings.TrimSpace)
		trim(v.ContactName, strings.TrimSpace)
		for _, p := range v.GetPhones() {
			trim(p.Number, strings.TrimSpace)
		}
	case *branchlinev1.Staff:
		trim(v.Code, strings.TrimSpace)
		trim(v.Name, strings.TrimSpace)
	}
}

func trim(s *string, f func(string) string) {
	if s != nil {
		*s = f(*s)
	}
}

// checkVIN sets vin_checked of a vehicle whose VIN is written, and gives the
// questions a person must answer first; none for one that is confirmed.
func checkVIN(v *branchlinev1.Vehicle, confirmed bool) []*branchlinev1.FieldViolation {
	if v.GetVin() == "" {
		v.VinChecked = nil
		return nil
	}
	rep := vin.Check(v.GetVin())
	ok := rep.Checked()
	v.VinChecked = &ok
	if ok || confirmed {
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
	return []*branchlinev1.FieldViolation{{Field: "vin", Reason: why + ". Is it really so?", Confirm: ConfirmVIN}}
}

// ask is the error that asks the person to confirm.
func ask(vs []*branchlinev1.FieldViolation) error {
	e := &detailed{error: fmt.Errorf("please confirm: %s: %w", vs[0].GetReason(), schema.ErrInvalid)}
	for _, v := range vs {
		e.details = append(e.details, v)
	}
	return e
}

// IDFields turns a whole national id or credit code into what a record may hold:
// its last four characters, and its hash under the group's key, by which equal
// ids are known. The key comes with enrolment. ErrInvalid for what is no id;
// ErrUnavailable without a key.
func IDFields(key []byte, id string) (last string, hash []byte, err error) {
	if len(key) == 0 {
		return "", nil, fmt.Errorf("api: the key of national ids comes with enrolment: %w", schema.ErrUnavailable)
	}
	folded := strings.Map(func(r rune) rune {
		r = han.Half(r)
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, id)
	if len(folded) < 6 {
		return "", nil, schema.Invalid("id", "is too short for a national id")
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(folded))
	return folded[len(folded)-4:], m.Sum(nil), nil
}

// complete fills in what the branch knows by itself about a new record.
func complete(m proto.Message, branch schema.BranchID, staff string, now time.Time, zone *time.Location) {
	day := now.In(zone).Format(time.DateOnly)
	set := func(s **string, v string) {
		if *s == nil || **s == "" {
			*s = &v
		}
	}
	switch v := m.(type) {
	case *branchlinev1.ServiceOrder:
		set(&v.Branch, string(branch))
		set(&v.Day, day)
		if v.OpenedAt == nil {
			v.OpenedAt = proto.Int64(now.UnixMilli())
		}
	case *branchlinev1.ServiceLine:
		set(&v.Branch, string(branch))
	case *branchlinev1.OdometerReading:
		set(&v.Branch, string(branch))
		set(&v.Day, day)
	case *branchlinev1.Note:
		set(&v.Branch, string(branch))
		set(&v.Day, day)
		set(&v.Author, staff)
	}
}

// stateChange dates a change of an order's state; nil when there is none.
func stateChange(m proto.Message, staff string, now time.Time) proto.Message {
	o, ok := m.(*branchlinev1.ServiceOrder)
	if !ok || o.GetState() == branchlinev1.OrderState_ORDER_STATE_UNSPECIFIED {
		return nil
	}
	return &branchlinev1.ServiceOrder{States: []*branchlinev1.StateChange{{State: o.State, At: proto.Int64(now.UnixMilli()), By: &staff}}}
}

// violations are an error's fields, for an answer that lists them instead of failing.
func violations(err error) []*branchlinev1.ImportViolation {
	var fe *schema.FieldsError
	if errors.As(err, &fe) {
		var out []*branchlinev1.ImportViolation
		for _, v := range fe.Violations {
			out = append(out, &branchlinev1.ImportViolation{Field: v.Field, Reason: v.Reason})
		}
		return out
	}
	return []*branchlinev1.ImportViolation{{Reason: err.Error()}}
}
