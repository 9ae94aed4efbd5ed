package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

func testEnv() (*env, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	return &env{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, now: func() time.Time { return time.UnixMilli(0) }}, &out, &errs
}

// walk visits every command with the words that lead to it.
func walk(cmds []*cli.Command, path []string, f func(*cli.Command, []string)) {
	for _, c := range cmds {
		p := append(path[:len(path):len(path)], c.Name)
		f(c, p)
		walk(c.Subcommands, p, f)
	}
}

func TestGuard_everyCommandRefusesWhatWouldBePassedOver(t *testing.T) {
	e, _, _ := testEnv()
	n := 0
	walk(newApp(e).Commands, []string{"branchline"}, func(c *cli.Command, path []string) {
		n++
		o := parseTakes(c.ArgsUsage)
		args := append([]string{}, path...)
		for range max(1, len(o.names)) {
			args = append(args, "x")
		}
		args = append(args, "--dry-run")
		e, _, errs := testEnv()
		if code := run(context.Background(), args, e); code != exitUsage {
			t.Errorf("%v exits %d: %s", args, code, errs)
		}
		e, _, errs = testEnv()
		if code := run(context.Background(), append(path[:len(path):len(path)], "--no-such-flag"), e); code != exitUsage {
			t.Errorf("%v --no-such-flag exits %d: %s", path, code, errs)
		}
		if c.Usage == "" {
			t.Errorf("%v has no help", path)
		}
		if !o.many {
			e, _, errs = testEnv()
			many := append(path[:len(path):len(path)], make([]string, len(o.names)+1)...)
			for i := len(path); i < len(many); i++ {
				many[i] = "x"
			}
			if code := run(context.Background(), many, e); code != exitUsage {
				t.Errorf("%v exits %d: %s", many, code, errs)
			}
		}
	})
	if n < 25 {
		t.Errorf("only %d commands were seen", n)
	}
}

func TestGuard_unknownCommand(t *testing.T) {
	for _, args := range [][]string{{"branchline", "nonsense"}, {"branchline", "hq", "nonsense"}, {"branchline", "hq", "branch", "nonsense"}, {"branchline", "--nonsense"}} {
		e, _, errs := testEnv()
		if code := run(context.Background(), args, e); code != exitUsage || errs.Len() == 0 {
			t.Errorf("%v exits %d: %s", args, code, errs)
		}
	}
}

func TestReport_errorsAsJSON(t *testing.T) {
	e, out, errs := testEnv()
	if code := run(context.Background(), []string{"branchline", "status", "--json", "--dir", t.TempDir() + "/none"}, e); code != exitNotFound {
		t.Errorf("exits %d", code)
	}
	if !strings.HasPrefix(out.String(), `{"error":{"code":"not_found","fields":[]`) || errs.Len() != 0 {
		t.Errorf("out %s, err %s", out, errs)
	}
	e, out, errs = testEnv()
	if code := run(context.Background(), []string{"branchline", "status", "--dir", t.TempDir()}, e); code != exitUnreachable || !strings.Contains(errs.String(), "start it with") || out.Len() != 0 {
		t.Errorf("exits %d: %s%s", code, out, errs)
	}
}

func TestBench_namesMayStandBeforeFlags(t *testing.T) {
	e, out, errs := testEnv()
	e.rand = strings.NewReader("")
	code := run(context.Background(), []string{"branchline", "bench", "nonsense", "--dir", "x", "--json"}, e)
	if code != exitUsage || !strings.Contains(out.String(), `there is no measure \"nonsense\"`) {
		t.Errorf("exits %d: %s%s", code, out, errs)
	}
}
