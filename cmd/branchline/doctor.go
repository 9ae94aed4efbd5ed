package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"branchline/schema"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
)

// finding is one check of the doctor's.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"` // ok, warn, bad
	Text  string `json:"text"`
}

func doctorCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "doctor", Usage: "check a site's health, running or stopped; exit 1 when something is bad",
		Flags: []cli.Flag{&cli.StringFlag{Name: "dir", Usage: "the site's folder", Required: true}, jsonFlag()},
		Action: func(c *cli.Context) error {
			found := e.examine(c.Context, c.String("dir"))
			bad := 0
			for _, f := range found {
				if f.State == "bad" {
					bad++
				}
			}
			if c.Bool("json") {
				b, err := json.Marshal(map[string]any{"ok": bad == 0, "checks": found})
				if err != nil {
					return err
				}
				fmt.Fprintf(c.App.Writer, "%s\n", b)
			} else {
				t := newTable(c.App.Writer, "", "check", "")
				for _, f := range found {
					t.AppendRow([]any{f.State, f.Check, f.Text})
				}
				t.Render()
			}
			if bad > 0 && !c.Bool("json") {
				return fmt.Errorf("%d of %d checks are bad", bad, len(found))
			}
			if bad > 0 {
				return &saidError{exitFailed}
			}
			return nil
		},
	}
}

func (e *env) examine(ctx context.Context, dir string) []finding {
	var out []finding
	say := func(check, state, format string, args ...any) {
		out = append(out, finding{check, state, fmt.Sprintf(format, args...)})
	}
	fi, err := os.Stat(dir)
	if err != nil || !fi.IsDir() {
		say("folder", "bad", "%s is no folder", dir)
		return out
	}
	if m := fi.Mode().Perm(); m&0o077 != 0 {
		say("folder", "warn", "others on this machine may look into it (mode %o): chmod 700", m)
	} else {
		say("folder", "ok", "%s, only its owner may look into it", dir)
	}
	e.tryWriting(dir, say)
	run, err := serve.Find(dir)
	switch {
	case err == nil:
		e.examineRunning(ctx, run, say)
	case errors.Is(err, schema.ErrUnavailable):
		say("process", "warn", "%v", err)
		examineStopped(ctx, dir, say)
	default:
		say("process", "bad", "%v", err)
	}
	return out
}

type sayFunc func(check, state, format string, args ...any)

// tryWriting finds a full or read-only disk the honest way.
func (e *env) tryWriting(dir string, say sayFunc) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		say("disk", "bad", "nothing can be written: %v", err)
		return
	}
	_, err = f.Write(make([]byte, 1<<20))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		say("disk", "bad", "less than 1 MB can be written: %v", err)
		return
	}
	say("disk", "ok", "writable")
}

func (e *env) examineRunning(ctx context.Context, run *serve.Run, say sayFunc) {
	say("process", "ok", "%s runs as process %d at %s", run.Role, run.PID, run.URL)
	if run.Version != version {
		say("version", "warn", "the process runs %s, this program is %s: restart it after an upgrade", run.Version, version)
	}
	cl, err := run.Client()
	if err != nil {
		say("api", "bad", "%v", err)
		return
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := get(ctx, cl, "/readyz"); err != nil {
		say("ready", "warn", "%v", err)
	} else {
		say("ready", "ok", "serves")
	}
	l, err := cl.Sites.GetLine(ctx, &branchlinev1.Empty{})
	if err != nil {
		say("api", "bad", "%v", err)
		return
	}
	e.examineLine(run.Role, l, say)
	if l.GetRole() == "node" {
		say("known elsewhere", "ok", "%s", knownText(e.now(), l.GetKnownElsewhere()))
	}
	for _, w := range l.GetWarnings() {
		say("warning", "warn", "%s", w)
	}
	if n := l.GetQuarantined(); n > 0 {
		say("quarantine", "warn", "%d changes are set aside", n)
	}
	sayFiles(run.Role, l, say)
}

// littleRoom is the free room below which a person should act.
const littleRoom = 1 << 30

func sayFiles(role string, l *branchlinev1.LineStatus, say sayFunc) {
	text := filesText(l.GetFiles(), l.GetFileBytes())
	switch n := l.GetFilesWaiting(); {
	case n > 0 && role == "node":
		text += fmt.Sprintf(", %d of them not at headquarters yet", n)
	case n > 0:
		text += fmt.Sprintf("; %d have not come from their branches", n)
	}
	say("files", "ok", "%s", text)
	if free := l.GetDiskFree(); free > 0 && free < littleRoom {
		say("room", "warn", "%d MB are free on the disk: make room, or files and then changes are refused", free>>20)
	}
}

// examineLine says how the site stands with the others, and what to do about it.
func (e *env) examineLine(role string, l *branchlinev1.LineStatus, say sayFunc) {
	waits := l.GetSaved() + l.GetAtDoor()
	switch l.GetStanding() {
	case "OPEN":
		if role == "node" {
			say("line", "ok", "linked, last heard %s, %d changes wait", ago(e.now(), l.GetLastHeard()), waits)
		}
	case "DOWN":
		say("line", "warn", "cut off from headquarters since %s (%s); %d changes wait; work goes on", ago(e.now(), l.GetLastHeard()), l.GetVerdict(), waits)
	case "TAKING", "WAITING":
		say("line", "warn", "%s; %s", l.GetVerdict(), l.GetAdvice())
	default:
		say("line", "bad", "%s; %s", l.GetVerdict(), l.GetAdvice())
	}
	if l.GetTurnedAt() > 0 {
		say("line", "ok", "%s: %s", timeText(l.GetTurnedAt()), l.GetTurnText())
	}
}

func get(ctx context.Context, cl *serve.Client, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cl.URL+path, nil)
	if err != nil {
		return err
	}
	res, err := cl.HTTP.Do(req)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, res.Status)
	}
	return nil
}

func examineStopped(ctx context.Context, dir string, say sayFunc) {
	f, err := openFolder(ctx, dir)
	if err != nil {
		say("database", "bad", "%v", err)
		return
	}
	defer func() {
		if err := f.release(); err != nil {
			say("folder", "bad", "%v", err)
		}
	}()
	db, err := f.readOnly(ctx)
	if err != nil {
		say("database", "bad", "%v: keep %s as it is and restore a backup by branchline restore", err, filepath.Base(f.db))
		return
	}
	var s string
	err = db.R.QueryRowContext(ctx, "PRAGMA integrity_check(5)").Scan(&s)
	if err = errors.Join(err, db.Close()); err != nil || s != "ok" {
		say("database", "bad", "%s is damaged (%s %v): restore a backup by branchline restore", filepath.Base(f.db), s, err)
		return
	}
	say("database", "ok", "%s is sound", filepath.Base(f.db))
	examineFiles(dir, say)
}

// examineFiles reads the files of a stopped folder through.
func examineFiles(dir string, say sayFunc) {
	whole, bad, err := blob.Survey(dir)
	if err != nil {
		say("files", "bad", "%v", err)
		return
	}
	var bytes int64
	for _, n := range whole {
		bytes += n
	}
	if len(bad) > 0 {
		say("files", "warn", "%d files of attachments are damaged, the first is %s: the running site sets them aside and fetches them again", len(bad), bad[0])
	}
	say("files", "ok", "%s, whole", filesText(int64(len(whole)), bytes))
}
