package looktest

import (
	"context"
	_ "embed" // axe-core
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"branchline/schema/look"
)

//go:embed testdata/axe.min.js
var axe string

// patience is how long one page may take, loading and being looked at; the machine may be busy.
const patience = 120 * time.Second

// Option changes how a page is audited.
type Option func(*visit)

type visit struct {
	name    string
	cookies map[string]string
	dark    bool
	status  int64
	after   int64
	actions []chromedp.Action[chromedp.Void]
}

// Named names the screenshots; without it the address does.
func Named(name string) Option { return func(v *visit) { v.name = name } }

// Cookie is sent with every request: a session, for pages behind sign-in.
func Cookie(name, value string) Option { return func(v *visit) { v.cookies[name] = value } }

// Status is the answer's expected status, 200 without it.
func Status(code int64) Option { return func(v *visit) { v.status = code } }

// After is the status of the page that the actions of Do lead to: the browser's remark on it is no console error.
func After(code int64) Option { return func(v *visit) { v.after = code } }

// Dark looks at the page as on a dark desk.
func Dark() Option { return func(v *visit) { v.dark = true } }

// Do runs actions on the loaded page before it is looked at: opening a menu, typing.
func Do(actions ...chromedp.Action[chromedp.Void]) Option {
	return func(v *visit) { v.actions = append(v.actions, actions...) }
}

// Audit opens a page in a browser of its own; see Browser.Audit.
func Audit(t testing.TB, address string, langs []look.Lang, options ...Option) {
	t.Helper()
	NewBrowser(t).Audit(t, address, langs, options...)
}

// Browser is one Chromium with a fresh profile, for several pages of one test, one after the other. It ends with the test.
type Browser struct {
	ctx      context.Context
	patience time.Duration // with one page
	reader   *tab          // for the next audit that does nothing on its page, nil before the first
}

// unseen are parts of Chromium that work for nobody here: the suggestions of the address bar are pages, drawn anew in each
// window with each page that is opened in it, and took as long as those under test. What a version does not know it leaves out.
const unseen = "Translate,BlinkGenPropertyTrees,WebUIOmniboxPopup,WebUIOmniboxAimPopup"

// NewBrowser starts Chromium. Without one on the machine it skips the test, or fails it when BRANCHLINE_REQUIRE lists
// chromium.
func NewBrowser(t testing.TB) *Browser {
	t.Helper()
	var found string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			found = p
			break
		}
	}
	if found == "" {
		if required("chromium") {
			t.Fatal("no Chromium on the path, and BRANCHLINE_REQUIRE asks for one")
		}
		t.Skip("no Chromium on the path: pages not looked at in a browser")
	}
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options,
		chromedp.ExecPath(found), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.IgnoreCertErrors, // a site under test has a certificate of its own HQ
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-features", unseen),
	)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stopTab := chromedp.NewContext(ctx)
	t.Cleanup(func() { stopTab(); stop() })
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", found, err)
	}
	return &Browser{ctx: ctx, patience: patience}
}

// Patient is the same browser with another patience: for a page that somebody sits at for longer.
func (b *Browser) Patient(d time.Duration) *Browser { return &Browser{ctx: b.ctx, patience: d} }

func required(what string) bool {
	for _, w := range strings.Split(os.Getenv("BRANCHLINE_REQUIRE"), ",") {
		if strings.TrimSpace(w) == what {
			return true
		}
	}
	return false
}

// Audit opens address in each language at 1280 and 360 pixels and fails the test for: another status than 200 (or
// Status), a console error or an uncaught exception (a broken policy is one), a page that scrolls sideways, a lang
// attribute that is not the language asked for, and anything axe-core finds.
func (b *Browser) Audit(t testing.TB, address string, langs []look.Lang, options ...Option) {
	t.Helper()
	for _, lang := range langs {
		for _, width := range []int64{1280, 360} {
			v := &visit{cookies: map[string]string{"lang": string(lang)}, status: 200}
			for _, o := range options {
				o(v)
			}
			for _, fault := range b.audit(t, address, lang, width, v) {
				t.Errorf("%s in %s at %d px: %s", address, lang, width, fault)
			}
		}
	}
}

