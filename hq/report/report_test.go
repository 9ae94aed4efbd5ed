package report_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/report"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// questions are all reports in all breakdowns, with and without bounds.
func questions() []*branchlinev1.ReportRequest {
	var out []*branchlinev1.ReportRequest
	for _, name := range report.Names() {
		bys := [][]string{nil, {"month"}, {"branch"}, {"model"}, {"month", "branch"}, {"branch", "month"}, {"model", "branch"}, {"month", "branch", "model"}}
		if name == report.Orders {
			bys = append(bys, []string{"payer"}, []string{"branch", "payer"})
		}
		for i, by := range bys {
			bounds := [][2]string{{"", "2026-06-20"}, {"2025-03-10", "2026-02-28"}, {"", "2024-02-29"}}
			b := bounds[i%len(bounds)]
			out = append(out, &branchlinev1.ReportRequest{Report: name, By: by, From: b[0], To: b[1]})
			if name == report.Orders {
				out = append(out, &branchlinev1.ReportRequest{Report: name, By: by})
			}
		}
	}
	return out
}

func (w *world) check(when string) {
	w.t.Helper()
	o := newOracle(w.everything())
	for _, q := range questions() {
		got, want := text(w.report(q)), o.answer(q)
		if !slices.Equal(got, want) {
			w.t.Fatalf("%s: %v\ngot\n%s\nwant\n%s", when, q, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// history is a few years of a small group: changes in the order they were made.
func (w *world) history(n int) []*change {
	branches := []schema.BranchID{"pd", "mh", "xh"}
	day := func() string {
		return time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, w.rnd.IntN(1120)).Format(time.DateOnly)
	}
	pick := func(s ...string) string { return s[w.rnd.IntN(len(s))] }
	var out []*change
	add := func(c *change) *change { out = append(out, c); return c }
	var customers, cars, orders []schema.RecordID
	made := map[schema.RecordID]*change{}
	for range n / 6 {
		id := w.newID()
		customers = append(customers, id)
		add(w.edit(branches[w.rnd.IntN(3)], id, &branchlinev1.Customer{Name: proto.String("王五")}))
		id = w.newID()
		cars = append(cars, id)
		made[id] = add(w.edit(branches[w.rnd.IntN(3)], id, &branchlinev1.Vehicle{Model: proto.String(pick("Model A", "Model B", " Model B", ""))}))
	}
	for range n {
		id, b := w.newID(), branches[w.rnd.IntN(3)]
		o := &branchlinev1.ServiceOrder{Day: proto.String(day()), State: branchlinev1.OrderState_RECEIVED.Enum()}
		if w.rnd.IntN(10) > 0 {
			o.Branch = proto.String(string(b))
		}
		if w.rnd.IntN(10) > 0 {
			o.Customer = proto.String(customers[w.rnd.IntN(len(customers))].String())
		}
		if w.rnd.IntN(10) > 0 {
			o.Vehicle = proto.String(cars[w.rnd.IntN(len(cars))].String())
		}
		if w.rnd.IntN(3) == 0 {
			o.Model = proto.String(pick("Model A", "Model C"))
		}
		if w.rnd.IntN(20) == 0 {
			o.Day = nil
		}
		if w.rnd.IntN(20) == 0 {
			o.Currency = proto.String("usd")
		}
		made[id] = add(w.edit(b, id, o))
		orders = append(orders, id)
		for range w.rnd.IntN(4) {
			l := &branchlinev1.ServiceLine{
				Order: proto.String(id.String()), Amount: proto.Int64(int64(w.rnd.IntN(200000)) - 10000),
				State: branchlinev1.LineState(w.rnd.IntN(5)).Enum(), Payer: branchlinev1.Payer(w.rnd.IntN(6)).Enum(),
			}
			switch w.rnd.IntN(30) {
			case 0:
				l.Currency = proto.String("EUR")
			case 1:
				l.Amount = proto.Int64(1 << 62)
			}
			lid := w.newID()
			first := add(w.edit(b, lid, l))
			switch w.rnd.IntN(8) {
			case 0: // written under the wrong order
				add(w.edit(b, lid, &branchlinev1.ServiceLine{Order: proto.String(orders[w.rnd.IntN(len(orders))].String())}, first))
			case 1:
				add(w.edit(b, lid, &branchlinev1.ServiceLine{RetiredAt: proto.Int64(1)}))
			case 2:
				add(w.edit(b, lid, &branchlinev1.ServiceLine{State: branchlinev1.LineState_LINE_DONE.Enum(), Amount: proto.Int64(4711)}, first))
			}
		}
		if w.rnd.IntN(6) > 0 {
			settled := &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_SETTLED.Enum()}
			if w.rnd.IntN(2) == 0 {
				settled.SettledOn = proto.String(day())
			}
			add(w.edit(b, id, settled, made[id]))
		}
		switch w.rnd.IntN(15) {
		case 0:
			add(w.edit(b, id, &branchlinev1.ServiceOrder{RetiredAt: proto.Int64(1)}))
		case 1:
			add(w.edit(b, id, &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_CANCELLED.Enum()}))
		case 2:
			add(w.edit(b, id, &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_HANDED_OVER.Enum(), Branch: proto.String("mh")}))
		}
	}
	for _, id := range cars {
		switch w.rnd.IntN(6) {
		case 0:
			add(w.edit("pd", id, &branchlinev1.Vehicle{RetiredAt: proto.Int64(1)}))
		case 1:
			add(w.edit("pd", id, &branchlinev1.Vehicle{Model: proto.String("Model D")}, made[id]))
		}
	}
	return out
}

