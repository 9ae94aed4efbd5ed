package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"branchline/cmd/rig/bench"
)

func benchCommand(e *env) *cli.Command {
	var names []string
	var list strings.Builder
	for _, n := range bench.Names() {
		names = append(names, n[0])
		fmt.Fprintf(&list, "\n  %-10s %s", n[0], n[1])
	}
	return &cli.Command{
		Name: "bench", Usage: "measure this machine: each figure beside what the same work costs without Branchline",
		ArgsUsage:   takes(operands{names: []string{"NAME"}, optional: 1, many: true}),
		Description: "Without names all is measured but search, pages, growth and match: at most 12 minutes. Goals in ms or s count on an idle machine.\nSites and rows lie in a temporary folder, which needs about 1 GB (search: 3 GB, growth: 6 GB); match needs 5 GB of memory. Names:" + list.String(),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "quick", Usage: "a tenth of the rows: shows that all runs, its figures are rough"},
			&cli.StringFlag{Name: "dir", Usage: "folder for the temporary files; the system's when not given"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of what is drawn by chance"},
			&cli.BoolFlag{Name: "json", Usage: "one JSON object a line"}, verboseFlag(),
		},
		Action: func(c *cli.Context) error {
			exe, err := os.Executable()
			if err != nil {
				return fmt.Errorf("bench: this program's own file: %w", err)
			}
			b := progress(c, "starting")
			defer b.done()
			t := newTable(c.App.Writer, "measure", "value", "", "ceiling", "ratio", "goal", "holds", "load")
			var notes []string
			err = bench.Run(c.Context, bench.Config{
				Quick: c.Bool("quick"), Dir: c.String("dir"), Exe: exe, Seed: c.Uint64("seed"), Now: e.now, Rand: e.rand, Log: e.logger(c),
				Step: b.say,
				Emit: func(f bench.Figure) error {
					if c.Bool("json") {
						raw, err := json.Marshal(f)
						if err != nil {
							return fmt.Errorf("bench: %w", err)
						}
						_, err = fmt.Fprintf(e.stdout, "%s\n", raw)
						return err
					}
					t.AppendRow(benchRow(f))
					if f.Note != "" {
						notes = append(notes, f.Name+": "+f.Note)
					}
					return nil
				},
			}, c.Args().Slice()...)
			var unknown *bench.UnknownError
			if errors.As(err, &unknown) {
				return usage("branchline bench: there is no measure %q: %s", unknown.Name, strings.Join(names, ", "))
			}
			if !c.Bool("json") {
				t.Render()
				for _, n := range notes {
					fmt.Fprintln(c.App.Writer, n)
				}
			}
			return err
		},
	}
}

// namesLast puts bench's flags before its names, so that both orders may be
// written: a name is one of a closed list, and no flag can be taken for one.
func namesLast(args []string) []string {
	if len(args) < 3 || args[1] != "bench" {
		return args
	}
	flags, names := args[:2:2], []string(nil)
	for i := 2; i < len(args); i++ {
		a := args[i]
		if !strings.HasPrefix(a, "-") {
			names = append(names, a)
			continue
		}
		flags = append(flags, a)
		if n := strings.TrimLeft(a, "-"); (n == "dir" || n == "seed") && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return append(flags, names...)
}

func benchRow(f bench.Figure) table.Row {
	number := func(v *float64, suffix string) string {
		if v == nil {
			return ""
		}
		return fmt.Sprintf("%.4g%s", *v, suffix)
	}
	want := number(f.Goal, "")
	if f.GoalRatio != nil {
		want = strings.TrimSpace(want + " " + number(f.GoalRatio, "×"))
	}
	holds := ""
	if f.Holds != nil {
		holds = "no"
		if *f.Holds {
			holds = "yes"
		}
	}
	return table.Row{f.Name, fmt.Sprintf("%.4g", f.Value), f.Unit, number(f.Ceiling, ""), number(f.Ratio, "×"), want, holds, fmt.Sprintf("%.2f", f.Load)}
}
