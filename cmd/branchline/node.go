package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"branchline/node"
)

func nodeCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "node", Usage: "start a branch; it works with or without a network until it is stopped",
		Description: "The enrolment token says where headquarters is. It comes from a file, from standard input (--enrol -)\nor from BRANCHLINE_ENROL; never as an argument, where other users of the machine could read it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Usage: "the branch's folder, made when it is not there"},
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8481", Usage: "address of pages and API; port 0 takes a free one"},
			&cli.StringFlag{Name: "host", Usage: "name by which others reach the pages, for the certificate"},
			&cli.StringFlag{Name: "link", Usage: "address of headquarters' link port, when it is another than at enrolment: HQ moved, or a relay is on the way"},
			&cli.StringFlag{Name: "enrol", Usage: "file with the enrolment token, - for standard input"},
			jsonFlag(), verboseFlag(),
		},
		Action: func(c *cli.Context) error {
			dir, err := needDir(c)
			if err != nil {
				return err
			}
			token, err := e.enrolmentToken(c.String("enrol"))
			if err != nil {
				return err
			}
			limitMemory(nodeMemory)
			n, err := node.New(node.Config{
				Dir: dir, Listen: c.String("listen"), Host: c.String("host"), Link: c.String("link"), Enrol: token,
				Version: version, Now: e.now, Rand: e.rand, Log: e.logger(c), Idle: giveBack,
			})
			if err != nil {
				return err
			}
			return e.serve(c, n, func() ready {
				r := ready{Role: "node", Branch: string(n.Branch()), URL: n.URL()}
				r.Account, r.Password = n.FirstAccount()
				return r
			})
		},
	}
}

// enrolmentToken reads the token; "" when there is none.
func (e *env) enrolmentToken(file string) (string, error) {
	const most = 16 << 10
	var b []byte
	var err error
	switch file {
	case "":
		return strings.TrimSpace(os.Getenv("BRANCHLINE_ENROL")), nil
	case "-":
		b, err = io.ReadAll(io.LimitReader(e.stdin, most))
	default:
		var f *os.File
		if f, err = os.Open(file); err == nil {
			b, err = io.ReadAll(io.LimitReader(f, most))
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil {
		return "", fmt.Errorf("read enrolment token: %w", err)
	}
	if s := strings.TrimSpace(string(b)); s != "" {
		return s, nil
	}
	return "", usage("the enrolment token from %s is empty", file)
}

// ready is what a site says on standard output once it serves.
type ready struct {
	Role     string `json:"role"`
	Branch   string `json:"branch,omitempty"`
	URL      string `json:"url"`
	Link     string `json:"link,omitempty"`
	Account  string `json:"account,omitempty"`
	Password string `json:"password,omitempty"`
}

// party is a site as the commands that start one see it.
type party interface {
	Start(context.Context) error
	Run(context.Context) error
	Up() <-chan struct{}
}

// serve runs a site until the command is stopped, and says in one line when it
// serves: by then its folder's run.json is written. The first administrator's
// password, made now, is said once, on standard error.
func (e *env) serve(c *cli.Context, p party, about func() ready) error {
	if err := p.Start(c.Context); err != nil {
		return err
	}
	up := p.Up()
	if up == nil { // it serves nothing: it is ready as it is
		done := make(chan struct{})
		close(done)
		up = done
	}
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	var err error
	select {
	case <-up:
		said := e.sayReady(c, about())
		if said != nil {
			stop()
		}
		err = errors.Join(said, <-ended)
	case err = <-ended:
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (e *env) sayReady(c *cli.Context, r ready) error {
	if c.Bool("json") {
		b, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("ready line: %w", err)
		}
		fmt.Fprintf(e.stdout, "%s\n", b)
		return nil
	}
	line := "ready role=" + r.Role
	if r.Branch != "" {
		line += " branch=" + r.Branch
	}
	fmt.Fprintf(e.stdout, "%s url=%s\n", line, r.URL)
	if r.Password != "" {
		fmt.Fprintf(e.stderr, "first administrator, said only this once: account %s password %s\n", r.Account, r.Password)
	}
	return nil
}

func verboseFlag() cli.Flag {
	return &cli.BoolFlag{Name: "verbose", Usage: "log more, to standard error"}
}

func (e *env) logger(c *cli.Context) *slog.Logger {
	level := slog.LevelWarn
	if c.Bool("verbose") {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: level}))
}
