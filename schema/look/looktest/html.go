// Package looktest holds what tests of pages share: well-formedness and the house rules of HTML, words against
// templates, and a real browser that looks at a page in every language and size and asks axe-core about it.
//
// It is imported by tests only. A test that needs Chromium skips with the reason printed when there is none, and fails
// instead when BRANCHLINE_REQUIRE lists chromium. Screenshots go to the folder BRANCHLINE_SHOTS, if set.
package looktest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// HTML fails the test when a whole page or a part of one is not well-formed, repeats an id, refers to one that is not
// there, breaks the page policy (inline style, script or handler, data: address), or shows a word of no catalogue.
func HTML(t testing.TB, html string) {
	t.Helper()
	for _, fault := range htmlFaults(html) {
		t.Errorf("html: %s", fault)
	}
}

func voidElement(name string) bool {
	switch name {
	case "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr":
		return true
	}
	return false
}

func htmlFaults(html string) []string {
	var faults []string
	say := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	whole := strings.HasPrefix(html, "<!doctype html>")
	if i := strings.Index(html, "⟦"); i >= 0 {
		say("word of no catalogue: %s", around(html, i))
	}
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(html, "<!doctype html>")))
	d.Strict = false // attributes without a value, entities of HTML
	d.Entity = xml.HTMLEntity
	ids := map[string]bool{}
	var refs, stack []string
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			say("%v", err)
			return faults
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			name := tok.Name.Local
			stack = append(stack, name)
			for _, a := range tok.Attr {
				key := a.Name.Local
				switch {
				case key == "style" || strings.HasPrefix(key, "on"):
					say("<%s> has the attribute %s", name, key)
				case strings.HasPrefix(strings.TrimSpace(a.Value), "data:") || strings.HasPrefix(a.Value, "javascript:"):
					say("<%s %s> holds %.20s", name, key, a.Value)
				case key == "id" && a.Name.Space == "":
					if ids[a.Value] {
						say("id %s stands twice", a.Value)
					}
					ids[a.Value] = true
				case key == "for" || key == "aria-describedby" || key == "aria-labelledby" || key == "aria-controls":
					refs = append(refs, strings.Fields(a.Value)...)
				case key == "href" && strings.HasPrefix(a.Value, "#") && len(a.Value) > 1:
					refs = append(refs, a.Value[1:])
				}
			}
			if name == "style" {
				say("<style> in the page")
			}
			if voidElement(name) {
				stack = stack[:len(stack)-1]
			}
		case xml.EndElement:
			name := tok.Name.Local
			if voidElement(name) {
				continue
			}
			if len(stack) == 0 || stack[len(stack)-1] != name {
				say("</%s> closes %v", name, stack)
				return faults
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 && stack[len(stack)-1] == "script" && strings.TrimSpace(string(tok)) != "" {
				say("inline script")
			}
		}
	}
	if len(stack) > 0 {
		say("not closed: %v", stack)
	}
	if whole {
		for _, r := range refs {
			if !ids[r] {
				say("refers to #%s, which is not there", r)
			}
		}
	}
	return faults
}

func around(s string, i int) string { return s[i:min(i+60, len(s))] }
