package api

import (
	"errors"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

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
