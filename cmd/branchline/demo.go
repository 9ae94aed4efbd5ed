package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"branchline/cmd/rig"
	"branchline/cmd/rig/show"
	"branchline/cmd/rig/town"
)

func demoCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "a made-up dealer group on this machine: one HQ, branches of two companies, real links",
		Description: "Without --dir everything lies in a temporary folder that is removed at the end; a given folder is continued.\nIt runs until Ctrl-C; with --story it ends by itself and exits 5 when a step is not as told.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Usage: "folder to keep the group in"},
			&cli.IntFlag{Name: "branches", Value: 3, Usage: "2 to 60"},
			&cli.IntFlag{Name: "customers", Value: 5000},
			&cli.IntFlag{Name: "lines", Value: 40000, Usage: "order lines in all"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "same seed, same people and cars"},
			&cli.BoolFlag{Name: "story", Usage: "cut, edit, restore, narrate, verify, end"},
			&cli.StringFlag{Name: "lang", Usage: "language it speaks: zh or en", DefaultText: "that of LANG"},
			verboseFlag(),
		},
		Action: func(c *cli.Context) error {
			if n := c.Int("branches"); n < 2 || n > 60 {
				return usage("--branches is %d: 2 to 60", n)
			}
			if c.Int("customers") < 1 || c.Int("lines") < 1 {
				return usage("--customers and --lines are at least 1")
			}
			in, err := tongue(c.String("lang"))
			if err != nil {
				return err
			}
			dir := c.String("dir")
			if dir == "" {
				tmp, err := os.MkdirTemp("", "branchline-demo-")
				if err != nil {
					return err
				}
				return errors.Join(e.demo(c, tmp, in), os.RemoveAll(tmp))
			}
			return e.demo(c, dir, in)
		},
	}
}

func (e *env) demo(c *cli.Context, dir string, in show.Tongue) (err error) {
	began := e.now()
	t, err := town.New(town.Config{
		Seed: c.Uint64("seed"), Branches: c.Int("branches"), Customers: c.Int("customers"), Lines: c.Int("lines"), Today: e.now(),
	})
	if err != nil {
		return err
	}
	r, err := rig.New(rig.Config{
		Dir: dir, Branches: show.Branches(t), Group: "申驰汽车", Pages: true, Version: version, Now: e.now, Rand: e.rand, Log: e.logger(c),
	})
	if err != nil {
		return err
	}
	// The rig is closed in good order below, also after Ctrl-C.
	if err := r.Start(context.WithoutCancel(c.Context)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	bar := progress(c, in.Say("edits", "条修改"))
	err = show.Populate(c.Context, r, t, bar.add)
	bar.done()
	if err != nil {
		return err
	}
	if err := show.Settle(c.Context, r, 5*time.Minute); err != nil {
		return err
	}
	tot := t.Totals()
	fmt.Fprintln(e.stdout, in.Say("ready after %.1f s: %d customers registered %d times, %d vehicles, %d orders, %d lines",
		"用了 %.1f 秒，备好了：%d 位客户，登记 %d 次，%d 辆车，%d 张工单，%d 行项目",
		e.now().Sub(began).Seconds(), tot.Customers, tot.Registrations, tot.Vehicles, tot.Orders, tot.Lines))
	e.sayWhere(r, in)
	if c.Bool("story") {
		b := t.Branches()
		if err := show.Story(c.Context, e.stdout, in, r, b[0].Code, b[1].Code, b[len(b)-1].Code); err != nil {
			return fmt.Errorf("%w: %w", errDiffers, err)
		}
		return nil
	}
	people, err := show.People(c.Context, r, t, e.rand)
	if err != nil {
		return err
	}
	if err := show.Tour(c.Context, e.stdout, in, r, people); err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, "\n"+in.Say("Ctrl-C ends it.", "按 Ctrl-C 结束。"))
	show.Obey(c.Context, e.stdin, e.stdout, in, r.Site(t.Branches()[0].Code))
	return nil
}

// tongue is the language asked for, else that of the terminal: LC_ALL, LC_MESSAGES or LANG, the first that is set.
func tongue(asked string) (show.Tongue, error) {
	switch {
	case asked == "zh", strings.HasPrefix(asked, "zh-"):
		return show.Chinese, nil
	case asked == "en":
		return show.English, nil
	case asked != "":
		return 0, usage("--lang is %q: zh or en", asked)
	}
	if strings.HasPrefix(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")), "zh") {
		return show.Chinese, nil
	}
	return show.English, nil
}

func (e *env) sayWhere(r *rig.Rig, in show.Tongue) {
	row := func(code, name, url, account, password string) {
		if password == "" {
			account, password = in.Say("as before", "账号密码同上次"), ""
		}
		fmt.Fprintf(e.stdout, "  %-6s %-8s %-28s %s  %s\n", code, name, url, account, password)
	}
	fmt.Fprintln(e.stdout, "\n"+in.Say("where to look, and how to sign in:", "到哪里看，怎么登录："))
	a, p := r.HQ().FirstAccount()
	row("hq", in.Say("HQ", "总部"), r.HQ().URL(), a, p)
	for _, s := range r.Sites() {
		a, p := s.Node().FirstAccount()
		row(string(s.Code), s.Name, s.Node().URL(), a, p)
	}
}
