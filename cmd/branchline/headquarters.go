package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func entityCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "entity", Usage: "legal entities of the group",
		Subcommands: []*cli.Command{{
			Name: "add", Usage: "add the company that owns branches", ArgsUsage: takes(operands{names: []string{"CODE", "NAME"}}),
			Flags: append(siteFlags(), jsonFlag()),
			Action: func(c *cli.Context) error {
				s, err := e.site(c)
				if err != nil {
					return err
				}
				r, err := s.hq.AddEntity(c.Context, &branchlinev1.AddEntityRequest{Code: c.Args().Get(0), Name: c.Args().Get(1)})
				if err != nil {
					return err
				}
				if c.Bool("json") {
					return printJSON(c.App.Writer, r)
				}
				fmt.Fprintf(c.App.Writer, "added %s %s\n", c.Args().Get(0), c.Args().Get(1))
				return nil
			},
		}},
	}
}

func groupCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "group", Usage: "say what the dealer group is called; its pages show it, at every branch too",
		ArgsUsage: takes(operands{names: []string{"NAME"}}), Flags: append(siteFlags(), jsonFlag()),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			_, err = s.hq.SetGroup(c.Context, &branchlinev1.SetGroupRequest{Name: c.Args().First()})
			return err
		},
	}
}

func goOnCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "go-on", Usage: "let headquarters go on where it stopped by itself, by a person's decision",
		Description: "After it was put back from an older copy headquarters gives nothing out until it has heard every branch:\n--without CODE names one that is not waited for. When another copy of it has taken over it takes and\ngives nothing: --superseded says that this one is to stay; stop the other first, and start this one again.",
		Flags: append(siteFlags(), jsonFlag(),
			&cli.BoolFlag{Name: "superseded", Usage: "this headquarters is to stay although another copy has taken over; counts from its next start"},
			&cli.StringSliceFlag{Name: "without", Usage: "code of a branch whose ledger is not waited for; may be given again"}),
		Action: func(c *cli.Context) error {
			if !c.Bool("superseded") && len(c.StringSlice("without")) == 0 {
				return usage("say where headquarters is to go on: --superseded or --without CODE")
			}
			s, err := e.site(c)
			if err != nil {
				return err
			}
			_, err = s.hq.GoOn(c.Context, &branchlinev1.GoOnRequest{Superseded: c.Bool("superseded"), Without: c.StringSlice("without")})
			if err == nil && c.Bool("superseded") {
				fmt.Fprintln(e.stderr, "from its next start this headquarters goes on: stop it and start it again")
			}
			return err
		},
	}
}

func branchCommand(e *env) *cli.Command {
	one := func(name, use string, do func(c *cli.Context, s *site, code string) error) *cli.Command {
		return &cli.Command{
			Name: name, Usage: use, ArgsUsage: takes(operands{names: []string{"CODE"}}), Flags: append(siteFlags(), jsonFlag()),
			Action: func(c *cli.Context) error {
				s, err := e.site(c)
				if err != nil {
					return err
				}
				return do(c, s, c.Args().First())
			},
		}
	}
	return &cli.Command{
		Name: "branch", Usage: "the group's branches and their enrolment",
		Subcommands: []*cli.Command{
			{
				Name: "add", Usage: "register a branch; prints its enrolment token, once, alone on standard output",
				ArgsUsage: takes(operands{names: []string{"CODE", "NAME"}}),
				Flags: append(siteFlags(), jsonFlag(),
					&cli.StringFlag{Name: "entity", Required: true, Usage: "code of the legal entity that owns it"},
					&cli.StringFlag{Name: "zone", Usage: "IANA zone of its days; " + schema.DefaultZone + " when not given"}),
				Action: func(c *cli.Context) error {
					s, err := e.site(c)
					if err != nil {
						return err
					}
					t, err := s.hq.AddBranch(c.Context, &branchlinev1.AddBranchRequest{
						Code: c.Args().Get(0), Name: c.Args().Get(1), Entity: c.String("entity"), Zone: c.String("zone"),
					})
					return e.printToken(c, t, err)
				},
			},
			branchListCommand(e),
			one("re-enrol", "let a branch with a new disk enrol again; prints the token alone on standard output", func(c *cli.Context, s *site, code string) error {
				t, err := s.hq.ReEnrolBranch(c.Context, &branchlinev1.BranchRequest{Code: code})
				return e.printToken(c, t, err)
			}),
			one("revoke", "shut out a stolen or lost node now and for ever", func(c *cli.Context, s *site, code string) error {
				if _, err := s.hq.RevokeBranch(c.Context, &branchlinev1.BranchRequest{Code: code}); err != nil {
					return err
				}
				fmt.Fprintf(e.stderr, "%s is shut out; let it back in with a new key by: branchline hq branch re-enrol %s\n", code, code)
				return nil
			}),
			one("retire", "close a branch; its records stay", func(c *cli.Context, s *site, code string) error {
				_, err := s.hq.RetireBranch(c.Context, &branchlinev1.BranchRequest{Code: code})
				return err
			}),
		},
	}
}

