// Package look is the page furniture that the branch's pages and HQ's pages share: the frame with rail, search box and
// line state, the marks and words of the state vocabulary, the parts pages are put together from, sign-in and error
// pages, static files and the headers they go out with. Charts are in look/chart, test tools in look/looktest.
//
// Rules:
//   - A page is a struct that embeds Frame and a template that defines "main". It is checked at the start, parsed again
//     for a language when somebody first reads it in that language, since a site's pages in all of them would hold ten
//     megabytes, and rendered into memory before the first byte goes out: a reader never gets half a page.
//   - Every word a person reads comes from a catalogue, present in all languages; a missing one stops New.
//   - No inline style or script and no data: address anywhere, so that Secure's policy needs no exception.
//   - A state is told by a shape and a word; colour only repeats it.
//
// It promises that a template with a wrong escaping context fails in Page, not at the first reader. It does not decide
// who may see a page, keeps no session, reads no clock: the time of a page comes in with its Frame.
package look

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"branchline/schema/look/chart"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed words/*.toml
var wordFiles embed.FS

// SharedWords is the catalogue of words that both sites have.
func SharedWords() fs.FS {
	shared, err := fs.Sub(wordFiles, "words")
	if err != nil {
		panic(err) // only an invalid path fails, and this one is fixed
	}
	return shared
}

// Config says what a site adds to the shared furniture.
type Config struct {
	// Words are the site's own catalogues, each a file system that holds words_zh_cn.toml, words_zh_tw.toml and
	// words_en.toml at its root. A key may be defined once only, the shared ones included.
	Words []fs.FS

	// Zone is the zone in which instants are shown as days and clock times. Required, unless there is ZoneNow.
	Zone *time.Location
	// ZoneNow, if not nil, is asked at each use in its place: for a site whose zone may be told to it while it runs.
	ZoneNow func() *time.Location
}

// Look is the parsed furniture. It does not change after New and may be used from any goroutine.
type Look struct {
	words  *Words
	zone   func() *time.Location
	static *assets
	login  *Page
	fault  *Page

	mu   sync.Mutex
	base map[Lang]*template.Template // parsed when first asked for; cloned by every page, never executed itself
}

// New reads the catalogues and parses the shared templates. It fails when a key is missing in a language or defined
// twice, and when a template does not parse.
func New(c Config) (*Look, error) {
	if c.Zone == nil && c.ZoneNow == nil {
		return nil, errors.New("look: config needs a zone")
	}
	if c.ZoneNow == nil {
		c.ZoneNow = func() *time.Location { return c.Zone }
	}
	words, err := LoadWords(append([]fs.FS{SharedWords()}, c.Words...)...)
	if err != nil {
		return nil, err
	}
	files, err := newAssets()
	if err != nil {
		return nil, err
	}
	l := &Look{words: words, zone: c.ZoneNow, static: files, base: map[Lang]*template.Template{}}
	if l.login, err = l.Page(templateFiles, "templates/login.html"); err != nil {
		return nil, err
	}
	if l.fault, err = l.Page(templateFiles, "templates/error.html"); err != nil {
		return nil, err
	}
	return l, nil
}

// frame is the shared frame in one language.
func (l *Look) frame(lang Lang) (*template.Template, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.base[lang]; t != nil {
		return t, nil
	}
	t, err := template.New("look").Funcs(l.funcs(lang)).ParseFS(templateFiles,
		"templates/base.html", "templates/marks.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("look: parse frame: %w", err)
	}
	l.base[lang] = t
	return t, nil
}

// T says key in lang; see Words.Say.
func (l *Look) T(lang Lang, key string, args ...any) string { return l.words.Say(lang, key, args...) }

// Has tells whether key is a key of the catalogues.
func (l *Look) Has(key string) bool { return l.words.Has(key) }

// ChartStyle is how charts of a page in lang write their numbers.
func (l *Look) ChartStyle(lang Lang) chart.Style {
	return chart.Style{
		Number:  Num,
		AtLeast: func(n string) string { return l.T(lang, "chart.at_least", n) },
	}
}

// Page is one page. It may be used from any goroutine.
type Page struct {
	l     *Look
	fsys  fs.FS
	names []string

	mu sync.Mutex
	in map[Lang]*template.Template // languages it was read in so far
}

// Page checks the named files of fsys over the shared frame. The files must define "main"; they may define "head" and
// any part of their own, to be rendered alone by Part. The first name is used in errors.
func (l *Look) Page(fsys fs.FS, names ...string) (*Page, error) {
	if len(names) == 0 {
		return nil, errors.New("look: page needs a template")
	}
	p := &Page{l: l, fsys: fsys, names: names, in: map[Lang]*template.Template{}}
	// One language stands for all: they have the same words, and differ in what the functions say only.
	if _, err := p.parse(Langs()[0]); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Page) name() string { return p.names[0] }

func (p *Page) parse(lang Lang) (*template.Template, error) {
	base, err := p.l.frame(lang)
	if err != nil {
		return nil, err
	}
	t, err := base.Clone()
	if err != nil {
		return nil, fmt.Errorf("look: clone frame for %s: %w", p.name(), err)
	}
	if t, err = t.ParseFS(p.fsys, p.names...); err != nil {
		return nil, fmt.Errorf("look: parse %s: %w", p.name(), err)
	}
	if t.Lookup("main").Tree.Root.String() == "" {
		return nil, fmt.Errorf("look: %s defines no main", p.name())
	}
	if err := escape(t); err != nil {
		return nil, fmt.Errorf("look: escape %s: %w", p.name(), err)
	}
	return t, nil
}

// parsed is the page in one language.
func (p *Page) parsed(lang Lang) (*template.Template, error) {
	if !slices.Contains(Langs(), lang) {
		return nil, fmt.Errorf("look: render %s: no language %q", p.name(), lang)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.in[lang]; t != nil {
		return t, nil
	}
	t, err := p.parse(lang)
	if err == nil {
		p.in[lang] = t
	}
	return t, err
}

// escape makes html/template do its contextual escaping now. It does so on first execution, before any value is
// looked at; the failure for want of a value that follows is expected and means nothing.
func escape(t *template.Template) error {
	err := t.ExecuteTemplate(io.Discard, "base", nil)
	if bad := (*template.Error)(nil); errors.As(err, &bad) {
		return bad
	}
	return nil
}

// Render answers with the whole page. When it returns an error before the page was complete, nothing has been written
// and the caller may still answer with an error page; an error in sending means the reader has gone.
func (p *Page) Render(w http.ResponseWriter, status int, view View) error {
	lang := view.frame().Lang
	return p.send(w, status, "base", lang, view)
}

// Part answers with one named template of the page alone, for a request that replaces a part of an open page. Data is
// whatever that template takes. Errors as in Render.
func (p *Page) Part(w http.ResponseWriter, status int, name string, lang Lang, data any) error {
	return p.send(w, status, name, lang, data)
}

// Write renders one named template of the page ("base" is the whole page) to w, without headers, for a stream of live
// parts. Nothing is written when the template fails.
func (p *Page) Write(w io.Writer, name string, lang Lang, data any) error {
	b, err := p.bytes(name, lang, data)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("look: send %s: %w", p.name(), err)
	}
	return nil
}

// Line renders how the line of a frame stands, for an open page: the words in the top bar (the element "line") and the
// strip under it (what "strip" holds).
func (l *Look) Line(f Frame) (line, strip []byte, err error) {
	if line, err = l.fault.bytes("line", f.Lang, f); err != nil {
		return nil, nil, err
	}
	strip, err = l.fault.bytes("band", f.Lang, f)
	return line, strip, err
}

func (p *Page) bytes(name string, lang Lang, data any) ([]byte, error) {
	t, err := p.parsed(lang)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("look: render %s: %w", p.name(), err)
	}
	return b.Bytes(), nil
}

func (p *Page) send(w http.ResponseWriter, status int, name string, lang Lang, data any) error {
	b, err := p.bytes(name, lang, data)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", string(lang))
	h.Set("Content-Length", strconv.Itoa(len(b)))
	// Pages show people's names and phones: no cache keeps them.
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Cookie, Accept-Language, HX-Request")
	w.WriteHeader(status)
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("look: send %s: %w", p.name(), err)
	}
	return nil
}
