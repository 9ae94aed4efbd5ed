package main

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"branchline/cmd/rig/simrig"
	"branchline/sync/sim"
)

// simLine is the last line of sim --json.
type simLine struct {
	Seeds  int      `json:"seeds"`
	Events int      `json:"events"`
	Failed []uint64 `json:"failed"`
}

// simFailure is a line of its own for each seed that failed.
type simFailure struct {
	Seed      uint64   `json:"seed"`
	Invariant string   `json:"invariant"`
	Text      string   `json:"text"`
	Trace     []string `json:"trace"`
}

func simCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "sim", Usage: "run the whole group on a simulated clock, network and disk, with faults, and audit it",
		Description: "Seeds S to S+N-1 are run one after the other. A seed gives the same run every time: the number of a failing one is the bug report.\n" +
			"It ends with 1 when a seed broke an invariant, or when a fault never fired in 100 seeds or more.",
		Flags: []cli.Flag{
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "the first seed"},
			&cli.IntFlag{Name: "seeds", Value: 100, Usage: "how many"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			n, asJSON := c.Int("seeds"), c.Bool("json")
			if n < 1 {
				return usage("--seeds %d: at least 1", n)
			}
			out := json.NewEncoder(c.App.Writer)
			bar := progress(c, "seeds")
			began := e.now()
			b, err := simrig.Run(c.Context, c.Uint64("seed"), n, func(r sim.Result) {
				bar.add(1)
				f := r.Failed
				if f == nil {
					return
				}
				if asJSON {
					out.Encode(simFailure{f.Seed, f.Invariant, f.Text, f.Trace}) //nolint:errcheck // the buffered writer tells at its end
				} else {
					fmt.Fprintln(c.App.Writer, f.Error())
				}
			})
			bar.done()
			if err != nil {
				return err
			}
			last := simLine{Seeds: b.Seeds, Events: b.Events, Failed: []uint64{}}
			for _, f := range b.Failed {
				last.Failed = append(last.Failed, f.Seed)
			}
			unseen := b.Unseen()
			if asJSON {
				out.Encode(last) //nolint:errcheck // as above
			} else {
				took := e.now().Sub(began)
				fmt.Fprintf(c.App.Writer, "%d seeds, %d events (%.0f a second), %d edits, %d failed\n",
					b.Seeds, b.Events, float64(b.Events)/max(took.Seconds(), 0.001), b.Edits, len(b.Failed))
				if len(unseen) > 0 {
					fmt.Fprintf(c.App.Writer, "never fired: %v\n", unseen)
				}
			}
			switch {
			case len(b.Failed) > 0, b.Seeds >= 100 && len(unseen) > 0:
				return &saidError{1}
			case b.Seeds < n:
				return c.Context.Err()
			}
			return nil
		},
	}
}
