package main

import (
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
)

// bar is a progress bar on standard error; nothing at all when that is no terminal.
type bar struct{ b *progressbar.ProgressBar }

// progress starts a bar of unknown length that counts what.
func progress(c *cli.Context, what string) *bar {
	f, ok := c.App.ErrWriter.(*os.File)
	if !ok {
		return &bar{}
	}
	if fi, err := f.Stat(); err != nil || fi.Mode()&os.ModeCharDevice == 0 {
		return &bar{}
	}
	return &bar{progressbar.NewOptions64(-1, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())}
}

func (b *bar) add(n int) {
	if b.b != nil {
		b.b.Add(n) //nolint:errcheck // a bar that cannot be drawn must not stop the work
	}
}

// say changes what the bar says is being done.
func (b *bar) say(what string) {
	if b.b != nil {
		b.b.Describe(what)
	}
}

func (b *bar) done() {
	if b.b != nil {
		b.b.Finish() //nolint:errcheck // as above
	}
}