// printToken puts the token alone on standard output and what to do with it beside.
func (e *env) printToken(c *cli.Context, t *branchlinev1.EnrolmentToken, err error) error {
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, t)
	}
	fmt.Fprintln(c.App.Writer, t.GetToken())
	fmt.Fprintf(e.stderr, "valid until %s, for one machine: branchline node --dir D --enrol FILE\n", timeText(t.GetExpiresAt()))
	return nil
}

func branchListCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "every branch, when it was last heard and how far it is", Flags: append(siteFlags(), jsonFlag()),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			r, err := s.self.ListBranches(c.Context, &branchlinev1.Empty{})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			t := newTable(c.App.Writer, "code", "name", "entity", "state", "heard", "stored", "has", "of", "waiting", "alarms")
			for _, b := range r.GetBranches() {
				t.AppendRow([]any{b.GetCode(), b.GetName(), b.GetEntity(), b.GetState(), ago(e.now(), b.GetLastHeard()), b.GetWatermark(), b.GetConfirmedRev(), b.GetRev(), b.GetQuarantined(), joined(b.GetAlarms())})
			}
			t.Render()
			for _, a := range r.GetAlarms() {
				fmt.Fprintln(c.App.Writer, "!", a)
			}
			return nil
		},
	}
}

func quarantineCommand(e *env) *cli.Command {
	settle := func(name, use string, discard bool) *cli.Command {
		return &cli.Command{
			Name: name, Usage: use, ArgsUsage: takes(operands{names: []string{"CHANGE"}}), Flags: append(siteFlags(), jsonFlag()),
			Action: func(c *cli.Context) error {
				s, err := e.site(c)
				if err != nil {
					return err
				}
				_, err = s.hq.SettleQuarantine(c.Context, &branchlinev1.SettleQuarantineRequest{Change: c.Args().First(), Discard: discard})
				return err
			},
		}
	}
	return &cli.Command{
		Name: "quarantine", Usage: "changes that HQ could not take, with the reason",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "what is set aside", Flags: append(siteFlags(), jsonFlag(), &cli.StringFlag{Name: "branch", Usage: "only of this branch"}),
				Action: func(c *cli.Context) error {
					s, err := e.site(c)
					if err != nil {
						return err
					}
					r, err := s.hq.ListQuarantine(c.Context, &branchlinev1.ListQuarantineRequest{Branch: c.String("branch"), PageSize: 1000})
					if err != nil {
						return err
					}
					if c.Bool("json") {
						return printJSON(c.App.Writer, r)
					}
					t := newTable(c.App.Writer, "change", "kind", "outcome", "reason", "since")
					for _, q := range r.GetItems() {
						t.AppendRow([]any{q.GetChange(), q.GetKind(), q.GetOutcome(), q.GetReason(), timeText(q.GetAt())})
					}
					t.Render()
					return nil
				},
			},
			settle("retry", "judge a change again", false),
			settle("discard", "give a change up for good; its record goes on without it", true),
		},
	}
}