func (w *world) regroup(ids []schema.RecordID) {
	w.rnd.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for len(ids) > 0 {
		n := min(1+w.rnd.IntN(3), len(ids))
		w.group(ids[:n]...)
		ids = ids[n:]
	}
}

func (w *world) ids(k schema.Kind) []schema.RecordID {
	var out []schema.RecordID
	for _, f := range w.everything() {
		if schema.KindOfMessage(f.m).Kind == k {
			out = append(out, f.id)
		}
	}
	slices.SortFunc(out, func(a, b schema.RecordID) int { return slices.Compare(a[:], b[:]) })
	return out
}

func TestReport_equalsTheQuestionPutToAllRecords(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, t.TempDir(), seed)
			w.check("nothing there")
			changes := w.history(120)
			w.rnd.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
			for i := 0; i < len(changes); {
				n := min(1+w.rnd.IntN(len(changes)/2), len(changes)-i)
				w.arrive(changes[i : i+n]...)
				i += n
				if w.rnd.IntN(2) == 0 {
					w.regroup(w.ids(schema.Customer))
					w.regroup(w.ids(schema.Vehicle))
				}
				w.check(fmt.Sprintf("%d of %d changes", i, len(changes)))
			}
			// Everything once more, and made anew, is the same.
			before := text(w.report(&branchlinev1.ReportRequest{Report: report.Orders, By: []string{"month", "branch", "model"}}))
			w.arrive(changes...)
			must(t, w.reports.Rebuild(t.Context()))
			w.check("rebuilt")
			if after := text(w.report(&branchlinev1.ReportRequest{Report: report.Orders, By: []string{"month", "branch", "model"}})); !slices.Equal(before, after) {
				t.Errorf("duplicates changed figures: %v, before %v", after, before)
			}
		})
	}
}

func TestReport_goesOnAfterARestartAndStartsAnewOnAnotherLine(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, dir, 5)
	changes := w.history(40)
	w.arrive(changes[:len(changes)/2]...)
	w.check("first run")
	must(t, w.st.Write(t.Context(), func(x *store.W) error {
		// A mark that only making the facts anew takes away.
		_, err := x.Exec("INSERT INTO order_fact (n, id, day, branch, model, currency) VALUES (999999, x'00', '2025-01-01', 'zz', '', '')")
		return err
	}))
	marked := func() bool {
		for _, row := range w.report(&branchlinev1.ReportRequest{Report: report.Orders, By: []string{"branch"}}).GetRows() {
			if row.GetKeys()[0] == "zz" {
				return true
			}
		}
		return false
	}
	w.close()
	w = newWorld(t, dir, 6)
	w.arrive(changes[len(changes)/2:]...)
	if !marked() {
		t.Error("the facts were made anew though the line of epochs is the same")
	}
	must(t, w.st.Write(t.Context(), func(x *store.W) error {
		_, err := x.Exec("UPDATE behind SET epoch = 12345")
		return err
	}))
	if marked() {
		t.Error("facts of another line of epochs were kept")
	}
	w.check("second run")
}

