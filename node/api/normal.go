package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/han"
)

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
