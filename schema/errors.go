package schema

import (
	"errors"
	"fmt"
)

// The sentinels an edge turns into a Connect code, a page or an exit code.
// Anything else is internal.
var (
	ErrNotFound    = errors.New("not found")
	ErrInvalid     = errors.New("invalid")
	ErrConflict    = errors.New("changed meanwhile")
	ErrForbidden   = errors.New("not allowed")
	ErrUnsigned    = errors.New("not signed in")
	ErrExists      = errors.New("exists already")
	ErrUnavailable = errors.New("not available now")
	ErrTooLarge    = errors.New("too large")
	ErrExhausted   = errors.New("no room left")
)

// Violation is what is wrong with one field.
type Violation struct {
	Field  string // path in the message, lines.0.amount; "" for the whole
	Reason string // one sentence for a person
}

// FieldsError is bad input, field by field. errors.Is(err, ErrInvalid) holds.
type FieldsError struct{ Violations []Violation }

func (e *FieldsError) Error() string {
	s := "invalid"
	for i, v := range e.Violations {
		sep := ": "
		if i > 0 {
			sep = "; "
		}
		if v.Field != "" {
			s += sep + v.Field + ": " + v.Reason
		} else {
			s += sep + v.Reason
		}
	}
	return s
}

// Is makes errors.Is(err, ErrInvalid) hold.
func (e *FieldsError) Is(target error) bool { return target == ErrInvalid }

// Invalid is a FieldsError of one field.
func Invalid(field, format string, args ...any) error {
	return &FieldsError{[]Violation{{field, fmt.Sprintf(format, args...)}}}
}
