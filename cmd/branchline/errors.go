package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"branchline/schema"
	"branchline/schema/serve"
	"branchline/schema/sql"
)

// Exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitPartly      = 4
	exitDiffers     = 5
	exitUnreachable = 6
)

type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// partlyError ends a command that did some of its work: an import with rejects.
type partlyError struct{ text string }

func (e *partlyError) Error() string { return e.text }

// saidError ends a command that has printed all there is to say.
type saidError struct{ code int }

func (e *saidError) Error() string { return "see above" }

// codeOf is the exit code and the word for an error.
func codeOf(err error) (int, string) {
	var u *usageError
	var p *partlyError
	switch {
	case errors.As(err, &u):
		return exitUsage, "usage"
	case errors.As(err, &p):
		return exitPartly, "partly_done"
	case errors.Is(err, errDiffers):
		return exitDiffers, "differs"
	case errors.Is(err, schema.ErrUnavailable):
		return exitUnreachable, "unavailable"
	case errors.Is(err, schema.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return exitNotFound, "not_found"
	case errors.Is(err, schema.ErrInvalid):
		return exitFailed, "invalid_argument"
	case errors.Is(err, context.Canceled):
		return exitFailed, "stopped"
	}
	var ce *serve.CallError
	if errors.As(err, &ce) {
		return exitFailed, ce.Code
	}
	return exitFailed, "failed"
}

type fieldError struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
	Code   string `json:"code,omitempty"` // of the closed list of sentences; "" when it is not in it
}

// report says what went wrong and gives the exit code: one line to standard
// error, or with --json an object on standard output.
func (e *env) report(err error, asJSON bool) int {
	var said *saidError
	if errors.As(err, &said) {
		return said.code
	}
	code, word := codeOf(err)
	msg := err.Error()
	if errors.Is(err, sql.ErrCorrupt) {
		msg += "; the file was left as it is: put a backup in its place by branchline restore"
	}
	fields := fieldsOf(err)
	if asJSON {
		out := map[string]any{"code": word, "message": msg, "fields": fields}
		b, jerr := json.Marshal(map[string]any{"error": out})
		if jerr != nil {
			fmt.Fprintln(e.stderr, "branchline:", jerr)
			return code
		}
		fmt.Fprintf(e.stdout, "%s\n", b)
		return code
	}
	fmt.Fprintln(e.stderr, "branchline:", msg)
	for _, f := range fields {
		if !strings.Contains(msg, f.Reason) {
			fmt.Fprintf(e.stderr, "  %s: %s\n", f.Field, f.Reason)
		}
	}
	return code
}

func fieldsOf(err error) []fieldError {
	out := []fieldError{}
	var ce *serve.CallError
	var fe *schema.FieldsError
	switch {
	case errors.As(err, &ce):
		for _, v := range ce.Violations {
			out = append(out, fieldError{v.GetField(), v.GetReason(), v.GetCode()})
		}
	case errors.As(err, &fe):
		for _, v := range fe.Violations {
			out = append(out, fieldError{v.Field, v.Reason, ""})
		}
	}
	return out
}

func wantsJSON(args []string) bool {
	for _, a := range args {
		if a == "--" {
			return false
		}
		if a == "--json" || a == "-json" || a == "--json=true" {
			return true
		}
	}
	return false
}
