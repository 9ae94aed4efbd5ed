package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// operands says what a command takes beside flags. cli v2 passes over two
// mistakes in silence: a flag after an operand (import … FILE --dry-run would
// import for real) and an unknown subcommand. guard makes both usage errors.
type operands struct {
	names    []string // for the usage line and the message
	optional int      // how many of the last names may be left out
	many     bool     // the last name may be repeated
}

// takes is the ArgsUsage of a command with operands; guard reads it back.
func takes(o operands) string {
	var b strings.Builder
	for i, n := range o.names {
		if i > 0 {
			b.WriteByte(' ')
		}
		if i >= len(o.names)-o.optional {
			n = "[" + n + "]"
		}
		b.WriteString(n)
	}
	if o.many {
		b.WriteString("…")
	}
	return b.String()
}

func parseTakes(s string) operands {
	var o operands
	s, o.many = strings.CutSuffix(s, "…")
	for _, n := range strings.Fields(s) {
		name := strings.Trim(n, "[]")
		if name != n {
			o.optional++
		}
		o.names = append(o.names, name)
	}
	return o
}

// guard wraps every action of the app.
func guard(app *cli.App) {
	for _, c := range app.Commands {
		guardCommand(c, app.Name)
	}
	app.Action = func(c *cli.Context) error {
		if c.Args().Present() {
			return usage("there is no command %q: see branchline --help", c.Args().First())
		}
		return cli.ShowAppHelp(c)
	}
}

func guardCommand(c *cli.Command, path string) {
	path += " " + c.Name
	c.HideHelpCommand = true
	c.OnUsageError = func(_ *cli.Context, err error, _ bool) error { return usage("%s: %v", path, err) }
	for _, s := range c.Subcommands {
		guardCommand(s, path)
	}
	action := c.Action
	o := parseTakes(c.ArgsUsage)
	required := takeRequired(c.Flags)
	c.Action = func(ctx *cli.Context) error {
		args := ctx.Args().Slice()
		if action == nil {
			if len(args) > 0 {
				return usage("%s has no subcommand %q: see %s --help", path, args[0], path)
			}
			return cli.ShowSubcommandHelp(ctx)
		}
		if err := checkOperands(path, o, args, len(c.Subcommands) > 0); err != nil {
			return err
		}
		for _, name := range required {
			if !ctx.IsSet(name) {
				return usage("%s: --%s is missing", path, name)
			}
		}
		return action(ctx)
	}
}

// takeRequired gives the names of the flags that must be set and checks them no
// longer by cli itself, which would do so before operands and with words and a
// code of its own.
func takeRequired(flags []cli.Flag) []string {
	var out []string
	for _, f := range flags {
		switch f := f.(type) {
		case *cli.StringFlag:
			if f.Required {
				f.Required = false
				out = append(out, f.Name)
			}
		case *cli.StringSliceFlag:
			if f.Required {
				f.Required = false
				out = append(out, f.Name)
			}
		}
	}
	return out
}

func checkOperands(path string, o operands, args []string, group bool) error {
	for i, a := range args {
		if strings.HasPrefix(a, "-") && a != "-" {
			if i > 0 {
				return usage("%s: %s stands after %s and would be passed over: give flags before operands", path, a, args[i-1])
			}
			return usage("%s: unknown flag %s", path, a)
		}
	}
	switch need := len(o.names) - o.optional; {
	case len(args) < need:
		return usage("%s: %s is missing: %s %s", path, o.names[len(args)], path, takes(o))
	case len(args) > len(o.names) && !o.many:
		if group {
			return usage("%s has no subcommand %q: see %s --help", path, args[0], path)
		}
		return usage("%s: %q is one operand too many: %s", path, args[len(o.names)], strings.TrimSpace(fmt.Sprintf("%s %s", path, takes(o))))
	}
	return nil
}
