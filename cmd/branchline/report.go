package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func reportCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "report", Usage: "group figures from HQ: orders, customers or retention",
		ArgsUsage: takes(operands{names: []string{"orders|customers|retention"}}),
		Flags: append(siteFlags(), jsonFlag(),
			&cli.StringFlag{Name: "by", Usage: "month, branch, model; several with commas"},
			&cli.StringFlag{Name: "from", Usage: "first day, YYYY-MM-DD"},
			&cli.StringFlag{Name: "to", Usage: "last day"}),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			req := &branchlinev1.ReportRequest{Report: c.Args().First(), From: c.String("from"), To: c.String("to")}
			for _, b := range strings.Split(c.String("by"), ",") {
				if b = strings.TrimSpace(b); b != "" {
					req.By = append(req.By, b)
				}
			}
			r, err := s.hq.Report(c.Context, req)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			e.printReport(c, r)
			return nil
		},
	}
}

func (e *env) printReport(c *cli.Context, r *branchlinev1.ReportResponse) {
	var head []any
	for _, k := range append(r.GetKeys(), r.GetValues()...) {
		title := k.GetTitle()
		if k.GetType() == "money" {
			title += " " + r.GetCurrency()
		}
		head = append(head, title)
	}
	t := newTable(c.App.Writer, head...)
	row := func(x *branchlinev1.ReportRow, keys []string) []any {
		var out []any
		for _, k := range keys {
			out = append(out, k)
		}
		for i, v := range x.GetValues() {
			switch r.GetValues()[i].GetType() {
			case "money":
				out = append(out, money(v))
			case "ratio":
				out = append(out, fmt.Sprintf("%.1f%%", float64(v)/100))
			default:
				out = append(out, v)
			}
		}
		return out
	}
	for _, x := range r.GetRows() {
		t.AppendRow(row(x, x.GetKeys()))
	}
	if len(r.GetKeys()) > 0 && r.GetTotal() != nil {
		keys := make([]string, len(r.GetKeys()))
		keys[0] = "total"
		t.AppendFooter(row(r.GetTotal(), keys))
	}
	t.Render()
	for _, f := range r.GetFormulas() {
		fmt.Fprintln(c.App.Writer, f)
	}
	for _, h := range r.GetHeard() {
		mark := ""
		if h.GetSilent() {
			mark = "  (silent: its latest work is not in these figures)"
		}
		fmt.Fprintf(c.App.Writer, "%s %s heard %s%s\n", h.GetBranch(), h.GetName(), ago(e.now(), h.GetLastHeard()), mark)
	}
}
