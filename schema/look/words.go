package look

import (
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// Words are merged catalogues of all languages. A catalogue is a TOML file per language; a key is the dotted path of a
// string in it. In a text, {0} is the first argument and {0|one|more} its first form when the argument is 1, otherwise
// the second. Words do not change after LoadWords and may be used from any goroutine.
type Words struct {
	says map[Lang]map[string]string
}

// LoadWords merges catalogues, each a file system with one file a language at its root. It fails when a key is defined
// twice, when a language lacks a key another has, and when a text has a broken place for an argument.
func LoadWords(catalogues ...fs.FS) (*Words, error) {
	w := &Words{says: map[Lang]map[string]string{}}
	for _, lang := range Langs() {
		w.says[lang] = map[string]string{}
		for i, c := range catalogues {
			says, err := readCatalogue(c, lang)
			if err != nil {
				return nil, err
			}
			for key, text := range says {
				if _, twice := w.says[lang][key]; twice {
					return nil, fmt.Errorf("look: words %s: catalogue %d defines %s again", lang, i, key)
				}
				w.says[lang][key] = text
			}
		}
	}
	return w, w.parity()
}

func readCatalogue(fsys fs.FS, lang Lang) (map[string]string, error) {
	name := lang.wordFile()
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("look: words %s: %w", lang, err)
	}
	var tree map[string]any
	if _, err := toml.Decode(string(b), &tree); err != nil {
		return nil, fmt.Errorf("look: words %s: %w", name, err)
	}
	says := map[string]string{}
	if err := flatten("", tree, says); err != nil {
		return nil, fmt.Errorf("look: words %s: %w", name, err)
	}
	return says, nil
}

func flatten(path string, tree map[string]any, into map[string]string) error {
	for key, v := range tree {
		at := key
		if path != "" {
			at = path + "." + key
		}
		switch v := v.(type) {
		case map[string]any:
			if err := flatten(at, v, into); err != nil {
				return err
			}
		case string:
			if _, err := fill(v, nil); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			into[at] = v
		default:
			return fmt.Errorf("%s is no text", at)
		}
	}
	return nil
}

// parity joins one error for each key that a language lacks.
func (w *Words) parity() error {
	var errs []error
	for _, key := range w.Keys() {
		for _, lang := range Langs() {
			if _, ok := w.says[lang][key]; !ok {
				errs = append(errs, fmt.Errorf("look: words %s lack %s", lang, key))
			}
		}
	}
	return errors.Join(errs...)
}

// Keys lists every key of every language, sorted.
func (w *Words) Keys() []string {
	seen := map[string]bool{}
	for _, says := range w.says {
		for key := range says {
			seen[key] = true
		}
	}
	keys := make([]string, 0, len(seen))
	for key := range seen {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// Has says whether key is a key of the catalogues.
func (w *Words) Has(key string) bool { _, ok := w.says[ZhCN][key]; return ok }

// Say gives the text of key in lang with its arguments in place; whole numbers are grouped. A key that is in no
// catalogue comes out as ⟦key⟧: a state a newer peer invented must not take the page down. Tests look for the bracket.
func (w *Words) Say(lang Lang, key string, args ...any) string {
	text, ok := w.says[lang][key]
	if !ok {
		return "⟦" + key + "⟧"
	}
	said, err := fill(text, args)
	if err != nil {
		return "⟦" + key + "⟧" // braces were checked at load
	}
	return said
}

// fill puts args into the places of text. With nil args it only checks the places.
func fill(text string, args []any) (string, error) {
	if !strings.Contains(text, "{") {
		return text, nil
	}
	var b strings.Builder
	for {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			b.WriteString(text)
			return b.String(), nil
		}
		b.WriteString(text[:open])
		end := strings.IndexByte(text[open:], '}')
		if end < 0 {
			return "", fmt.Errorf("unclosed { in %q", text)
		}
		forms := strings.Split(text[open+1:open+end], "|")
		text = text[open+end+1:]
		n, err := strconv.Atoi(forms[0])
		if err != nil || n < 0 || len(forms) == 2 || len(forms) > 3 {
			return "", fmt.Errorf("place {%s} is neither {0} nor {0|one|more}", strings.Join(forms, "|"))
		}
		switch {
		case n >= len(args):
			b.WriteString("…")
		case len(forms) == 3 && isOne(args[n]):
			b.WriteString(forms[1])
		case len(forms) == 3:
			b.WriteString(forms[2])
		default:
			b.WriteString(say(args[n]))
		}
	}
}

func isOne(v any) bool { n, ok := whole(v); return ok && n == 1 }

func say(v any) string {
	if n, ok := whole(v); ok {
		return Num(n)
	}
	return fmt.Sprint(v)
}

func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case uint32:
		return int64(v), true
	}
	return 0, false
}
