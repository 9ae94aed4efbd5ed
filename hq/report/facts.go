package report

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

const (
	// form rises whenever the same record gives other facts than before.
	form = 1
	// chunk is how many revs are worked in under the writer's lock at a time: other writers wait for it.
	chunk = 1024

	defaultCurrency = "CNY"
)

// Run works changes in when HQ is quiet, so that reports need not wait, until ctx ends.
func (r *Reports) Run(ctx context.Context) error {
	t := time.NewTicker(2 * time.Second)
	defer t.Stop()
	var seen schema.Rev
	var done schema.Rev
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		now := r.st.Rev()
		busy := now != seen
		seen = now
		if busy || now == done {
			continue
		}
		if err := r.CatchUp(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			r.log.Error("facts of reports not made", "err", err)
			continue
		}
		done = now
	}
}

// Rebuild throws the facts away and makes them again from the records.
func (r *Reports) Rebuild(ctx context.Context) error {
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.give()
	if err := r.reset(ctx); err != nil {
		return err
	}
	return r.catchUp(ctx)
}

// CatchUp works in every change HQ had when it was called.
func (r *Reports) CatchUp(ctx context.Context) error {
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.give()
	return r.catchUp(ctx)
}

func (r *Reports) take(ctx context.Context) error {
	select {
	case r.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Reports) give() { <-r.busy }

func (r *Reports) catchUp(ctx context.Context) error {
	target := r.st.Rev()
	at, good, err := r.cursor(ctx)
	if err != nil {
		return err
	}
	if !good {
		if err := r.reset(ctx); err != nil {
			return err
		}
		at = 0
	}
	width := schema.Rev(chunk)
	for at < target {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(at+width, target)
		var f *found
		if err := r.st.Read(ctx, func(rd *store.R) (err error) {
			n := 0
			if _, err := rd.Scan("SELECT COUNT(*) "+changed, []any{int64(at), int64(end)}, &n); err != nil {
				return err
			}
			if n <= chunk {
				f, err = r.find(rd, at, end)
			}
			return err
		}); err != nil {
			return fmt.Errorf("hq/report: read changes: %w", err)
		}
		// Revs of records that changed again since are gone: look further at once.
		switch {
		case f == nil:
			width = max(width/2, 1)
			continue
		case f.size() < chunk/4:
			width *= 2
		}
		if f.size() == 0 && end < target {
			at = end
			continue
		}
		if err := r.st.Write(ctx, func(w *store.W) error { return f.write(w, r.st.Epoch(), end) }); err != nil {
			return fmt.Errorf("hq/report: write facts: %w", err)
		}
		at = end
	}
	return nil
}

// cursor is how far the records are worked in; good is false when all must be made again.
func (r *Reports) cursor(ctx context.Context) (at schema.Rev, good bool, err error) {
	var f int
	var epoch, rev int64
	err = r.st.Read(ctx, func(rd *store.R) error {
		good, err = rd.Scan("SELECT form, epoch, rev FROM report_cursor WHERE one = 1", nil, &f, &epoch, &rev)
		return err
	})
	if err != nil || !good || f != form {
		return 0, false, err
	}
	line := r.st.Epochs()
	i := slices.IndexFunc(line, func(e *wirev1.Epoch) bool { return e.GetId() == epoch })
	switch {
	case i < 0:
		return 0, false, nil
	case i+1 < len(line) && rev > line[i+1].GetBirthRev():
		return 0, false, nil
	}
	return schema.Rev(rev), schema.Rev(rev) <= r.st.Rev(), nil
}

func (r *Reports) reset(ctx context.Context) error {
	err := r.st.Write(ctx, func(w *store.W) error {
		for _, q := range []string{"DELETE FROM order_fact", "DELETE FROM line_fact", "DELETE FROM revenue_fact", "DELETE FROM car_fact"} {
			if _, err := w.Exec(q); err != nil {
				return err
			}
		}
		return setCursor(w, r.st.Epoch(), 0)
	})
	if err != nil {
		return fmt.Errorf("hq/report: clear facts: %w", err)
	}
	return nil
}

func setCursor(w *store.W, epoch schema.EpochID, rev schema.Rev) error {
	_, err := w.Exec(`INSERT INTO report_cursor (one, form, epoch, rev) VALUES (1, $1, $2, $3)
		ON CONFLICT (one) DO UPDATE SET form = excluded.form, epoch = excluded.epoch, rev = excluded.rev`, form, int64(epoch), int64(rev))
	return err
}

// orderFact, lineFact and carFact are what one record says; counts is false
// when it says nothing that counts.
type orderFact struct {
	n                            int64
	id                           []byte
	day, branch, model, currency string
	customer, vehicle            []byte
	counts                       bool
}

type lineFact struct {
	n        int64
	ord      []byte
	payer    int64
	currency string
	amount   int64
	counts   bool
}

type carFact struct {
	id      []byte
	model   string
	retired bool
}

// found are the facts of the records that changed between two revs.
type found struct {
	orders []orderFact
	lines  []lineFact
	cars   []carFact
}

func (f *found) size() int { return len(f.orders) + len(f.lines) + len(f.cars) }

// Records are indexed by (home, rev), not by rev: naming every home there is
// makes one seek each, instead of a look at every record.
const (
	changed    = "FROM record WHERE home IN (SELECT num FROM branch) AND rev > $1 AND rev <= $2"
	changedSQL = "SELECT n, id, kind, home, state " + changed + " AND kind IN (5, 7, 8)"
)

// find reads the records whose last rev is above after and at most to. A record
// that changed again later is found again then. One that cannot be read counts
// for nothing and is logged: it must not take every report down.
func (r *Reports) find(rd *store.R, after, to schema.Rev) (*found, error) {
	f := new(found)
	err := rd.Each(changedSQL, []any{int64(after), int64(to)}, func(rows *stdsql.Rows) error {
		var n int64
		var id, state []byte
		var kind schema.Kind
		var home int32
		if err := rows.Scan(&n, &id, &kind, &home, &state); err != nil {
			return err
		}
		k := schema.KindOf(kind)
		m := k.New()
		raw, err := store.MessageOf(k, state)
		if err == nil {
			err = proto.Unmarshal(raw, m)
		}
		if err != nil {
			r.log.Error("record not readable: it is in no report", "record", schema.ResourceName(kind, schema.RecordID(id)), "err", err)
			m = k.New()
		}
		switch m := m.(type) {
		case *branchlinev1.ServiceOrder:
			f.orders = append(f.orders, factOfOrder(n, id, r.code(home), m))
		case *branchlinev1.ServiceLine:
			f.lines = append(f.lines, factOfLine(n, m))
		case *branchlinev1.Vehicle:
			f.cars = append(f.cars, carFact{id, strings.TrimSpace(m.GetModel()), m.GetRetiredAt() != 0})
		}
		return nil
	})
	return f, err
}

func (r *Reports) code(home int32) string {
	if b := r.st.BranchNum(home); b != nil {
		return string(b.Code)
	}
	return ""
}

// factOfOrder: an order counts when it is settled (and what follows) and in
// force, on its settlement day, at the site that did the work.
func factOfOrder(n int64, id []byte, home string, o *branchlinev1.ServiceOrder) orderFact {
	f := orderFact{
		n: n, id: id, branch: o.GetBranch(), model: strings.TrimSpace(o.GetModel()), currency: currencyOf(o.GetCurrency()),
		customer: refOf(o.GetCustomer()), vehicle: refOf(o.GetVehicle()), day: o.GetSettledOn(),
		counts: o.GetRetiredAt() == 0 &&
			(o.GetState() == branchlinev1.OrderState_SETTLED || o.GetState() == branchlinev1.OrderState_HANDED_OVER),
	}
	if f.day == "" {
		f.day = o.GetDay()
	}
	if schema.CheckDay(f.day) != nil {
		f.day = ""
	}
	if f.branch == "" {
		f.branch = home
	}
	return f
}

func factOfLine(n int64, l *branchlinev1.ServiceLine) lineFact {
	f := lineFact{n: n, ord: refOf(l.GetOrder()), payer: int64(l.GetPayer()), currency: currencyOf(l.GetCurrency()), amount: l.GetAmount()}
	f.counts = l.GetRetiredAt() == 0 && f.amount != 0 && f.ord != nil &&
		(l.GetState() == branchlinev1.LineState_LINE_APPROVED || l.GetState() == branchlinev1.LineState_LINE_DONE)
	return f
}

func currencyOf(s string) string { return strings.ToUpper(strings.TrimSpace(s)) }

// refOf is the id in bytes; nil for none.
func refOf(s string) []byte {
	if s == "" {
		return nil
	}
	id, err := schema.ParseRecordID(s)
	if err != nil {
		return nil
	}
	return id[:]
}
