package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	"branchline/schema/cell"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
)

func searchCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "search", Usage: "find customers, vehicles and orders by name, pinyin, phone tail, plate, VIN tail or number",
		ArgsUsage: takes(operands{names: []string{"WORDS"}, many: true}),
		Flags: append(siteFlags(), jsonFlag(),
			&cli.IntFlag{Name: "limit", Value: 20, Usage: "at most this many, 1 to 100"},
			&cli.StringSliceFlag{Name: "in", Usage: "only this collection (customers, vehicles, serviceOrders …); repeatable"}),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			r, err := s.records.Search(c.Context, &branchlinev1.SearchRequest{
				Query: strings.Join(c.Args().Slice(), " "), Limit: int32(c.Int("limit")), Collections: c.StringSlice("in"),
			})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			if len(r.GetHits()) == 0 {
				fmt.Fprintln(c.App.Writer, "nothing found")
				return nil
			}
			t := newTable(c.App.Writer, "what", "", "by", "name")
			for _, h := range r.GetHits() {
				t.AppendRow([]any{h.GetTitle(), h.GetSubtitle(), h.GetMatched(), h.GetRecord().GetName()})
			}
			t.Render()
			if r.GetMore() {
				fmt.Fprintln(c.App.Writer, "there is more: say --limit or ask more narrowly")
			}
			return nil
		},
	}
}

func historyCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "history", Usage: "what was done to a car at all sites",
		ArgsUsage: takes(operands{names: []string{"VIN|PLATE"}}),
		Flags: append(siteFlags(), jsonFlag(),
			&cli.BoolFlag{Name: "ask", Usage: "ask HQ for what lies beyond this branch's scope"},
			&cli.StringFlag{Name: "reason", Usage: "why, for the log of look-ups"}),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			req := &branchlinev1.VehicleHistoryRequest{AskHq: c.Bool("ask"), Reason: c.String("reason")}
			if a := c.Args().First(); len([]rune(a)) >= 11 {
				req.Vin = a
			} else {
				req.Plate = a
			}
			r, err := s.records.VehicleHistory(c.Context, req)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			for _, v := range r.GetVehicles() {
				b := v.GetVehicle()
				fmt.Fprintf(c.App.Writer, "%s %s  %s  %s\n", b.GetBrand(), b.GetModel(), b.GetVin(), v.GetName())
			}
			printOwners(c, r.GetOwners())
			t := newTable(c.App.Writer, "day", "site", "order", "km", "work")
			for _, v := range r.GetVisits() {
				o := v.GetOrder().GetServiceOrder()
				var work []string
				for _, l := range v.GetLines() {
					work = append(work, l.GetServiceLine().GetItem())
				}
				t.AppendRow([]any{o.GetDay(), v.GetBranchName(), o.GetNumber(), o.GetOdometerKm(), strings.Join(work, "; ")})
			}
			t.Render()
			if len(r.GetDoubtfulReadings()) > 0 {
				fmt.Fprintf(c.App.Writer, "%d odometer readings do not fit their neighbours in time\n", len(r.GetDoubtfulReadings()))
			}
			if r.GetOfflineReason() != "" {
				fmt.Fprintln(c.App.Writer, "HQ was not asked:", r.GetOfflineReason())
			}
			return nil
		},
	}
}

// printOwners tells whose a car is and was.
func printOwners(c *cli.Context, owners []*branchlinev1.Owner) {
	if len(owners) == 0 {
		return
	}
	t := newTable(c.App.Writer, "owner", "from", "to", "")
	for _, o := range owners {
		from, to, who := o.GetFrom(), o.GetTo(), o.GetName()
		if from == "" {
			from = "? (known since " + o.GetKnownFrom() + ")"
		}
		switch {
		case o.GetAtLatest():
			to += " at the latest"
		case o.GetDerived():
			to += " (the next owner's begins)"
		}
		switch {
		case o.GetElsewhere():
			who = "a customer of another company of the group"
		case who == "":
			who = "a customer of another site"
		}
		now := "former"
		if o.GetPresent() {
			now = "now"
		}
		t.AppendRow([]any{who, from, to, now})
	}
	t.Render()
}

func traceCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "trace", Usage: "the rooms a change has passed and where it waits",
		ArgsUsage: takes(operands{names: []string{"CHANGE|NAME"}}),
		Flags: append(siteFlags(), jsonFlag(),
			&cli.StringFlag{Name: "wait", Usage: "wait until SAVED, AT_DOOR, COMMITTED or DELIVERED"},
			&cli.DurationFlag{Name: "for", Usage: "wait at most this long, up to 60s"}),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			req := &branchlinev1.WhereRequest{Name: c.Args().First(), WaitMs: int32(c.Duration("for").Milliseconds())}
			if w := c.String("wait"); w != "" {
				n, ok := branchlinev1.WhereState_value[strings.ToUpper(w)]
				if !ok {
					return usage("--wait is %q: one of SAVED, AT_DOOR, COMMITTED, DELIVERED", w)
				}
				req.WaitFor = branchlinev1.WhereState(n)
			}
			r, err := s.records.Where(c.Context, req)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			w := r.GetWhere()
			fmt.Fprintf(c.App.Writer, "%s: %s", w.GetChange(), w.GetState())
			if w.GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_OUTCOME_UNSPECIFIED {
				fmt.Fprintf(c.App.Writer, ", %s", w.GetOutcome())
			}
			if w.GetReason() != "" {
				fmt.Fprintf(c.App.Writer, " (%s)", w.GetReason())
			}
			fmt.Fprintln(c.App.Writer)
			for _, st := range r.GetTrace() {
				at := "                   "
				if st.GetAt() != 0 {
					at = timeText(st.GetAt())
				}
				fmt.Fprintf(c.App.Writer, "  %s  %-10s %s\n", at, st.GetRoom(), st.GetText())
			}
			return nil
		},
	}
}

func exportCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "export", Usage: "write all records of a collection to standard output, CSV or JSON lines",
		ArgsUsage: takes(operands{names: []string{"COLLECTION"}}),
		Flags: append(siteFlags(), jsonFlag(),
			&cli.StringFlag{Name: "branch", Usage: "only records whose home is this branch"},
			&cli.StringFlag{Name: "from", Usage: "first day, YYYY-MM-DD"},
			&cli.StringFlag{Name: "to", Usage: "last day"}),
		Action: func(c *cli.Context) error {
			k := schema.KindOfCollection(c.Args().First())
			if k == nil {
				var all []string
				for _, k := range schema.Kinds() {
					all = append(all, k.Collection)
				}
				return usage("there is no collection %q: one of %s", c.Args().First(), strings.Join(all, ", "))
			}
			s, err := e.site(c)
			if err != nil {
				return err
			}
			return export(c, s, k)
		},
	}
}

func export(c *cli.Context, s *site, k *schema.KindInfo) error {
	bar := progress(c, "records")
	defer bar.done()
	w := csv.NewWriter(c.App.Writer)
	if !c.Bool("json") {
		// Excel takes UTF-8 only with a byte-order mark.
		if _, err := fmt.Fprint(c.App.Writer, "\ufeff"); err != nil {
			return err
		}
		head := []string{"name", "home", "update_time"}
		for _, f := range k.Fields {
			head = append(head, f.Name)
		}
		if err := w.Write(head); err != nil {
			return err
		}
	}
	req := &branchlinev1.ListRecordsRequest{
		Collection: k.Collection, PageSize: 1000, OrderBy: "create_time",
		Branch: c.String("branch"), DayFrom: c.String("from"), DayTo: c.String("to"),
	}
	for {
		page, err := s.records.ListRecords(c.Context, req)
		if wait := askedToWait(err); wait > 0 {
			if err := rest(c.Context, wait); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		for _, r := range page.GetRecords() {
			if c.Bool("json") {
				if err := printJSON(c.App.Writer, r); err != nil {
					return err
				}
			} else if err := w.Write(csvRow(k, r)); err != nil {
				return err
			}
			bar.add(1)
		}
		if page.GetNextPageToken() == "" {
			w.Flush()
			return w.Error()
		}
		req.PageToken = page.GetNextPageToken()
	}
}

// askedToWait is how long a site asks one to wait who takes more than it gives at once.
func askedToWait(err error) time.Duration {
	var call *serve.CallError
	if errors.As(err, &call) && errors.Is(err, schema.ErrExhausted) {
		return call.RetryAfter()
	}
	return 0
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func csvRow(k *schema.KindInfo, r *branchlinev1.Record) []string {
	row := []string{r.GetName(), r.GetHome(), timeText(r.GetUpdateTime())}
	_, body, err := schema.BodyOf(r)
	if err != nil {
		return row
	}
	m := body.ProtoReflect()
	for _, f := range k.Fields {
		if !m.Has(f.Desc) {
			row = append(row, "")
			continue
		}
		row = append(row, cell.Safe(cellText(f, m.Get(f.Desc))))
	}
	return row
}

func cellText(f *schema.FieldInfo, v protoreflect.Value) string {
	if f.Desc.IsList() {
		var parts []string
		for i := range v.List().Len() {
			parts = append(parts, valueText(f.Desc, v.List().Get(i)))
		}
		return strings.Join(parts, "\n")
	}
	return valueText(f.Desc, v)
}

func valueText(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		b, err := protojson.Marshal(v.Message().Interface())
		if err != nil {
			return ""
		}
		return string(b)
	case protoreflect.EnumKind:
		if ev := fd.Enum().Values().ByNumber(v.Enum()); ev != nil {
			return string(ev.Name())
		}
		return strconv.Itoa(int(v.Enum()))
	case protoreflect.BytesKind:
		return fmt.Sprintf("%x", v.Bytes())
	}
	return v.String()
}
