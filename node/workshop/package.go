package workshop

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/till"
	"branchline/sync/desk"
)

// PutPackage writes a package's lines into an order, behind those it has. Lines that come when the work has begun are
// extra work: they stand still until the customer has said yes.
func (w *Workshop) PutPackage(ctx context.Context, r *branchlinev1.PutPackageRequest) (*branchlinev1.Record, error) {
	id, err := w.acts.Do(ctx, "package", r.GetRequestId(), func(h *act.Hand) (zero schema.RecordID, err error) {
		id, err := desk.NameOf("order", r.GetOrder(), schema.ServiceOrder)
		if err != nil {
			return zero, err
		}
		was, err := h.V.Get(id)
		if err != nil {
			return zero, err
		}
		if was.GetHome() != string(h.ID.Branch) {
			return zero, fmt.Errorf("the order is branch %s's, which works on it: %w", was.GetHome(), schema.ErrForbidden)
		}
		pack, err := packageOf(h, r.GetPackage())
		if err != nil {
			return zero, err
		}
		lines, err := h.V.About(schema.ServiceLine, schema.ServiceOrder, id)
		if err != nil {
			return zero, err
		}
		var last int32
		for _, l := range lines {
			last = max(last, l.GetServiceLine().GetPosition())
		}
		o := was.GetServiceOrder()
		if err := putLines(h, id, pack, last, begun(o)); err != nil || o.GetPackage() != "" {
			return id, err
		}
		_, err = h.Put(store.Edit{
			Kind: schema.ServiceOrder, ID: id, Message: &branchlinev1.ServiceOrder{Package: proto.String(act.Bare(pack.GetName()))}, Mask: []string{"package"}, Etag: was.GetEtag(),
		})
		return id, err
	})
	if err != nil {
		return nil, err
	}
	return w.shown(ctx, id)
}

// begun tells whether work on an order has begun.
func begun(o *branchlinev1.ServiceOrder) bool {
	return slices.ContainsFunc(o.GetStates(), func(c *branchlinev1.StateChange) bool { return c.GetState() == branchlinev1.OrderState_IN_WORK })
}

// packageOf is a package that is still sold.
func packageOf(h *act.Hand, name string) (*branchlinev1.Record, error) {
	id, err := desk.NameOf("package", name, schema.Package)
	if err != nil {
		return nil, err
	}
	r, err := h.V.Get(id)
	if err == nil && r.GetPackage().GetRetiredAt() != 0 {
		err = schema.Invalid("package", "is not sold any more")
	}
	return r, err
}

// putLines writes a package's lines into an order, behind the position last. Together they cost what the package does:
// what it is cheaper by is their discount, what it is dearer by stands in the first.
func putLines(h *act.Hand, order schema.RecordID, pack *branchlinev1.Record, last int32, extra bool) error {
	p := pack.GetPackage()
	lines := slices.Clone(p.GetLines())
	if len(lines) == 0 {
		lines = []*branchlinev1.PackageLine{{Kind: branchlinev1.LineKind_FEE.Enum(), Item: p.Name, Amount: p.Price}}
	}
	slices.SortStableFunc(lines, func(x, y *branchlinev1.PackageLine) int { return cmp.Compare(x.GetPosition(), y.GetPosition()) })
	var sum int64
	for _, l := range lines {
		sum += l.GetAmount()
	}
	off, more := max(sum-p.GetPrice(), 0), max(p.GetPrice()-sum, 0)
	if p.Price == nil {
		off, more = 0, 0
	}
	for i, l := range lines {
		last++
		m := &branchlinev1.ServiceLine{
			Order: act.Ref(order), Position: proto.Int32(last), Kind: l.Kind, State: branchlinev1.LineState_LINE_PROPOSED.Enum(), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(),
			Item: l.Item, LabourCode: l.LabourCode, PartName: l.PartName, PartCode: l.PartCode, PartQuantity: l.PartQuantity, BilledMinutes: l.BilledMinutes,
			Amount: l.Amount, TaxRate: l.TaxRate, System: l.System, Currency: p.Currency, Package: proto.String(act.Bare(pack.GetName())), Extra: yes(extra),
		}
		if i == 0 && more > 0 {
			m.Amount = proto.Int64(l.GetAmount() + more)
		}
		if sum > 0 {
			if d := till.Share(off, l.GetAmount(), sum); d > 0 {
				m.Discount = &d
			}
			off, sum = off-m.GetDiscount(), sum-l.GetAmount()
		}
		desk.MadeAt(m, h.ID.Branch)
		if _, err := h.Put(store.Edit{Kind: schema.ServiceLine, Message: m}); err != nil {
			return err
		}
	}
	return nil
}
