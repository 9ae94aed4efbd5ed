package counter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/till"
)

// looksBack is on how many days with entries a day nobody closed is looked for.
const looksBack = 62

// till is a day of the till.
func (k *clerk) till(day string) (*branchlinev1.Till, error) {
	if err := k.Caller.CheckRead(access.Node, schema.CashClose); err != nil {
		return nil, err
	}
	out := &branchlinev1.Till{Day: day}
	var err error
	if out.EntryDay, err = k.day(); err != nil {
		return nil, err
	}
	if out.Day == "" {
		out.Day = out.EntryDay
	}
	if _, err := time.Parse(time.DateOnly, out.Day); err != nil {
		return nil, schema.Invalid("day", "%q is not a day: write it as 2026-11-21", out.Day)
	}
	records, err := k.V.OnDay(schema.Payment, out.Day)
	if err != nil {
		return nil, err
	}
	paid, rows := payments(records)
	out.Entries, out.Counts = rows, till.Recorded(out.Day, paid)
	h := sha256.New()
	for _, p := range paid {
		fmt.Fprintln(h, p.ID)
		switch p.GetMethod() {
		case onAccount:
			out.OnAccount += p.GetAmount()
		case byCard:
			out.ByCard += p.GetAmount()
		}
	}
	closes, err := k.V.OnDay(schema.CashClose, out.Day)
	if err != nil {
		return nil, err
	}
	for _, r := range closes {
		if c := r.GetCashClose(); c.GetRetiredAt() == 0 {
			out.Closed, out.Counts = c, c.GetCounts()
			fmt.Fprintln(h, r.GetName())
		}
	}
	out.Etag = hex.EncodeToString(h.Sum(nil)[:12])
	return out, k.days(out)
}

// days fills in which days are not closed, and the float of the last that is.
func (k *clerk) days(t *branchlinev1.Till) error {
	with, err := k.V.Days(schema.Payment, looksBack)
	if err != nil {
		return err
	}
	closed, err := k.V.Days(schema.CashClose, 2*looksBack)
	if err != nil {
		return err
	}
	for _, day := range with {
		if day < k.Today && !slices.Contains(closed, day) {
			t.Unclosed = append(t.Unclosed, day)
		}
	}
	slices.Sort(t.Unclosed)
	for _, day := range closed { // the last first
		if day >= t.GetDay() {
			continue
		}
		last, err := k.V.OnDay(schema.CashClose, day)
		if err != nil {
			return err
		}
		for _, r := range last {
			t.FloatAmount = r.GetCashClose().GetFloatAmount()
		}
		break
	}
	return nil
}

// GetTill tells a day of the till.
func (c *Counter) GetTill(ctx context.Context, r *branchlinev1.GetTillRequest) (*branchlinev1.Till, error) {
	return c.tillOf(ctx, r.GetDay())
}

func (c *Counter) tillOf(ctx context.Context, day string) (out *branchlinev1.Till, err error) {
	err = c.look(ctx, func(k *clerk) error {
		out, err = k.till(day)
		return err
	})
	return out, err
}

// CloseTill closes a day: it stays closed, and what is written later counts on the next.
func (c *Counter) CloseTill(ctx context.Context, r *branchlinev1.CloseTillRequest) (*branchlinev1.Till, error) {
	_, err := c.act(ctx, "close", r.GetRequestId(), nil, func(k *clerk) (zero schema.RecordID, err error) {
		t, err := k.till(r.GetDay())
		if err != nil {
			return zero, err
		}
		switch {
		case t.GetClosed() != nil:
			return zero, schema.Invalid("day", "is closed already")
		case t.GetDay() > k.Today:
			return zero, schema.Invalid("day", "has not come yet")
		case t.GetEtag() != r.GetEtag():
			return zero, act.Changed()
		}
		counts := t.GetCounts()
		for _, x := range counts {
			x.Counted = proto.Int64(0)
			for _, y := range r.GetCounts() {
				if y.GetMethod() == x.GetMethod() {
					x.Counted = proto.Int64(y.GetCounted())
				}
			}
		}
		off := till.Difference(counts)
		if bad := slices.ContainsFunc(counts, func(x *branchlinev1.CashCount) bool { return x.GetCounted() != x.GetRecorded() }); bad && r.GetReason() == "" {
			return zero, schema.Invalid("reason", "counted and recorded differ: say why")
		}
		m := &branchlinev1.CashClose{
			Branch: proto.String(string(k.ID.Branch)), Day: proto.String(t.GetDay()), At: proto.Int64(k.Now.UnixMilli()), Cashier: proto.String(k.Caller.Staff),
			Counts: counts, Currency: proto.String("CNY"), FloatAmount: proto.Int64(r.GetFloatAmount()), Difference: &off,
		}
		if r.GetReason() != "" {
			m.Reason = proto.String(r.GetReason())
		}
		res, err := k.Put(store.Edit{Kind: schema.CashClose, Message: m})
		return res.ID, err
	})
	if err != nil {
		return nil, err
	}
	return c.tillOf(ctx, r.GetDay())
}