// audit gives what is wrong with one page in one language at one width.
func (b *Browser) audit(t testing.TB, address string, lang look.Lang, width int64, v *visit) (faults []string) {
	t.Helper()
	own, leave := b.read(t, v)
	tab, stop := context.WithTimeout(own.ctx, b.patience)
	defer func() { leave(tab, len(faults) == 0); stop() }()
	fault := func(format string, args ...any) []string {
		faults = append(faults, fmt.Sprintf(format, args...))
		return faults
	}
	height, scheme := int64(800), "light"
	if width < 500 {
		height = 740
	}
	if v.dark {
		scheme = "dark"
	}
	err := chromedp.Do(tab,
		setCookies(address, v.cookies),
		chromedp.EmulateViewport(width, height, func(p *emulation.SetDeviceMetricsOverrideParams, _ *emulation.SetTouchEmulationEnabledParams) {
			p.Mobile = width < 500
		}),
		chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			return err
		}),
	)
	if err != nil {
		return fault("%v", err)
	}
	answer, err := chromedp.Run(tab, chromedp.NavigateResponse(address))
	if err != nil {
		return fault("%v", err)
	}
	if want := v.status; answer == nil || answer.Status != want {
		return fault("answered %+v, want status %d", answer, want)
	}
	if err := chromedp.Do(tab, v.actions...); err != nil {
		return fault("%v", err)
	}
	if err := keep(tab, v, address, lang, width); err != nil {
		fault("%v", err)
	}
	seen, err := chromedp.Run(tab, chromedp.Evaluate[struct {
		Lang     string
		Sideways int64
	}](`({Lang: document.documentElement.lang, Sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth})`))
	if err != nil {
		return fault("%v", err)
	}
	if seen.Lang != string(lang) {
		fault("lang attribute %q", seen.Lang)
	}
	if seen.Sideways > 0 {
		fault("scrolls sideways by %d px", seen.Sideways)
	}
	for _, e := range own.heard(tab) { // before axe: what it does is not the page's
		if v.status >= 400 && strings.HasSuffix(e, " "+address) && strings.Contains(e, "Failed to load resource") {
			continue // the browser's remark on the very status that was expected
		}
		if v.after >= 400 && strings.Contains(e, fmt.Sprintf("Failed to load resource: the server responded with a status of %d ", v.after)) {
			continue // likewise, of the page the actions led to
		}
		fault("console: %s", e)
	}
	if _, err := chromedp.Run(tab, chromedp.Evaluate[int](axe+"\n;0")); err != nil {
		return fault("axe: %v", err)
	}
	found, err := chromedp.Run(tab, chromedp.Evaluate[string](axeRun, chromedp.EvalAwaitPromise))
	if err != nil {
		return fault("axe: %v", err)
	}
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		return fault("axe: %v", err)
	}
	for _, x := range violations {
		fault("axe: %s: %s\n  %s", x.ID, x.Help, strings.Join(x.Nodes, "\n  "))
	}
	return faults
}

// axeRun asks for every rule axe has, best practices included.
const axeRun = `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => ({
	ID: v.id, Help: v.help, Nodes: v.nodes.map(n => n.html.slice(0, 200) + " :: " + n.failureSummary)}))))`

// Run opens address in a tab of its own with the given cookies and runs actions; console errors fail the test.
func (b *Browser) Run(t testing.TB, address string, cookies map[string]string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	b.RunInto(t, 0, address, cookies, actions...)
}

// RunInto is Run for actions that lead to a page with another status than 200, such as a refused form: the browser's
// remark on that status is not a console error.
func (b *Browser) RunInto(t testing.TB, status int, address string, cookies map[string]string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	own := b.tab(t)
	defer own.close()
	tab, stop := context.WithTimeout(own.ctx, b.patience)
	defer stop()
	err := chromedp.Do(tab, setCookies(address, cookies), chromedp.Navigate(address), chromedp.Steps(actions...))
	if err != nil {
		t.Errorf("%s: %v", address, err)
	}
	for _, e := range own.heard(tab) {
		if status != 0 && strings.Contains(e, fmt.Sprintf("Failed to load resource: the server responded with a status of %d ", status)) {
			continue
		}
		if strings.Contains(e, "net::ERR_INTERNET_DISCONNECTED") {
			continue // Cut
		}
		if strings.Contains(e, "net::ERR_EMPTY_RESPONSE") || strings.Contains(e, "net::ERR_CONNECTION_RESET") || strings.Contains(e, "net::ERR_CONNECTION_CLOSED") {
			continue // a connection that a test cut
		}
		t.Errorf("%s: console: %s", address, e)
	}
}

// Expect is an action that waits until a JavaScript expression of the page is true, and fails after 25 seconds: a busy
// machine is no fault of the page. The page may change to another one meanwhile.
func Expect(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		ctx, stop := context.WithTimeout(ctx, 25*time.Second)
		defer stop()
		again := time.NewTicker(25 * time.Millisecond)
		defer again.Stop()
		for {
			// An answer can get lost with the page it was asked of: ask anew.
			once, forget := context.WithTimeout(ctx, time.Second)
			ok, err := chromedp.Evaluate[bool]("!!("+expression+")")(once, tab)
			forget()
			if err == nil && ok {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait for %s: %w", expression, errors.Join(ctx.Err(), err))
			case <-again.C:
			}
		}
	})
}