func TestReport_refusesWhatItCannotAnswer(t *testing.T) {
	w := newWorld(t, t.TempDir(), 1)
	for _, c := range []struct {
		req   *branchlinev1.ReportRequest
		field string
	}{
		{&branchlinev1.ReportRequest{Report: "sales"}, "report"},
		{&branchlinev1.ReportRequest{Report: "orders", By: []string{"colour"}}, "by"},
		{&branchlinev1.ReportRequest{Report: "orders", By: []string{"month", "month"}}, "by"},
		{&branchlinev1.ReportRequest{Report: "customers", By: []string{"payer"}}, "by"},
		{&branchlinev1.ReportRequest{Report: "orders", From: "yesterday"}, "from"},
		{&branchlinev1.ReportRequest{Report: "orders", To: "2026-02-30"}, "to"},
		{&branchlinev1.ReportRequest{Report: "orders", From: "2026-02-03", To: "2026-02-02"}, "from"},
		{&branchlinev1.ReportRequest{Report: "retention", From: "2030-01-01"}, "from"},
	} {
		_, err := w.reports.Report(t.Context(), c.req)
		var fe *schema.FieldsError
		if !errors.As(err, &fe) || fe.Violations[0].Field != c.field {
			t.Errorf("%v: %v, want a violation of %s", c.req, err, c.field)
		}
	}
}

func TestReport_saysWhenEachBranchWasHeardAndHowItCounts(t *testing.T) {
	w := newWorld(t, t.TempDir(), 1)
	w.st.Hear(w.num["pd"], func(b *store.Branch) { b.Heard = w.now.Add(-time.Hour).UnixMilli() })
	w.st.Hear(w.num["mh"], func(b *store.Branch) { b.Heard = w.now.Add(-25 * time.Hour).UnixMilli() })
	words, err := look.LoadWords(look.SharedWords(), report.Words())
	must(t, err)
	for _, name := range report.Names() {
		r := w.report(&branchlinev1.ReportRequest{Report: name})
		silent := map[string]bool{}
		for _, h := range r.GetHeard() {
			silent[h.GetBranch()] = h.GetSilent()
		}
		if len(silent) != 3 || silent["pd"] || !silent["mh"] || !silent["xh"] {
			t.Errorf("%s: silent are %v", name, silent)
		}
		if len(r.GetFormulas()) < len(r.GetValues()) {
			t.Errorf("%s: %d figures, %d formulas", name, len(r.GetValues()), len(r.GetFormulas()))
		}
		for i, s := range r.GetSentences() {
			for _, lang := range look.Langs() {
				said := report.Say(words, lang, s)
				if strings.ContainsAny(said, "⟦{…") {
					t.Errorf("%s in %s: %s", name, lang, said)
				}
				if lang == look.En && said != r.GetFormulas()[i] {
					t.Errorf("%s: sentence %q, formula %q", name, said, r.GetFormulas()[i])
				}
			}
		}
		if r.GetCurrency() != "CNY" || r.GetAsOf() != w.now.UnixMilli() {
			t.Errorf("%s: currency %s as of %d", name, r.GetCurrency(), r.GetAsOf())
		}
	}
}

func TestReport_runWorksChangesInWhenHeadquartersIsQuiet(t *testing.T) {
	w := newWorld(t, t.TempDir(), 9)
	w.arrive(w.history(20)...)
	ended := make(chan error, 1)
	ctx, stop := withStop(t)
	go func() { ended <- w.reports.Run(ctx) }()
	deadline := time.After(20 * time.Second)
	for {
		var rev int64
		must(t, w.st.Read(t.Context(), func(r *store.R) error {
			_, err := r.Scan("SELECT rev FROM behind WHERE name = 'report'", nil, &rev)
			return err
		}))
		if schema.Rev(rev) == w.st.Rev() {
			break
		}
		select {
		case <-deadline:
			t.Fatal("not worked in")
		case <-time.After(20 * time.Millisecond):
		}
	}
	stop()
	must(t, <-ended)
}

// What today is when a report names no last day is read at each question.
func TestReport_todayIsOfTheZoneAtTheTime(t *testing.T) {
	w := newWorld(t, t.TempDir(), 4)
	w.now = time.Date(2026, 6, 20, 22, 0, 0, 0, time.UTC)
	zone := time.UTC
	reports, err := report.New(report.Config{Store: w.st, ZoneNow: func() *time.Location { return zone }})
	must(t, err)
	for _, want := range []struct {
		zone *time.Location
		day  string
	}{{time.UTC, "2026-06-20"}, {time.FixedZone("", 3*3600), "2026-06-21"}} {
		zone = want.zone
		out, err := reports.Report(t.Context(), &branchlinev1.ReportRequest{Report: "customers"})
		must(t, err)
		if said := strings.Join(out.GetFormulas(), " "); !strings.Contains(said, want.day) {
			t.Errorf("in %s the report is of another day than %s: %s", want.zone, want.day, said)
		}
	}
}
