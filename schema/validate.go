package schema

import (
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"
	"unicode/utf8"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "branchline/schema/gen/branchline/options/v1"
)

var dayForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)

// CheckDay checks a day, YYYY-MM-DD of the Gregorian calendar.
func CheckDay(s string) error {
	if dayForm.MatchString(s) {
		if _, err := time.Parse(time.DateOnly, s); err == nil {
			return nil
		}
	}
	return Invalid("", "%q is not a day: write it as 2026-11-21", clip(s))
}

var validator = sync.OnceValues(func() (protovalidate.Validator, error) { return protovalidate.New() })

// Validate checks a message against the rules its schema states: protovalidate's,
// and for a record the form of its references, days and text. All violations
// come back together as one FieldsError.
func Validate(m proto.Message) error {
	v, err := validator()
	if err != nil {
		return fmt.Errorf("schema: build validator: %w", err)
	}
	var out FieldsError
	if err := v.Validate(m); err != nil {
		var ve *protovalidate.ValidationError
		if !errors.As(err, &ve) {
			return fmt.Errorf("schema: validate %s: %w", m.ProtoReflect().Descriptor().Name(), err)
		}
		for _, x := range ve.Violations {
			out.Violations = append(out.Violations, Violation{
				Field:  protovalidate.FieldPathString(x.Proto.GetField()),
				Reason: x.Proto.GetMessage(),
			})
		}
	}
	if k := KindOfMessage(m); k != nil {
		out.Violations = append(out.Violations, k.check(m)...)
	}
	if len(out.Violations) > 0 {
		return &out
	}
	return nil
}

func (k *KindInfo) check(m proto.Message) []Violation {
	var out []Violation
	m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		f := k.byNumber[int32(fd.Number())]
		if fd.Kind() == protoreflect.StringKind && !fd.IsList() {
			if why := f.checkText(v.String()); why != "" {
				out = append(out, Violation{f.Name, why})
			}
		}
		if f.Format == optionsv1.Format_FORMAT_INSTANT && (v.Int() < 0 || v.Int() > 1<<47) {
			out = append(out, Violation{f.Name, "is no instant: give unix milliseconds"})
		}
		return true
	})
	return out
}

func (f *FieldInfo) checkText(s string) string {
	switch {
	case s == "":
		return ""
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case f.Ref != 0:
		if _, err := ParseRecordID(s); err != nil {
			return fmt.Sprintf("%q is not a record id", clip(s))
		}
	case f.Format == optionsv1.Format_FORMAT_DAY:
		if CheckDay(s) != nil {
			return fmt.Sprintf("%q is not a day: write it as 2026-11-21", clip(s))
		}
	}
	return ""
}