// Press is an action that presses and releases one key as a keyboard does, so that a page that handles the key keeps its
// letter out of the fields: "/", a letter or a digit, or the names Tab, Enter, Escape, ArrowUp, ArrowDown. Alt holds Alt.
func Press(key string, held ...chromedp.Modifier) chromedp.Action[chromedp.Void] {
	p := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeRawKeyDown, Key: key, Code: key}
	for _, m := range held {
		p.Modifiers |= int64(m)
	}
	virtual := map[string]int64{"Tab": 9, "Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40, "/": 191}[key]
	switch {
	case key == "Enter":
		p.Text = "\r"
	case key == "/":
		p.Code, p.Text = "Slash", key
	case len(key) == 1 && key >= "0" && key <= "9":
		p.Code, p.Text, virtual = "Digit"+key, key, int64(key[0])
	case len(key) == 1:
		p.Code, p.Text, virtual = "Key"+strings.ToUpper(key), key, int64(strings.ToUpper(key)[0])
	}
	if p.Modifiers != 0 {
		p.Text = ""
	}
	if p.Text != "" {
		p.Type = input.DispatchKeyEventTypeKeyDown
	}
	p.WindowsVirtualKeyCode = virtual
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		if _, err := cdp.Call(ctx, tab, input.DispatchKeyEvent, p); err != nil {
			return fmt.Errorf("press %s: %w", key, err)
		}
		up := p
		up.Type, up.Text = input.DispatchKeyEventTypeKeyUp, ""
		if _, err := cdp.Call(ctx, tab, input.DispatchKeyEvent, up); err != nil {
			return fmt.Errorf("release %s: %w", key, err)
		}
		return nil
	})
}

// lastWord is written to the console to know that everything before it was heard.
const lastWord = "looktest: heard all"

// tab is a tab whose console is listened to.
type tab struct {
	ctx       context.Context // until close
	complains <-chan []string // since the last time it was asked; ready after lastWord
	close     func()
}

// tab opens a tab.
func (b *Browser) tab(t testing.TB) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx)
	late := time.AfterFunc(b.patience, closeTab)
	if err := chromedp.Do(ctx); err != nil {
		closeTab()
		t.Fatalf("open a tab: %v", err)
	}
	late.Stop()
	messages := chromedp.Console(ctx)
	reached := make(chan []string)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var complaints []string
		for m, err := range messages {
			switch {
			case err != nil:
				return
			case m.Text == lastWord:
				select {
				case reached <- complaints:
					complaints = nil
				case <-ctx.Done():
					return
				}
			case m.IsException() || m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning:
				complaints = append(complaints, m.String()+" "+m.URL)
			}
		}
	}()
	return &tab{ctx: ctx, complains: reached, close: func() { closeTab(); <-ended }}
}

// heard gives what the console complained of since it was last asked.
func (x *tab) heard(ctx context.Context) []string {
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[int](`(console.log("`+lastWord+`"), 0)`)); err != nil {
		return []string{err.Error()}
	}
	select {
	case c := <-x.complains:
		return c
	case <-ctx.Done():
		return []string{ctx.Err().Error()}
	}
}

// read gives the tab of an audit, and how to leave it. Audits that do nothing on their page share one, as long as nothing is
// wrong: a new window and reading the scripts anew cost more than the page does.
func (b *Browser) read(t testing.TB, v *visit) (x *tab, leave func(ctx context.Context, sound bool)) {
	t.Helper()
	if len(v.actions) > 0 {
		x = b.tab(t)
		return x, func(context.Context, bool) { x.close() }
	}
	if x, b.reader = b.reader, nil; x == nil {
		x = b.tab(t)
	}
	return x, func(ctx context.Context, sound bool) {
		if sound {
			// By script, as that keeps the renderer.
			_, err := chromedp.RunResponse(ctx, chromedp.Evaluate[chromedp.Void](`void location.replace("about:blank")`))
			x.heard(ctx) // what axe-core said is not the next page's
			if err == nil && ctx.Err() == nil {
				b.reader = x
				return
			}
		}
		x.close()
	}
}

func setCookies(address string, cookies map[string]string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		secure, hidden := u.Scheme == "https", true
		for name, value := range cookies {
			if _, err := cdp.Call(ctx, tab, network.SetCookie, network.SetCookieParams{
				Name: name, Value: value, URL: u.Scheme + "://" + u.Host + "/", Secure: &secure, HTTPOnly: &hidden,
			}); err != nil {
				return fmt.Errorf("set cookie %s: %w", name, err)
			}
		}
		return nil
	})
}

// keep writes a screenshot of the whole page, if somebody asked for one.
func keep(tab context.Context, v *visit, address string, lang look.Lang, width int64) error {
	dir := os.Getenv("BRANCHLINE_SHOTS")
	if dir == "" {
		return nil
	}
	name := v.name
	if name == "" {
		u, err := url.Parse(address)
		if err != nil {
			return fmt.Errorf("keep screenshot: %w", err)
		}
		name = strings.Trim(strings.ReplaceAll(u.Path, "/", "-"), "-")
	}
	if name == "" {
		name = "first"
	}
	shot, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		return fmt.Errorf("keep screenshot: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("keep screenshot: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", name, lang, width)), shot, 0o644); err != nil {
		return fmt.Errorf("keep screenshot: %w", err)
	}
	return nil
}

// Call is an action that runs f while the page is open: what happens elsewhere meanwhile.
func Call(f func()) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(context.Context, *chromedp.Target) error { f(); return nil })
}
