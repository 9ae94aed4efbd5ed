package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	nodestore "branchline/node/store"
	"branchline/schema"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func backupCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "backup", Usage: "write a checked copy of a site's database and files, running or stopped",
		ArgsUsage: takes(operands{names: []string{"NAME"}, optional: 1}),
		Flags:     append(siteFlags(), jsonFlag()),
		Description: "The copy lies in the folder's backups/ as NAME, or a name with the day and time, the files of attachments beside it\n" +
			"in NAME.blobs. Both hold personal data: keep them encrypted and elsewhere. Headquarters' keys (hq.seed, ca.*) and ledger lie beside the database, not in\nthe copy: keep those once, apart, and never put an older ledger back.",
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
				out, err = e.backupStopped(c, c.String("dir"), name)
			}
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, out)
			}
			fmt.Fprintf(c.App.Writer, "%s\n", out.GetPath())
			if out.GetFiles() > 0 {
				fmt.Fprintf(c.App.Writer, "%s: %s\n", out.GetFilesPath(), filesText(out.GetFiles(), out.GetFileBytes()))
			}
			return nil
		},
	}
}

func (e *env) backupStopped(c *cli.Context, dir, name string) (_ *branchlinev1.BackupResponse, err error) {
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
	files, err := blob.Open(dir, e.now)
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.BackupResponse{Path: path, Bytes: size, FilesPath: path + blob.BackupSuffix}
	out.Files, out.FileBytes, err = files.CopyInto(out.GetFilesPath())
	return out, err
}

// filesText says how many files of attachments there are.
func filesText(files, bytes int64) string {
	return fmt.Sprintf("%d files of attachments, %.1f MB", files, float64(bytes)/(1<<20))
}

func restoreCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "restore", Usage: "put a backup back into a stopped folder; what is there now is kept beside it",
		ArgsUsage: takes(operands{names: []string{"FILE"}}),
		Flags:     []cli.Flag{&cli.StringFlag{Name: "dir", Usage: "the site's folder", Required: true}, jsonFlag()},
		Description: "A branch begins a new incarnation at its next hello and gets back from headquarters what the backup lacks.\n" +
			"Headquarters begins a new epoch at its next start; the branches send again what it lacks. Its ledger stays as it is.\n" +
			"Files of attachments come back from FILE.blobs; those that are there stay.",
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
			files, err := e.restoreFiles(f.dir, c.Args().First()+blob.BackupSuffix)
			if err != nil {
				return fmt.Errorf("the database is restored, its files are not: %w", err)
			}
			if c.Bool("json") {
				fmt.Fprintf(c.App.Writer, "{\"role\":%q,\"kept\":%q,\"files\":%d}\n", f.role, kept, files)
				return nil
			}
			fmt.Fprintf(c.App.Writer, "restored; what was there before lies in %s\n", kept)
			if files > 0 {
				fmt.Fprintf(c.App.Writer, "%d files of attachments were put back\n", files)
			}
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

// restoreFiles puts the files beside a backup back, those that are not there. What is there stays: a file never changes.
func (e *env) restoreFiles(dir, from string) (int64, error) {
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return 0, nil // a backup of before there were any, or whose files are kept elsewhere
	}
	s, err := blob.Open(dir, e.now)
	if err != nil {
		return 0, err
	}
	n, bad, err := s.TakeBack(from)
	if err == nil && len(bad) > 0 {
		err = fmt.Errorf("%d files in %s are damaged and were not put back, the first is %s", len(bad), from, bad[0])
	}
	return n, err
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
