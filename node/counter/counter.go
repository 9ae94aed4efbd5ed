// Package counter is what the counter does that takes several records at once: settling an order payer by payer, taking
// and giving back money, closing the day of the till, selling and using cards. It answers branchline.v1.CounterService.
//
// Rules:
//   - An act is one transaction: all its records are saved, or none. It is done once, however often it is sent
//     (request_id), and refused with schema.ErrConflict when what the person saw has changed (etag): of two desks that
//     settle at once one is told.
//   - What is beyond the caller's role needs a second person's word, given by PIN at the caller's desk. Whether the word
//     is enough is asked in the act's transaction, and the record names who gave it.
//   - Everything works without headquarters but stored money: that is spent by headquarters, one at a time for all
//     branches, and the entry of the till follows its answer.
//   - The day of an entry is the branch's today, or the next that is not closed.
//
// The sums are schema/till's and schema/card's, the limits schema/setting's. It promises that what it refuses has left no
// trace, but for stored money that headquarters spent and whose act then failed here: it is asked back at once, and the
// same request sent again finds it.
package counter

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/schema/setting"
	"branchline/schema/till"
	"branchline/sync/link"
)

// Line is the branch's link to headquarters.
type Line interface {
	// Link is where the branch stands with HQ.
	Link() link.Status
	// Ask asks HQ over the link and blocks until it answers or ctx ends; an error at once when there is no link.
	Ask(ctx context.Context, verb string, req []byte) ([]byte, error)
}

// Config says what the counter stands on. All is required.
type Config struct {
	Store *store.Store
	Line  Line
	// Approve is who has the account and knows its PIN. schema.ErrUnsigned, schema.ErrExhausted.
	Approve func(ctx context.Context, account, pin string) (access.Caller, error)
	// Zone is of business days.
	Zone func() *time.Location
	Now  func() time.Time
}

// Counter serves branchline.v1.CounterService.
type Counter struct {
	c     Config
	acts  act.Acts
	drawn overdrawn
}

var _ branchlinev1connect.CounterServiceHandler = (*Counter)(nil)

// New checks the configuration. It starts nothing.
func New(c Config) (*Counter, error) {
	if c.Store == nil || c.Line == nil || c.Approve == nil || c.Zone == nil || c.Now == nil {
		return nil, errors.New("counter: config needs Store, Line, Approve, Zone and Now")
	}
	return &Counter{c: c, acts: act.Acts{Store: c.Store, Zone: c.Zone, Now: c.Now}}, nil
}

// clerk is one who asks or acts.
type clerk struct {
	*Counter
	*act.Hand
	// word is who stands behind the act by PIN; the zero Caller is nobody.
	word  access.Caller
	table *setting.Table
}

func (c *Counter) clerk(h *act.Hand, word access.Caller) (*clerk, error) {
	k := &clerk{Counter: c, Hand: h, word: word}
	records, err := h.V.All(schema.Setting)
	if err != nil {
		return nil, err
	}
	entries := make([]setting.Entry, 0, len(records))
	for _, r := range records {
		id, err := act.IDOf(r)
		if err != nil {
			return nil, err
		}
		entries = append(entries, setting.Entry{ID: id, Setting: r.GetSetting()})
	}
	k.table = setting.Read(entries)
	return k, nil
}

// look runs f on one snapshot.
func (c *Counter) look(ctx context.Context, f func(k *clerk) error) error {
	return c.acts.Look(ctx, func(h *act.Hand) error {
		k, err := c.clerk(h, access.Caller{})
		if err != nil {
			return err
		}
		return f(k)
	})
}

// act runs f as one act of the sort, once for a request id. f gives the record the act is about.
func (c *Counter) act(ctx context.Context, sort, request string, word *branchlinev1.PinWord, f func(k *clerk) (schema.RecordID, error)) (schema.RecordID, error) {
	second, err := c.second(ctx, word)
	if err != nil {
		return schema.RecordID{}, err
	}
	return c.do(ctx, sort, request, second, f)
}

func (c *Counter) do(ctx context.Context, sort, request string, second access.Caller, f func(k *clerk) (schema.RecordID, error)) (schema.RecordID, error) {
	return c.acts.Do(ctx, sort, request, func(h *act.Hand) (schema.RecordID, error) {
		k, err := c.clerk(h, second)
		if err != nil {
			return schema.RecordID{}, err
		}
		return f(k)
	})
}

// second is who gives their word by PIN; the zero Caller when nobody does.
func (c *Counter) second(ctx context.Context, word *branchlinev1.PinWord) (access.Caller, error) {
	if word.GetAccount() == "" && word.GetPin() == "" {
		return access.Caller{}, nil
	}
	who, err := c.c.Approve(ctx, word.GetAccount(), word.GetPin())
	if errors.Is(err, schema.ErrUnsigned) { // the caller's own session is in order
		return who, schema.Invalid("approval.pin", "is wrong, or counts for nothing here")
	}
	return who, err
}

func (k *clerk) place() setting.Place {
	return setting.Place{Entity: string(k.ID.Entity), Branch: string(k.ID.Branch), Day: k.Today}
}

// manager is the staff code of the manager whose word the act has: the caller, or who stands behind. ErrInvalid when
// there is none.
func (k *clerk) manager() (string, error) {
	const boss = branchlinev1.Role_ROLE_BRANCH_MANAGER
	switch {
	case k.Caller.Has(boss):
		return k.Caller.Staff, nil
	case k.word.Has(boss):
		return k.word.Staff, nil
	case k.word.Known():
		return "", schema.Invalid("approval.account", "%s is no manager of this branch", k.word.Account)
	}
	return "", schema.Invalid("approval.pin", "a manager's PIN is needed")
}

// day is the day new entries count on.
func (k *clerk) day() (string, error) {
	closed, err := k.V.Days(schema.CashClose, 1)
	if err != nil {
		return "", err
	}
	return till.EntryDay(k.Today, closed)
}

// group are the ids of the records that are one with the one a field names; none for "".
func (k *clerk) group(text string) ([]schema.RecordID, error) {
	if text == "" {
		return nil, nil
	}
	id, err := schema.ParseRecordID(text)
	if err != nil {
		return nil, err
	}
	return k.V.Group(id)
}

// customer is what the counter must know of a customer: the class and the credit limit any of their records has.
func (k *clerk) customer(text string) (ids []schema.RecordID, class string, credit int64, err error) {
	if ids, err = k.group(text); err != nil {
		return nil, "", 0, err
	}
	for _, id := range ids {
		r, err := k.V.Get(id)
		if errors.Is(err, schema.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, "", 0, err
		}
		class = cmp.Or(class, r.GetCustomer().GetMemberClass())
		credit = max(credit, r.GetCustomer().GetCreditLimit())
	}
	return ids, class, credit, nil
}

// payments are the entries of the till in records, with those that were taken back.
func payments(records []*branchlinev1.Record) (paid []till.Payment, rows []*branchlinev1.TillEntry) {
	back := map[string]bool{}
	for _, r := range records {
		back[r.GetPayment().GetReverses()] = true
	}
	slices.SortStableFunc(records, func(x, y *branchlinev1.Record) int {
		return cmp.Compare(x.GetPayment().GetAt(), y.GetPayment().GetAt())
	})
	for _, r := range records {
		id := act.Bare(r.GetName())
		paid = append(paid, till.Payment{ID: id, Payment: r.GetPayment()})
		rows = append(rows, &branchlinev1.TillEntry{Name: r.GetName(), Payment: r.GetPayment(), Reversed: back[id]})
	}
	return paid, rows
}
