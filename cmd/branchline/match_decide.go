package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func matchDecideCommand(e *env) *cli.Command {
	verdict := func(name, use string, v branchlinev1.Verdict) *cli.Command {
		return &cli.Command{
			Name: name, Usage: use, ArgsUsage: takes(operands{names: []string{"A", "B"}, optional: 2}),
			Flags: append(siteFlags(), jsonFlag(),
				&cli.StringSliceFlag{Name: "a", Usage: "registrations of one side, for several: NAME,NAME"},
				&cli.StringSliceFlag{Name: "b", Usage: "registrations of the other side"},
				&cli.StringFlag{Name: "reason", Usage: "why; kept with the decision"},
				&cli.StringFlag{Name: "request-id", Usage: "given again within a day, nothing is decided twice"},
				&cli.BoolFlag{Name: "dry-run", Usage: "say only what it would change"}),
			Action: func(c *cli.Context) error { return e.matchDecide(c, v) },
		}
	}
	return &cli.Command{
		Name: "decide", Usage: "say of registrations that they are one customer, or are not; it can be withdrawn",
		Description: "A and B are names such as customers/01J…, or the ids alone. Several on a side cut a group: none of a is one of b.",
		Subcommands: []*cli.Command{
			verdict("same", "all of a and b are one customer", branchlinev1.Verdict_SAME),
			verdict("different", "none of a is one of b", branchlinev1.Verdict_DIFFERENT),
		},
	}
}

func (e *env) matchDecide(c *cli.Context, v branchlinev1.Verdict) error {
	a, b := c.StringSlice("a"), c.StringSlice("b")
	switch n := c.Args().Len(); {
	case n == 2 && len(a)+len(b) == 0:
		a, b = c.Args().Slice()[:1], c.Args().Slice()[1:]
	case n == 0 && len(a) > 0 && len(b) > 0:
	default:
		return usage("match decide %s: name two registrations, A B, or the sides: --a A1,A2 --b B1,B2", c.Command.Name)
	}
	s, err := e.site(c)
	if err != nil {
		return err
	}
	r, err := s.client.Match.Decide(c.Context, &branchlinev1.DecideRequest{
		Verdict: v, A: customerNames(a), B: customerNames(b), Reason: c.String("reason"), RequestId: c.String("request-id"), DryRun: c.Bool("dry-run"),
	})
	if err != nil {
		return err
	}
	out := c.App.Writer
	if c.Bool("json") {
		return printJSON(out, r)
	}
	if !c.Bool("dry-run") {
		fmt.Fprintf(out, "decided: %s\n", r.GetDecision())
		fmt.Fprintf(e.stderr, "take it back by: branchline match withdraw %s\n", r.GetDecision())
	}
	switch {
	case len(r.GetGroups()) == 0:
		fmt.Fprintln(out, "no customer changes by it")
	case c.Bool("dry-run"):
		fmt.Fprintln(out, "the customers it would change, as they would be:")
	default:
		fmt.Fprintln(out, "the customers it changed, as they are now:")
	}
	for _, g := range r.GetGroups() {
		fmt.Fprintf(out, "  %s, %s: %s\n", g.GetId(), registrations(len(g.GetMembers())), strings.Join(g.GetMembers(), " "))
	}
	if n := len(r.GetContradicts()); n > 0 {
		fmt.Fprintf(out, "it contradicts %s: of one pair the later decision counts, otherwise \"different\" holds until it is withdrawn (branchline match withdraw)\n", strings.Join(r.GetContradicts(), " "))
	}
	return nil
}

func registrations(n int) string {
	if n == 1 {
		return "1 registration"
	}
	return fmt.Sprintf("%d registrations", n)
}

// customerName reads what a person gives: a resource name, an id, or the address of a customer's page.
func customerName(text string) string {
	text = strings.TrimSpace(text)
	if i := strings.LastIndex(text, "customers/"); i >= 0 {
		text = text[i+len("customers/"):]
	}
	text, _, _ = strings.Cut(text, "/")
	text, _, _ = strings.Cut(text, "?")
	return "customers/" + text
}

func customerNames(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = customerName(t)
	}
	return out
}

func matchWithdrawCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "withdraw", Usage: "take a decision back, as if it had never been made; --undo takes back the withdrawal",
		ArgsUsage: takes(operands{names: []string{"DECISION"}}),
		Flags: append(siteFlags(), jsonFlag(),
			&cli.StringFlag{Name: "reason", Usage: "why it is withdrawn"},
			&cli.BoolFlag{Name: "undo", Usage: "the decision is to count again"}),
		Action: func(c *cli.Context) error {
			if c.Bool("undo") && c.String("reason") != "" {
				return usage("match withdraw: --reason is of a withdrawal, which --undo takes back")
			}
			s, err := e.site(c)
			if err != nil {
				return err
			}
			name := c.Args().First()
			if !strings.Contains(name, "/") {
				name = "matchDecisions/" + name
			}
			if _, err = s.client.Match.WithdrawDecision(c.Context, &branchlinev1.WithdrawDecisionRequest{Name: name, Reason: c.String("reason"), Undo: c.Bool("undo")}); err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, &branchlinev1.Empty{})
			}
			word := "withdrawn"
			if c.Bool("undo") {
				word = "it counts again"
			}
			fmt.Fprintf(c.App.Writer, "%s: %s\n", name, word)
			return nil
		},
	}
}
