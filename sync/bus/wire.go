package bus

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"branchline/schema"
)

// ErrNoLink says that there is no link to HQ now. errors.Is(err,
// schema.ErrUnavailable) holds.
var ErrNoLink = fmt.Errorf("no link to headquarters: %w", schema.ErrUnavailable)

// RefusedError is HQ's refusal of a question or a pack. errors.Is finds the
// sentinel of schema that HQ named, if it named one.
type RefusedError struct {
	Kind error // a sentinel of schema, or nil: an internal error at HQ
	Text string
}

func (e *RefusedError) Error() string { return "headquarters: " + e.Text }

// Unwrap gives the sentinel to errors.Is.
func (e *RefusedError) Unwrap() error { return e.Kind }

// errorHeader marks an answer as a refusal; its value is the word of the kind.
const errorHeader = "Branchline-Error"

var kinds = []struct {
	word string
	err  error
}{
	{"not-found", schema.ErrNotFound},
	{"invalid", schema.ErrInvalid},
	{"conflict", schema.ErrConflict},
	{"forbidden", schema.ErrForbidden},
	{"unsigned", schema.ErrUnsigned},
	{"exists", schema.ErrExists},
	{"unavailable", schema.ErrUnavailable},
	{"too-large", schema.ErrTooLarge},
	{"exhausted", schema.ErrExhausted},
}

// refusal is err as an answer. What is none of schema's sentinels is told as
// "internal error" only; told reports whether the full text went out.
func refusal(to string, err error) (m *nats.Msg, told bool) {
	m = nats.NewMsg(to)
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			m.Header.Set(errorHeader, k.word)
			m.Data = []byte(err.Error())
			return m, true
		}
	}
	m.Header.Set(errorHeader, "internal")
	m.Data = []byte("internal error")
	return m, false
}

// refused is the error an answer carries, or nil.
func refused(m *nats.Msg) error {
	w := m.Header.Get(errorHeader)
	if w == "" {
		return nil
	}
	e := &RefusedError{Text: string(m.Data)}
	for _, k := range kinds {
		if k.word == w {
			e.Kind = k.err
		}
	}
	return e
}
