// Package cmd_test holds the house rules that no single package can hold.
package cmd_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

type pkg struct {
	ImportPath   string
	Dir          string
	Name         string
	Doc          string
	Imports      []string
	TestImports  []string
	XTestImports []string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Name,Doc,Imports,TestImports,XTestImports,GoFiles,TestGoFiles,XTestGoFiles", "branchline/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func room(path string) string {
	p := strings.SplitN(strings.TrimPrefix(path, "branchline/"), "/", 2)
	return p[0]
}

func TestLayout_importsGoOneWay(t *testing.T) {
	may := map[string]map[string]string{
		"schema": {"node": "schema is what old files and old peers see: it knows no site", "hq": "schema knows no site", "sync": "schema lies below sync", "cmd": "nothing imports cmd"},
		"sync":   {"node": "sync knows the parties by interface only", "hq": "sync knows the parties by interface only", "cmd": "nothing imports cmd"},
		"node":   {"hq": "a branch must build and run without headquarters' code: the two meet on the wire only", "cmd": "nothing imports cmd"},
		"hq":     {"node": "headquarters must not lean on a branch's goodwill or code: the two meet on the wire only", "cmd": "nothing imports cmd"},
	}
	for _, p := range packages(t) {
		for _, imp := range append(append(p.Imports, p.TestImports...), p.XTestImports...) {
			if !strings.HasPrefix(imp, "branchline/") {
				continue
			}
			if why, bad := may[room(p.ImportPath)][room(imp)]; bad {
				t.Errorf("%s imports %s: %s (DESIGN: cmd → node | hq → sync → schema)", p.ImportPath, imp, why)
			}
		}
	}
}

func TestLayout_syncHasNoGoFileOfItsOwn(t *testing.T) {
	files, err := filepath.Glob("../sync/*.go")
	if err != nil || len(files) > 0 {
		t.Fatalf("%v %v: a package named sync would shadow the standard one", files, err)
	}
}

func TestLayout_topLevelIsTheFiveFolders(t *testing.T) {
	given := map[string]bool{"cmd": true, "node": true, "sync": true, "schema": true, "hq": true, "go.mod": true, "go.sum": true, "Makefile": true, "README.md": true}
	out, err := exec.Command("git", "-C", "..", "ls-tree", "--name-only", "HEAD").Output()
	if err != nil {
		t.Skipf("no git here: %v", err)
	}
	for _, f := range strings.Fields(string(out)) {
		if !given[f] && !strings.HasPrefix(f, ".") {
			t.Errorf("%s lies at the top: only the five folders may", f)
		}
	}
}

func TestLayout_packagesSayWhatTheyAreFor(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 || strings.HasPrefix(p.ImportPath, "branchline/schema/gen/") {
			continue
		}
		if len(p.Doc) < 40 {
			t.Errorf("%s has no package comment that says what it is for", p.ImportPath)
		}
	}
}

var banned = regexp.MustCompile(`(^|_)(model|manager|service|helper|util|utils|common|data|core)(_|\.|$)`)

func TestLayout_filesAreShortAndNamedWell(t *testing.T) {
	for _, p := range packages(t) {
		if strings.HasPrefix(p.ImportPath, "branchline/schema/gen/") {
			continue
		}
		if banned.MatchString(p.Name) {
			t.Errorf("%s: its name says nothing (STYLE 11)", p.ImportPath)
		}
		for _, f := range append(append(p.GoFiles, p.TestGoFiles...), p.XTestGoFiles...) {
			if banned.MatchString(f) {
				t.Errorf("%s/%s: its name says nothing (STYLE 11)", p.ImportPath, f)
			}
			b, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(b), "\n"); n > 600 {
				t.Errorf("%s/%s has %d lines: split it", p.ImportPath, f, n)
			}
		}
	}
}

var clockCall = regexp.MustCompile(`\btime\.Now\(\)|"crypto/rand"`)

// Only cmd may read the machine's clock or randomness; everything else gets them through Config.
func TestLayout_timeAndRandomnessComeInThroughConfig(t *testing.T) {
	for _, p := range packages(t) {
		if room(p.ImportPath) == "cmd" || strings.HasPrefix(p.ImportPath, "branchline/schema/gen/") {
			continue
		}
		for _, f := range p.GoFiles {
			b, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			if m := clockCall.Find(b); m != nil {
				t.Errorf("%s/%s uses %s: it comes in through Config", p.ImportPath, f, m)
			}
		}
	}
}
