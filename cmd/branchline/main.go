// Command branchline is the one binary of Branchline: headquarters, a branch's
// node, and everything people do to either from a shell.
//
// Rules: one command a file; a command reads its flags, makes a Config or one
// API call, and prints. A command given --dir finds the running process of that
// folder by itself and never opens its database; --at URL with BRANCHLINE_TOKEN
// works from afar. Only main exits.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // branches' zones, also where the system has none

	"github.com/urfave/cli/v2"
)

// version is set when the binary is built.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, &env{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		now: time.Now, rand: rand.Reader,
	})
	stop()
	os.Exit(code)
}

// env is what a command may touch of the world outside.
type env struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	now    func() time.Time
	rand   io.Reader
}

// run is the whole program but for exiting. It gives the exit code.
func run(ctx context.Context, args []string, e *env) int {
	out := bufio.NewWriter(e.stdout)
	app := newApp(e)
	app.Writer = out
	err := app.RunContext(ctx, namesLast(args))
	if ferr := out.Flush(); err == nil && ferr != nil {
		err = fmt.Errorf("write to standard output: %w", ferr)
	}
	if err == nil {
		return 0
	}
	return e.report(err, wantsJSON(args))
}

func newApp(e *env) *cli.App {
	app := &cli.App{
		Name:            "branchline",
		Usage:           "customers and service history of a dealer group, at every branch, with or without a network",
		Version:         version,
		HideHelpCommand: true,
		Writer:          e.stdout,
		ErrWriter:       e.stderr,
		Reader:          e.stdin,
		// Errors come back to run, which alone turns them into words and a code.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return usage("%v", err) },
		Commands: []*cli.Command{
			hqCommand(e), nodeCommand(e), demoCommand(e),
			importCommand(e), exportCommand(e), reportCommand(e),
			searchCommand(e), historyCommand(e), traceCommand(e),
			statusCommand(e), verifyCommand(e), repairCommand(e), doctorCommand(e),
			backupCommand(e), restoreCommand(e), accountCommand(e), matchCommand(e), simCommand(e), benchCommand(e),
		},
	}
	guard(app)
	return app
}

// errDiffers ends a verify or a story whose outcome is not as it should be.
var errDiffers = errors.New("differs")
