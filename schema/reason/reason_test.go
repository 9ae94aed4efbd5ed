package reason_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"branchline/schema/reason"
)

func TestOf_ReadsCodeAndArguments(t *testing.T) {
	for _, x := range []struct {
		text string
		code reason.Code
		args []string
	}{
		{"waits for change 41", "waits_for", []string{"41"}},
		{"it cannot be read: proto: cannot parse", "unreadable", []string{"proto: cannot parse"}},
		{"customer.name has 201 characters, allowed are 0 to 200", "length", []string{"customer.name", "201", "0", "200"}},
		{"the branch has 3 changes, headquarters 9; they parted below what the branch still has", "and_below", []string{"the branch has 3 changes, headquarters 9"}},
		{`"2026-13-01" is not a day: write it as 2026-11-21`, "day_form", []string{`"2026-13-01"`}},
		{"changes 3 to 9 of 1a are not those headquarters has", "other_chain", []string{"3", "9", "1a"}},
		{"hello: no such table", "trouble", []string{"no such table"}},
		{`there is no branch "xh"`, "no_branch", []string{`"xh"`}},
		{"there is no customer 06gzt7q961r015587k8bgtsc8w", "none_such", []string{"customer", "06gzt7q961r015587k8bgtsc8w"}},
		{`join cars.csv: there is no column "vin"; there are a, b`, "join_no_column", []string{"cars.csv", `"vin"`, "a, b"}},
		{"c.csv line 7: must be more than 0", "at_line", []string{"c.csv", "7", "must be more than 0"}},
		{"map m: must be more than 0", "map_bad", []string{"m", "must be more than 0"}},
	} {
		r, ok := reason.Of(x.text)
		if !ok || r.Code != x.code || !slices.Equal(r.Args, x.args) {
			t.Errorf("%q is %+v, %v", x.text, r, ok)
		}
	}
	for _, text := range []string{"", "a peer of next year says so", "nats: timeout"} {
		if r, ok := reason.Of(text); ok {
			t.Errorf("%q is %+v", text, r)
		}
	}
}

// rooms are where reasons are said, with the calls that take one: the place of the sentence among the arguments.
var rooms = map[string]map[string]int{
	"../../hq/inbox":  {"refuse": 0, "park": 0, "quarantine": 0, "Alarm": 2},
	"../../hq/store":  {"Alarm": 2},
	"../../sync/link": {"refuse": 0, "forked": 0, "shut": 0},
	"../../node/api":  {"Invalid": 1},
	// What an API finds wrong with a request, and a page shows beside its field.
	"../../node/store": {"Invalid": 1}, "../../node/web": {"Invalid": 1}, "../../sync/desk": {"Invalid": 1}, "../../sync/edit": {"Invalid": 1},
	"../../schema": {"Invalid": 1}, "../../schema/page": {"Invalid": 1}, "../../schema/account": {"Invalid": 1}, "../../schema/access": {"Invalid": 1},
	"../../schema/look/front": {"Invalid": 1}, "../../hq/report": {"Invalid": 1},
	"../../schema/nationalid": {"Invalid": 1}, "../../hq/api": {"Invalid": 1}, "../../hq/web": {"Invalid": 1}, "../../hq/golden": {"Alarm": 2, "Invalid": 1},
	"../../hq/match": {"Invalid": 1}, "../../hq/find": {"Invalid": 1}, "../../node/intake": {"Invalid": 1}, "../../schema/mapfile": {"Invalid": 1},
	"../../node/workshop": {"Invalid": 1}, "../../schema/assent": {"Invalid": 1},
}

// between are files whose sentences are for the other end of a line, never for a person at a page.
var between = map[string]bool{"../../schema/pack.go": true, "../../schema/word.go": true, "../../schema/digest.go": true}

// giveBack are the files whose functions return a sentence.
var giveBack = map[string]bool{
	"../../sync/link/verdict.go": true, "../../node/api/site.go": true, "../../node/api/history.go": true,
}

var verb = regexp.MustCompile(`%[+#]?[a-zA-Z]`)

// Every sentence that the source of a room says has a code: the list is closed.
func TestOf_KnowsEverySentenceOfTheSource(t *testing.T) {
	seen := 0
	for dir, calls := range rooms {
		files, err := fs.Glob(os.DirFS(dir), "*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no source: %v", dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") || between[dir+"/"+name] {
				continue
			}
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, dir+"/"+name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			known := func(e ast.Expr) {
				format, ok := literal(e)
				if !ok || !strings.Contains(format, " ") || strings.Trim(verb.ReplaceAllString(format, ""), " :") == "" {
					return // a variable, a word of the wire, or the text of an error
				}
				seen++
				n := 0
				text := verb.ReplaceAllStringFunc(format, func(string) string { n++; return strconv.Itoa(n) })
				if _, ok := reason.Of(text); !ok {
					t.Errorf("%s: %q has no code: add it to the list, and its words to look/say", set.Position(e.Pos()), format)
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					if at, ok := calls[called(n)]; ok && len(n.Args) > at {
						known(n.Args[at])
					}
				case *ast.KeyValueExpr:
					if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Reason" {
						known(n.Value)
					}
				case *ast.AssignStmt:
					for i, l := range n.Lhs {
						if s, ok := l.(*ast.SelectorExpr); ok && slices.Contains([]string{"Reason", "bad"}, s.Sel.Name) && i < len(n.Rhs) {
							known(n.Rhs[i])
						}
						if s, ok := l.(*ast.SelectorExpr); ok && s.Sel.Name == "Warnings" && i < len(n.Rhs) {
							if c, ok := n.Rhs[i].(*ast.CallExpr); ok && called(c) == "append" {
								known(c.Args[len(c.Args)-1])
							}
						}
					}
				case *ast.CompositeLit:
					if id, ok := n.Type.(*ast.Ident); ok && slices.Contains([]string{"verdict", "LineVerdict"}, id.Name) && len(n.Elts) > 1 {
						known(n.Elts[len(n.Elts)-1])
					}
				case *ast.ReturnStmt:
					// Some give their sentence back, last: JudgeGate and lost, a branch's verdict, why HQ was not asked.
					if giveBack[dir+"/"+name] && len(n.Results) > 0 {
						known(n.Results[len(n.Results)-1])
					}
				}
				return true
			})
		}
	}
	if seen < 60 {
		t.Errorf("only %d sentences were found: the rooms say them by other calls now", seen)
	}
}

func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// literal is the text of a string, of a format, or of what a string begins with.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.CallExpr:
		if called(e) == "Sprintf" && len(e.Args) > 0 {
			return literal(e.Args[0])
		}
	case *ast.BinaryExpr:
		left, lok := literal(e.X)
		right, rok := literal(e.Y)
		if !lok {
			left = "%s"
		}
		if !rok {
			right = "%s"
		}
		return left + right, lok || rok
	}
	return "", false
}
