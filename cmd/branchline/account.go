package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func accountCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "account", Usage: "who may sign in at this site",
		Subcommands: []*cli.Command{
			{
				Name: "add", Usage: "add an account; prints its first password once, to be changed at the first sign-in", ArgsUsage: takes(operands{names: []string{"NAME"}}),
				Flags: append(siteFlags(), jsonFlag(),
					&cli.StringSliceFlag{Name: "role", Required: true, Usage: "clerk, technician, adviser, branch_manager, hq_steward …; repeatable"},
					&cli.StringFlag{Name: "staff", Usage: "staff code written into changes; the account's name when absent"}),
				Action: e.addAccount,
			},
			{
				Name: "list", Usage: "the accounts of this site", Flags: append(siteFlags(), jsonFlag()),
				Action: func(c *cli.Context) error {
					s, err := e.site(c)
					if err != nil {
						return err
					}
					r, err := s.accounts.ListAccounts(c.Context, &branchlinev1.Empty{})
					if err != nil {
						return err
					}
					if c.Bool("json") {
						return printJSON(c.App.Writer, r)
					}
					t := newTable(c.App.Writer, "account", "staff", "roles", "last sign-in", "")
					for _, a := range r.GetAccounts() {
						off := ""
						if a.GetDisabled() {
							off = "disabled"
						}
						t.AppendRow([]any{a.GetName(), a.GetStaff(), roleWords(a.GetRoles()), ago(e.now(), a.GetLastSignIn()), off})
					}
					t.Render()
					return nil
				},
			},
			{
				Name: "password", Usage: "give an account a new password, read from standard input", ArgsUsage: takes(operands{names: []string{"NAME"}}),
				Flags:  append(siteFlags(), jsonFlag()),
				Action: e.setPassword,
			},
			{
				Name: "token", Usage: "make a bearer token of your own, for BRANCHLINE_TOKEN; printed once", ArgsUsage: takes(operands{names: []string{"LABEL"}}),
				Flags: append(siteFlags(), jsonFlag(), &cli.IntFlag{Name: "days", Value: 90, Usage: "how long it is good"}),
				Action: func(c *cli.Context) error {
					s, err := e.site(c)
					if err != nil {
						return err
					}
					r, err := s.accounts.CreateToken(c.Context, &branchlinev1.CreateTokenRequest{Label: c.Args().First(), Days: int32(c.Int("days"))})
					if err != nil {
						return err
					}
					if c.Bool("json") {
						return printJSON(c.App.Writer, r)
					}
					fmt.Fprintln(c.App.Writer, r.GetToken())
					return nil
				},
			},
		},
	}
}

func (e *env) addAccount(c *cli.Context) error {
	a := &branchlinev1.Account{Name: c.Args().First(), Staff: c.String("staff")}
	for _, r := range c.StringSlice("role") {
		n, ok := branchlinev1.Role_value["ROLE_"+strings.ToUpper(strings.ReplaceAll(r, "-", "_"))]
		if !ok {
			return usage("there is no role %q", r)
		}
		a.Roles = append(a.Roles, branchlinev1.Role(n))
	}
	s, err := e.site(c)
	if err != nil {
		return err
	}
	r, err := s.accounts.CreateAccount(c.Context, &branchlinev1.CreateAccountRequest{Account: a})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, r)
	}
	fmt.Fprintln(c.App.Writer, r.GetPassword())
	return nil
}

func (e *env) setPassword(c *cli.Context) error {
	line, err := bufio.NewReader(e.stdin).ReadString('\n')
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return usage("no password on standard input (%v)", err)
	}
	s, err := e.site(c)
	if err != nil {
		return err
	}
	all, err := s.accounts.ListAccounts(c.Context, &branchlinev1.Empty{})
	if err != nil {
		return err
	}
	for _, a := range all.GetAccounts() {
		if a.GetName() == c.Args().First() {
			_, err := s.accounts.UpdateAccount(c.Context, &branchlinev1.UpdateAccountRequest{Account: a, Password: line})
			return err
		}
	}
	return usage("there is no account %q here: see branchline account list", c.Args().First())
}

func roleWords(rs []branchlinev1.Role) string {
	var out []string
	for _, r := range rs {
		out = append(out, strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_")))
	}
	return strings.Join(out, ", ")
}
