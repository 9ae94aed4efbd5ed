// Package workshop is what the workshop does that takes several records at once: taking a car in, asking the customer
// about lines, giving work out, clocking, checking, waiting for parts, handing over, passing an order to a sister branch.
// It answers branchline.v1.WorkshopService.
//
// Rules:
//   - Nothing but plate, odometer and one line of complaint stands between a car and its job card: every other step may be
//     skipped or done later, and no state of an order forbids one.
//   - A line found after the work has begun stands still until the customer has said yes; so does one that was declined.
//   - All of it works without headquarters.
//
// Acts are those of package act. It promises nothing about money: that is node/counter's.
package workshop

import (
	"errors"

	"branchline/node/act"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
)

// Workshop serves branchline.v1.WorkshopService.
type Workshop struct {
	acts act.Acts
}

var _ branchlinev1connect.WorkshopServiceHandler = (*Workshop)(nil)

// New checks what it stands on. It starts nothing.
func New(a act.Acts) (*Workshop, error) {
	if err := a.Check(); err != nil {
		return nil, errors.Join(errors.New("workshop"), err)
	}
	return &Workshop{acts: a}, nil
}
