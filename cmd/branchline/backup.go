package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	nodestore "branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func backupCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "backup", Usage: "write a checked copy of a site's database, running or stopped",
		ArgsUsage: takes(operands{names: []string{"NAME"}, optional: 1}),
		Flags:     append(siteFlags(), jsonFlag()),
		Description: "The copy lies in the folder's backups/ as NAME, or a name with the day and time. It holds personal data:\n" +
			"keep it encrypted and elsewhere. Headquarters' keys (hq.seed, ca.*) and ledger lie beside the database, not in\nthe copy: keep those once, apart, and never put an older ledger back.",
		Action: func(c *cli.Context) error {
			name := c.Args().First()
			if name == "" {
				name = e.now().Format("20060102-150405") + ".db"
			}
			if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
				return usage("backup: %q is a path: give a plain file name, the copy lies in the folder's backups/", name)
			}
			out := &branchlinev1.BackupResponse{}
			s, err := e.site(c)
			switch {
			case err == nil:
				out, err = s.self.Backup(c.Context, &branchlinev1.BackupRequest{File: name})
			case errors.Is(err, schema.ErrUnavailable) && c.String("dir") != "":
				out, err = backupStopped(c, c.String("dir"), name)
			}
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, out)
			}
			fmt.Fprintf(c.App.Writer, "%s\n", out.GetPath())
			return nil
		},
	}
}

func backupStopped(c *cli.Context, dir, name string) (_ *branchlinev1.BackupResponse, err error) {
	f, err := openFolder(c.Context, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.release()) }()
	db, err := f.readOnly(c.Context)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	path, size, err := db.BackupInto(c.Context, dir, name)
	if err != nil {
		return nil, err
	}
	return &branchlinev1.BackupResponse{Path: path, Bytes: size}, nil
}

func restoreCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "restore", Usage: "put a backup back into a stopped folder; what is there now is kept beside it",
		ArgsUsage: takes(operands{names: []string{"FILE"}}),
		Flags:     []cli.Flag{&cli.StringFlag{Name: "dir", Usage: "the site's folder", Required: true}, jsonFlag()},
		Description: "A branch begins a new incarnation at its next hello and gets back from headquarters what the backup lacks.\n" +
			"Headquarters begins a new epoch at its next start; the branches send again what it lacks. Its ledger stays as it is.",
		Action: func(c *cli.Context) (err error) {
			f, err := openFolder(c.Context, c.String("dir"))
			if err != nil {
				if errors.Is(err, schema.ErrExists) {
					return fmt.Errorf("stop the site first: %w", err)
				}
				return err
			}
			defer func() { err = errors.Join(err, f.release()) }()
			kept, err := e.restore(c, f, c.Args().First())
			if err != nil {
				return err
			}
			if c.Bool("json") {
				fmt.Fprintf(c.App.Writer, "{\"role\":%q,\"kept\":%q}\n", f.role, kept)
				return nil
			}
			fmt.Fprintf(c.App.Writer, "restored; what was there before lies in %s\n", kept)
			return nil
		},
	}
}

// restore checks the backup before it touches anything.
func (e *env) restore(c *cli.Context, f *folder, file string) (kept string, err error) {
	check := *f
	check.db = file
	db, err := check.readOnly(c.Context)
	if err != nil {
		return "", fmt.Errorf("the backup is not used: %w", err)
	}
	if err := db.Close(); err != nil {
		return "", err
	}
	kept, err = f.aside("before-restore-" + e.now().Format("20060102-150405"))
	if err != nil {
		return "", err
	}
	if err := copyFile(file, f.db); err != nil {
		return "", fmt.Errorf("copy the backup; the database before it lies in %s: %w", kept, err)
	}
	if f.role == "node" {
		if err := e.markRestored(c.Context, f.dir); err != nil {
			return "", fmt.Errorf("mark as restored; the database before it lies in %s: %w", kept, err)
		}
	}
	return kept, nil
}

// markRestored has a branch say at its next hello that it was put back.
// Headquarters needs no mark: each of its starts is an epoch of its own.
func (e *env) markRestored(ctx context.Context, dir string) error {
	s, err := nodestore.Open(ctx, nodestore.Config{Dir: dir, Now: e.now, Rand: e.rand})
	if err != nil {
		return err
	}
	return errors.Join(s.MarkRestored(ctx), s.Close())
}
