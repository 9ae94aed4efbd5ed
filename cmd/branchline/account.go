package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

func accountCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "account", Usage: "who may sign in at this site",
		Subcommands: []*cli.Command{
			{
				Name: "add", Usage: "add an account; prints its first password once, to be changed at the first sign-in", ArgsUsage: takes(operands{names: []string{"NAME"}}),
				Flags: append(siteFlags(), jsonFlag(),
					&cli.StringSliceFlag{Name: "role", Required: true, Usage: "clerk, technician, adviser, branch_manager, hq_steward …; repeatable"},
					&cli.StringFlag{Name: "staff", Usage: "staff code written into changes; the account's name when absent"},
					&cli.StringFlag{Name: "language", Usage: "of its pages: zh-CN, zh-TW or en; as the browser asks when absent"}),
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
					t := newTable(c.App.Writer, "account", "staff", "roles", "language", "last sign-in", "")
					for _, a := range r.GetAccounts() {
						off := ""
						if a.GetDisabled() {
							off = "disabled"
						}
						t.AppendRow([]any{a.GetName(), a.GetStaff(), roleWords(a.GetRoles()), languageWord(a.GetLanguage()), ago(e.now(), a.GetLastSignIn()), off})
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
				Name: "language", Usage: "set the language of an account's pages: zh-CN, zh-TW or en", ArgsUsage: takes(operands{names: []string{"NAME", "LANGUAGE"}}),
				Flags:  append(siteFlags(), jsonFlag()),
				Action: e.setLanguage,
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
	var err error
	if name := c.String("language"); name != "" {
		if a.Language, err = languageNamed(name); err != nil {
			return err
		}
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
	return e.changeAccount(c, func(a *branchlinev1.Account) *branchlinev1.UpdateAccountRequest {
		return &branchlinev1.UpdateAccountRequest{Account: a, Password: line}
	})
}

func (e *env) setLanguage(c *cli.Context) error {
	l, err := languageNamed(c.Args().Get(1))
	if err != nil {
		return err
	}
	return e.changeAccount(c, func(a *branchlinev1.Account) *branchlinev1.UpdateAccountRequest {
		a.Language = l
		return &branchlinev1.UpdateAccountRequest{Account: a}
	})
}

// changeAccount updates the account named by the first operand; change makes the request of the account as it stands.
func (e *env) changeAccount(c *cli.Context, change func(*branchlinev1.Account) *branchlinev1.UpdateAccountRequest) error {
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
			_, err := s.accounts.UpdateAccount(c.Context, change(a))
			return err
		}
	}
	return usage("there is no account %q here: see branchline account list", c.Args().First())
}

// languageNamed is the language whose code is name; a usage error for another.
func languageNamed(name string) (branchlinev1.Language, error) {
	l, ok := look.LangNamed(name)
	if !ok {
		return branchlinev1.Language_LANGUAGE_UNSPECIFIED, usage("there is no language %q: it is zh-CN, zh-TW or en", name)
	}
	return l.Language(), nil
}

// languageWord is a language's code, "-" for the browser's.
func languageWord(x branchlinev1.Language) string {
	l, ok := look.LangOf(x)
	if !ok {
		return "-"
	}
	return string(l)
}

func roleWords(rs []branchlinev1.Role) string {
	var out []string
	for _, r := range rs {
		out = append(out, strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_")))
	}
	return strings.Join(out, ", ")
}
