package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	"branchline/schema/account"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/reason"
)

// table turns the sentinels into codes, here and back in the client.
var table = []struct {
	err  error
	code connect.Code
}{
	{schema.ErrNotFound, connect.CodeNotFound},
	{schema.ErrInvalid, connect.CodeInvalidArgument},
	{schema.ErrConflict, connect.CodeAborted},
	{schema.ErrForbidden, connect.CodePermissionDenied},
	{schema.ErrUnsigned, connect.CodeUnauthenticated},
	{schema.ErrExists, connect.CodeAlreadyExists},
	{schema.ErrUnavailable, connect.CodeUnavailable},
	{schema.ErrTooLarge, connect.CodeOutOfRange},
	{schema.ErrExhausted, connect.CodeResourceExhausted},
	{context.Canceled, connect.CodeCanceled},
	{context.DeadlineExceeded, connect.CodeDeadlineExceeded},
}

// Detailed is an error that carries messages for the caller beside its sentence, such as
// branchlinev1.FieldConflict and FieldViolation.
type Detailed interface {
	error
	Details() []proto.Message
}

// shown is an internal error that is logged already.
type shown struct{ ref int64 }

func (e *shown) Error() string { return fmt.Sprintf("internal error (ref %d)", e.ref) }

// edge is what a caller is told of an error.
func (s *Server) edge(ctx context.Context, what string, err error) *connect.Error {
	var ce *connect.Error
	if errors.As(err, &ce) {
		return ce
	}
	for _, row := range table {
		if errors.Is(err, row.err) {
			ce := connect.NewError(row.code, errors.New(err.Error()))
			s.attach(ce, err)
			return ce
		}
	}
	var logged *shown
	if !errors.As(err, &logged) {
		logged = &shown{ref: s.refs.Add(1)}
		s.c.Log.ErrorContext(ctx, "internal error", "room", "serve", "ref", logged.ref, "what", what, "error", err)
	}
	return connect.NewError(connect.CodeInternal, logged)
}

func (s *Server) attach(ce *connect.Error, err error) {
	add := func(m proto.Message) {
		if v, ok := m.(*branchlinev1.FieldViolation); ok && v.GetCode() == "" {
			if r, ok := reason.Of(v.GetReason()); ok {
				v = proto.CloneOf(v)
				v.Code, v.Args = string(r.Code), r.Args
				m = v
			}
		}
		d, err := connect.NewErrorDetail(m)
		if err != nil {
			s.c.Log.Warn("detail of an error left out", "room", "serve", "error", err)
			return
		}
		ce.AddDetail(d)
	}
	var fields *schema.FieldsError
	if errors.As(err, &fields) {
		for _, v := range fields.Violations {
			add(&branchlinev1.FieldViolation{Field: v.Field, Reason: v.Reason})
		}
	}
	var more Detailed
	if errors.As(err, &more) {
		for _, m := range more.Details() {
			add(m)
		}
	}
	if r, ok := reason.OfError(err.Error()); ok && len(ce.Details()) == 0 {
		add(&branchlinev1.ErrorReason{Code: string(r.Code), Args: r.Args})
	}
	var slow *account.ThrottledError
	if errors.As(err, &slow) {
		ce.Meta().Set("Retry-After", strconv.Itoa(retryAfter(slow.Wait)))
	}
	var paced *PacedError
	if errors.As(err, &paced) {
		ce.Meta().Set("Retry-After", strconv.Itoa(retryAfter(paced.Wait)))
	}
}

// statusOf is the HTTP status of a code, for pages.
func statusOf(c connect.Code) int {
	switch c {
	case connect.CodeNotFound:
		return http.StatusNotFound
	case connect.CodeInvalidArgument, connect.CodeOutOfRange, connect.CodeFailedPrecondition:
		return http.StatusBadRequest
	case connect.CodeAborted, connect.CodeAlreadyExists:
		return http.StatusConflict
	case connect.CodePermissionDenied:
		return http.StatusForbidden
	case connect.CodeUnauthenticated:
		return http.StatusUnauthorized
	case connect.CodeResourceExhausted:
		return http.StatusTooManyRequests
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeCanceled:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// CallError is an error that came back from a site. errors.Is finds schema's sentinel in it.
type CallError struct {
	Code       string // invalid_argument, not_found …
	Message    string
	Violations []*branchlinev1.FieldViolation
	Conflicts  []*branchlinev1.FieldConflict
	Reason     *branchlinev1.ErrorReason // of an error of no one field; nil when its sentence has no code
	sentinel   error                     // nil for a code without one
	cause      *connect.Error
}

func (e *CallError) Error() string { return e.Message }

// Unwrap gives the sentinel and Connect's own error.
func (e *CallError) Unwrap() []error {
	if e.sentinel == nil {
		return []error{e.cause}
	}
	return []error{e.sentinel, e.cause}
}

// RetryAfter is how long the site asks to wait before the call is made again; 0: it asks for nothing.
func (e *CallError) RetryAfter() time.Duration {
	n, err := strconv.Atoi(e.cause.Meta().Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// Status is the HTTP status for a page that shows the error.
func (e *CallError) Status() int { return statusOf(e.cause.Code()) }

// fromConnect is what the client gives its callers.
func fromConnect(err error) error {
	var ce *connect.Error
	if !errors.As(err, &ce) {
		return err
	}
	out := &CallError{Code: ce.Code().String(), Message: ce.Message(), cause: ce}
	for _, row := range table {
		if row.code == ce.Code() {
			out.sentinel = row.err
			break
		}
	}
	for _, d := range ce.Details() {
		m, err := d.Value()
		if err != nil {
			continue // a detail of a newer site; the sentence is there
		}
		switch m := m.(type) {
		case *branchlinev1.FieldViolation:
			out.Violations = append(out.Violations, m)
		case *branchlinev1.FieldConflict:
			out.Conflicts = append(out.Conflicts, m)
		case *branchlinev1.ErrorReason:
			out.Reason = m
		}
	}
	return out
}
