package looktest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"

	"branchline/schema/look"
)

// CheckWords fails the test for each word key that sources use and no catalogue has, and for each key of own that
// nothing uses. Sources is a folder with the site's templates (*.html, in any depth) and Go files: usually
// os.DirFS("."). A template uses a key as the first argument of t; Go code by calling a method T or Say with it, or by
// naming it in any string. Keys put together at run time ("order." + state) are named in alsoUsed, a whole group as
// "order.*". own is the site's catalogue, nil when it has none; the shared keys of look may be used freely.
func CheckWords(t testing.TB, sources, own fs.FS, alsoUsed ...string) {
	t.Helper()
	faults, err := wordFaults(sources, own, alsoUsed)
	if err != nil {
		t.Fatalf("words: %v", err)
	}
	for _, fault := range faults {
		t.Errorf("words: %s", fault)
	}
}

func wordFaults(sources, own fs.FS, alsoUsed []string) ([]string, error) {
	shared, err := look.LoadWords(look.SharedWords())
	if err != nil {
		return nil, err
	}
	mine := &look.Words{}
	if own != nil {
		if mine, err = look.LoadWords(own); err != nil {
			return nil, err
		}
	}
	u := uses{must: map[string]string{}, seen: map[string]bool{}}
	err = fs.WalkDir(sources, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		switch {
		case path.Ext(name) == ".html":
			return u.template(sources, name)
		case path.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go"):
			return u.source(sources, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var faults []string
	for key, where := range u.must {
		if !shared.Has(key) && !mine.Has(key) {
			faults = append(faults, fmt.Sprintf("%s uses %s, which no catalogue has", where, key))
		}
	}
	for _, key := range mine.Keys() {
		if _, ok := u.must[key]; ok || u.seen[key] || covered(key, alsoUsed) {
			continue
		}
		faults = append(faults, key+" is used nowhere")
	}
	sort.Strings(faults)
	return faults, nil
}

func covered(key string, groups []string) bool {
	for _, g := range groups {
		if prefix, ok := strings.CutSuffix(g, "*"); key == g || ok && strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// uses collects keys: must are certainly keys, with the place; seen are strings that may be.
type uses struct {
	must map[string]string
	seen map[string]bool
}

func (u uses) template(fsys fs.FS, name string) error {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck
	set := map[string]*parse.Tree{}
	if _, err := tree.Parse(string(b), "", "", set); err != nil {
		return err
	}
	for _, t := range set {
		if t.Root != nil {
			u.node(name, t.Root)
		}
	}
	return nil
}

func (u uses) node(file string, n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, c := range n.Nodes {
			u.node(file, c)
		}
	case *parse.ActionNode:
		u.node(file, n.Pipe)
	case *parse.IfNode:
		u.branch(file, &n.BranchNode)
	case *parse.RangeNode:
		u.branch(file, &n.BranchNode)
	case *parse.WithNode:
		u.branch(file, &n.BranchNode)
	case *parse.TemplateNode:
		u.node(file, n.Pipe)
	case *parse.PipeNode:
		if n == nil {
			return
		}
		for _, c := range n.Cmds {
			u.node(file, c)
		}
	case *parse.CommandNode:
		if id, ok := n.Args[0].(*parse.IdentifierNode); ok && id.Ident == "t" && len(n.Args) > 1 {
			if key, ok := n.Args[1].(*parse.StringNode); ok {
				u.must[key.Text] = file
			}
		}
		for _, a := range n.Args {
			u.node(file, a)
		}
	case *parse.StringNode:
		u.seen[n.Text] = true
	}
}

func (u uses) branch(file string, n *parse.BranchNode) {
	u.node(file, n.Pipe)
	u.node(file, n.List)
	u.node(file, n.ElseList)
}

func (u uses) source(fsys fs.FS, name string) error {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, b, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	var bad error
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				s, err := strconv.Unquote(n.Value)
				bad = errors.Join(bad, err)
				u.seen[s] = true
			}
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "T" && sel.Sel.Name != "Say" || len(n.Args) < 2 {
				return true
			}
			if lit, ok := n.Args[1].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				s, err := strconv.Unquote(lit.Value)
				bad = errors.Join(bad, err)
				u.must[s] = set.Position(n.Pos()).String()
			}
		}
		return true
	})
	return bad
}
