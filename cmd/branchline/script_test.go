package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"branchline": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			code := run(ctx, os.Args, &env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now, rand: rand.Reader})
			stop()
			os.Exit(code)
		},
	})
}

// TestScript runs the scripts under testdata/script: the commands as a person
// types them, on real processes.
//
// "started FILE" waits until a site that runs in the background has said that it
// is ready; "exits N branchline …" wants that exit code; "retry branchline …"
// tries until it succeeds, for up to thirty seconds; "capture NAME REGEXP FILE"
// keeps the first match in a variable.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"started": started, "exits": exits, "retry": retry, "capture": capture,
		},
		// Where sites lie and what they are told stays in the script's own folder.
		Setup: func(e *testscript.Env) error {
			e.Setenv("BRANCHLINE_ENROL", "")
			e.Setenv("BRANCHLINE_TOKEN", "")
			return nil
		},
	})
}

const patience = 30 * time.Second

func started(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: started DIR")
	}
	path := ts.MkAbs(args[0] + "/run.json")
	for end := time.Now().Add(patience); ; {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s is not there after %s", path, patience)
		}
		pause()
	}
}

// pause is the pace of looking again; the loops around it are bounded by patience.
func pause() {
	t := time.NewTimer(50 * time.Millisecond)
	<-t.C
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("%s exits %s, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture NAME REGEXP FILE")
	}
	re, err := regexp.Compile(args[1])
	if err != nil {
		ts.Fatalf("capture: %v", err)
	}
	found := re.FindString(ts.ReadFile(args[2]))
	if found == "" {
		ts.Fatalf("%s is not in %s", args[1], args[2])
	}
	ts.Setenv(args[0], found)
}

func retry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: retry command…")
	}
	for end := time.Now().Add(patience); ; {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s: %v after %s", strings.Join(args, " "), err, patience)
		}
		pause()
	}
}
