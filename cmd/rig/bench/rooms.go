package bench

import (
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/cmd/rig"
	"branchline/cmd/rig/benchrows"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/serve"
	"branchline/sync/merge"
)

// rooms measures what one site does for a question: a report, and the merge of two states.
func (r *runner) rooms(want func(string) bool) (err error) {
	if want("merge") {
		if err := r.merging(); err != nil {
			return err
		}
	}
	if !want("reports") {
		return nil
	}
	g, err := r.line(true, branches(1)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	if err := r.quiet(g, awaitLine); err != nil {
		return err
	}
	r.step("writing %d records", r.scale(80_000))
	b := g.Site("b1")
	if _, err := r.fill(b.Node().Store(), r.rows()); err != nil {
		return err
	}
	if err := r.drained(b.Node(), time.Minute); err != nil {
		return err
	}
	return r.reporting(g)
}

// merging joins an edit of two fields into a customer's state, encoded to encoded.
func (r *runner) merging() error {
	var row benchrows.Row
	for x := range benchrows.All(benchrows.Config{}) {
		row = x
		break
	}
	whole := row.Message("").(*branchlinev1.Customer)
	part := &branchlinev1.Customer{Name: proto.String("Anna Maria " + row.Customer.LastName), Remark: proto.String("prefers mornings")}
	opts := proto.MarshalOptions{Deterministic: true}
	values, err1 := opts.Marshal(whole)
	edit, err2 := opts.Marshal(part)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	k := schema.KindOf(schema.Customer)
	made := schema.Stamp{At: 1 << 20, Branch: "b1", Inc: 7, Seq: 1}
	base, ok := merge.EncodeFresh(made, &wirev1.ChangeBody{Values: values})
	if !ok {
		return errors.New("merge: a fresh record has no short form")
	}
	later := schema.Stamp{At: 1 << 21, Branch: "b2", Inc: 9, Seq: 1}
	body := &wirev1.ChangeBody{Values: edit}
	const rounds = 20_000
	began := r.Now()
	for range rounds {
		s, err := merge.Decode(base)
		if err != nil {
			return err
		}
		c, err := merge.FromChange(later, body)
		if err != nil {
			return err
		}
		s = merge.Join(s, c)
		if len(s.Encode()) == 0 || len(s.Fold(k)) == 0 {
			return errors.New("merge: nothing came out")
		}
	}
	took := r.Now().Sub(began)
	began = r.Now()
	for range rounds {
		a, b := new(branchlinev1.Customer), new(branchlinev1.Customer)
		if err := errors.Join(proto.Unmarshal(values, a), proto.Unmarshal(edit, b)); err != nil {
			return err
		}
		proto.Merge(a, b)
		if _, err := proto.Marshal(a); err != nil {
			return err
		}
	}
	bare := r.Now().Sub(began)
	return r.emit("merge", float64(took.Microseconds())/rounds, "µs", ceiling(float64(bare.Microseconds())/rounds),
		note("an edit of two fields joined into a customer, from stored form to stored form and the message shown; ceiling: the messages merged without stamps"))
}

func (r *runner) reporting(g *rig.Rig) error {
	r.step("reports")
	run, err := serve.Find(g.HQDir())
	if err != nil {
		return err
	}
	client, err := run.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	var settled int64
	db := g.HQ().Store().DB().R
	const bareQuery = "SELECT substr(day, 1, 7), home, count(*) FROM record WHERE kind = $1 AND st = $2 AND retired = 0 GROUP BY 1, 2"
	args := []any{int64(schema.ServiceOrder), int64(branchlinev1.OrderState_SETTLED)}
	if err := db.QueryRowContext(r.ctx, "SELECT count(*) FROM record WHERE kind = $1 AND st = $2 AND retired = 0", args...).Scan(&settled); err != nil {
		return err
	}
	req := &branchlinev1.ReportRequest{Report: "orders", By: []string{"month", "branch"}}
	// The first answer waits until the facts behind the line are there.
	if err := r.await("the report's facts", time.Minute, func() (bool, error) {
		a, err := client.Headquarters.Report(r.ctx, req)
		if err != nil {
			return false, err
		}
		return len(a.GetTotal().GetValues()) > 0 && a.GetTotal().GetValues()[0] == settled, nil
	}); err != nil {
		return err
	}
	var took, bare series
	for range 20 {
		began := r.Now()
		if _, err := client.Headquarters.Report(r.ctx, req); err != nil {
			return err
		}
		took = append(took, r.Now().Sub(began))
		began = r.Now()
		rows, err := db.QueryContext(r.ctx, bareQuery, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		bare = append(bare, r.Now().Sub(began))
	}
	return r.emit("reports/orders/p50", took.at(0.5), "ms", ceiling(bare.at(0.5)), note("by month and branch, through the API, of %d settled orders; ceiling: one query over the records", settled))
}
