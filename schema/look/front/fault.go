package front

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"branchline/schema"
	"branchline/schema/serve"
)

// faults are the sentinels that a page finds out itself, with the status of their page.
func faults() []struct {
	err    error
	status int
} {
	return []struct {
		err    error
		status int
	}{
		{schema.ErrNotFound, http.StatusNotFound},
		{schema.ErrInvalid, http.StatusBadRequest},
		{schema.ErrConflict, http.StatusConflict},
		{schema.ErrExists, http.StatusConflict},
		{schema.ErrForbidden, http.StatusForbidden},
		{schema.ErrUnsigned, http.StatusUnauthorized},
		{schema.ErrUnavailable, http.StatusServiceUnavailable},
		{schema.ErrTooLarge, http.StatusRequestEntityTooLarge},
		{schema.ErrExhausted, http.StatusTooManyRequests},
		{context.DeadlineExceeded, http.StatusServiceUnavailable},
	}
}

// Status is the status of the page of an error.
func Status(err error) int {
	for _, row := range faults() {
		if errors.Is(err, row.err) {
			return row.status
		}
	}
	var call *serve.CallError
	if errors.As(err, &call) {
		return call.Status()
	}
	return http.StatusInternalServerError
}

// Ref is the number under which the API has logged an internal error; "" when it was not the API's.
func Ref(err error) string {
	var call *serve.CallError
	if !errors.As(err, &call) {
		return ""
	}
	return strings.Trim(call.Message, "abcdefghijklmnopqrstuvwxyz ()") // of "internal error (ref 7)"
}
