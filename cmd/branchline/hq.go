package main

import (
	"github.com/urfave/cli/v2"

	"branchline/hq"
)

func hqCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "hq", Usage: "start headquarters, or keep its branches",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Usage: "headquarters' folder, made when it is not there"},
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8480", Usage: "address of pages, API and enrolment; port 0 takes a free one"},
			&cli.StringFlag{Name: "link", Value: "127.0.0.1:7480", Usage: "address branches connect to"},
			&cli.StringFlag{Name: "public", Usage: "name or address under which branches reach this machine; tokens carry it"},
			&cli.StringFlag{Name: "group", Usage: "what the dealer group is called; kept, so that once is enough"},
			jsonFlag(), verboseFlag(),
		},
		Subcommands: []*cli.Command{entityCommand(e), branchCommand(e), groupCommand(e), quarantineCommand(e), goOnCommand(e), pinCommand(e), unpinCommand(e)},
		Action: func(c *cli.Context) error {
			dir, err := needDir(c)
			if err != nil {
				return err
			}
			limitMemory(hqMemory)
			h, err := hq.New(hq.Config{
				Dir: dir, Listen: c.String("listen"), Link: c.String("link"), Public: c.String("public"), Group: c.String("group"),
				Version: version, Now: e.now, Rand: e.rand, Log: e.logger(c), Idle: giveBack,
			})
			if err != nil {
				return err
			}
			return e.serve(c, h, func() ready {
				r := ready{Role: "hq", URL: h.URL(), Link: h.LinkAddr()}
				r.Account, r.Password = h.FirstAccount()
				return r
			})
		},
	}
}
