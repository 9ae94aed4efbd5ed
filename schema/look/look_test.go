package look_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/chart"
	"branchline/schema/look/looktest"
)

// now is 2026-11-21 10:40 in Shanghai.
const now = int64(1795228800000)

func newLook(t testing.TB) *look.Look {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	l, err := look.New(look.Config{Zone: zone})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type order struct {
	Promised                       int64
	Plate, VIN, State, Item, Payer string
	Minor                          int64
}

type value struct {
	Label, Value string
	Source       look.Source
}

type sample struct {
	look.Frame
	Note    look.Note
	Orders  []order
	Sources []value
	Wheres  []string
	List    []look.ListItem
	Pager   look.Pager
	Fields  []look.Field
	Bars    chart.Bars
	Columns chart.Columns
	Lines   chart.Lines
	Spark   chart.Spark
}

func frame(lang look.Lang) look.Frame {
	return look.Frame{
		Lang: lang, Now: now, Title: "今日", SiteName: "浦东店", GroupName: "申陆汽车", Path: "/?a=1&b=2", Active: "today",
		Rail: []look.RailItem{
			{ID: "today", Href: "/", Text: "今日"},
			{ID: "floor", Href: "/floor", Text: "车间", Count: 17},
			{ID: "customers", Href: "/customers", Text: "客户"},
			{ID: "vehicles", Href: "/vehicles", Text: "车辆"},
			{ID: "reports", Href: "/reports", Text: "报表", Wide: true},
		},
		User: look.Person{Name: "周敏", Role: "服务顾问", SignOut: "/sign-out"},
		Line: look.LineState{Kind: look.LineDown, Href: "/line", Waiting: 43, Heard: now - 42*60_000},
		Find: look.Find{Action: "/search", Live: true},
	}
}

func filled(l *look.Look, lang look.Lang) sample {
	s := sample{Frame: frame(lang)}
	s.Note = look.Note{Tone: "warn", Mark: "soon", Fact: "三包快到限：", Then: "再修一次客户就可以要求换车。", Act: &look.Act{Href: "/x", Text: "看怎么算的"}}
	for i, state := range []string{
		"BOOKED", "RECEIVED", "DIAGNOSING", "QUOTED", "APPROVED", "IN_WORK", "WAITING_PARTS", "WAITING_INSURER",
		"QUALITY_CHECK", "READY", "SETTLED", "HANDED_OVER", "ORDER_STATE_CANCELLED", "A_NEWER_ONE",
	} {
		s.Orders = append(s.Orders, order{
			Promised: now + int64(i-3)*20*60_000, Plate: "沪A8K362", VIN: "LSVUB25N5R2086531", State: state,
			Item:  []string{"PROPOSED", "APPROVED", "DECLINED", "DONE"}[i%4],
			Payer: []string{"CUSTOMER", "INSURER", "MAKER", "INTERNAL", "GOODWILL"}[i%5], Minor: int64(i) * 128005,
		})
	}
	s.Wheres = []string{"SAVED", "AT_DOOR", "COMMITTED", "DELIVERED", "OVERRIDDEN", "WAITS", "REFUSED", "PARKED", "QUARANTINED"}
	for i, w := range s.Wheres {
		s.Sources = append(s.Sources, value{"手机", "139 0000 2207", look.Source{
			Where: w, Site: "虹桥店", Own: i%2 == 0, At: now - int64(i*i*i)*20*3600_000, Now: now, Who: "王莉",
		}})
	}
	s.List = []look.ListItem{
		{Mark: "late", Tone: "b", Text: "给徐志强打电话：要晚交", Href: "/orders/1", Meta: "答应 10:30，已过", Plate: "沪C7M21D"},
		{Mark: "sister", Tone: "a", Text: "虹桥店改了 陈建国 的电话", Meta: "10:31 · 王莉", Act: &look.Act{Href: "/y", Text: "看"}},
	}
	s.Pager = look.Pager{Prev: "?page=1", Next: "?page=3", Text: "51–100"}
	s.Fields = []look.Field{
		{ID: "plate", Label: "车牌", Value: "沪A8K3", Fault: "少了 2 位。"},
		{ID: "km", Label: "里程（km）", Value: "199105", Doubt: "比上次多 16 万，可能多打了一位？"},
		{ID: "say", Label: "主诉", Hint: "一句话", Required: true},
	}
	months := []string{"2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11"}
	run := func(ns ...int64) (v []chart.Value) {
		for i, n := range ns {
			v = append(v, chart.Value{N: n, Open: i == len(ns)-1})
		}
		return v
	}
	st := l.ChartStyle(lang)
	s.Bars = chart.Bars{Title: "各店进店量", First: "店", Unit: "台次", Width: chart.Side, Style: st, Rows: []chart.Row{
		{Label: "浦东店", Value: chart.Value{N: 1412}},
		{Label: "苏州园区店", Value: chart.Value{N: 951}},
		{Label: "松江店", Value: chart.Value{N: 296, Open: true}},
		{Label: "南通店", Value: chart.Value{None: true}},
	}}
	two := []chart.Series{
		{Name: "客户付", Values: run(410, 388, 451, 296, 274, 251)},
		{Name: "保险付", Values: run(120, 90, 133, 71, 60, 58)},
		{Name: "厂家付", Values: run(60, 45, 30, 71, 60, 20)},
		{Name: "内部", Values: run(20, 25, 40, 31, 20, 18)},
	}
	s.Columns = chart.Columns{Title: "营业额，按谁付", First: "月", Labels: months, Series: two, Stacked: true, Width: chart.Side, Style: st}
	s.Lines = chart.Lines{Title: "服务留存", First: "月", Labels: months, Series: two[:2], Style: st}
	s.Spark = chart.Spark{Title: "近六个月", Values: run(3, 5, 4, 9, 7, 8)}
	return s
}

func samplePage(t testing.TB, l *look.Look) *look.Page {
	t.Helper()
	p, err := l.Page(os.DirFS("testdata"), "sample.html")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every template of the package, with filled views, in every language and every state of the line.
func TestTemplates_RenderWellFormed(t *testing.T) {
	l := newLook(t)
	page := samplePage(t, l)
	for _, lang := range look.Langs() {
		views := map[string]func(w http.ResponseWriter) error{
			"login": func(w http.ResponseWriter) error {
				return l.Login(w, 200, look.Login{Frame: frame(lang), Action: "/login", Next: "/a?b=c&d"})
			},
			"login again": func(w http.ResponseWriter) error {
				return l.Login(w, 401, look.Login{Frame: frame(lang), Action: "/login", Account: "zhoumin", Fault: l.T(lang, "login.wrong")})
			},
			"found": func(w http.ResponseWriter) error {
				return page.Part(w, 200, "found", lang, look.Found{Items: []look.FoundItem{
					{Href: "/vehicles/1", Plate: "沪A8K362", Text: look.Plain("途观L · 顾佳怡"), Kind: "车"},
					{Href: "/customers/2", Name: look.Plain(`<顾>"建明"`), Text: look.Plain("139****0366"), Kind: "客户"},
				}})
			},
			"found none": func(w http.ResponseWriter) error {
				return page.Part(w, 200, "found", lang, look.Found{None: "没有"})
			},
			"sample": func(w http.ResponseWriter) error { return page.Render(w, 200, filled(l, lang)) },
		}
		for _, status := range []int{400, 403, 404, 429, 500, 503} {
			views["error "+http.StatusText(status)] = func(w http.ResponseWriter) error {
				return l.Error(w, status, look.Error{Frame: frame(lang), Ref: "7f3a"})
			}
		}
		for name, line := range map[string]look.LineState{
			"no line": {}, "up": {Kind: look.LineUp}, "sending": {Kind: look.LineUp, Waiting: 1}, "never": {Kind: look.LineDown},
			"fleet": {Kind: look.LineFleet, Branches: 12, Connected: 9}, "whole fleet": {Kind: look.LineFleet, Branches: 1, Connected: 1},
		} {
			views[name] = func(w http.ResponseWriter) error {
				v := filled(l, lang)
				v.Line, v.HQ, v.Live = line, true, "/live"
				return page.Render(w, 200, v)
			}
		}
		for name, render := range views {
			t.Run(string(lang)+" "+name, func(t *testing.T) {
				w := httptest.NewRecorder()
				if err := render(w); err != nil {
					t.Fatal(err)
				}
				looktest.HTML(t, w.Body.String())
				if got := w.Header().Get("Cache-Control"); got != "no-store" {
					t.Errorf("Cache-Control %q", got)
				}
				if w.Header().Get("Content-Language") != string(lang) {
					t.Errorf("Content-Language %q", w.Header().Get("Content-Language"))
				}
			})
		}
	}
}

// ownFiles are those of this package: front has words of its own, and a test of its own.
type ownFiles struct{ fs.FS }

func (f ownFiles) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(f.FS, name)
	return slices.DeleteFunc(list, func(e fs.DirEntry) bool { return e.Name() == "front" }), err
}

func TestWords_OfTheSharedTemplates(t *testing.T) {
	looktest.CheckWords(t, ownFiles{os.DirFS(".")}, look.SharedWords(),
		"order.*", "item.*", "payer.*", "seal.*", "where.*", // by state
		"role.*", "word.*", "tie.*", "kind.*", "due.comeback", "login.wrong", "login.slow_down", "login.over") // for the sites
}

// Words a person at a counter does not know, and words that mean another thing there.
func TestWords_AreBusinessWords(t *testing.T) {
	w, err := look.LoadWords(look.SharedWords())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range w.Keys() {
		for _, lang := range look.Langs() {
			text := strings.ToLower(w.Say(lang, key))
			for _, bad := range []string{"sync", "queue", "conflict", "offline", "同步", "队列", "冲突", "佇列", "衝突", "离线"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s in %s says %q", key, lang, bad)
				}
			}
		}
	}
}

func catalogue(cn, tw, en string) fstest.MapFS {
	return fstest.MapFS{
		"words_zh_cn.toml": {Data: []byte(cn)}, "words_zh_tw.toml": {Data: []byte(tw)}, "words_en.toml": {Data: []byte(en)},
	}
}

func TestNew_RefusesBadWords(t *testing.T) {
	for name, c := range map[string]struct {
		words fstest.MapFS
		says  string
	}{
		"missing in one": {catalogue("[a]\nb='x'", "[a]\nb='x'", "[a]\nc='x'"), "zh-CN lack a.c"},
		"defined twice":  {catalogue("[frame]\nskip='x'", "", ""), "frame.skip again"},
		"a number":       {catalogue("a=1", "", ""), "a is no text"},
		"broken place":   {catalogue("a='{x}'", "", ""), "neither {0}"},
		"unclosed place": {catalogue("a='{0'", "", ""), "unclosed"},
		"no file":        {fstest.MapFS{}, "words_zh_cn.toml"},
		"broken file":    {catalogue("a=", "", ""), "words_zh_cn.toml"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := look.New(look.Config{Zone: time.UTC, Words: []fs.FS{c.words}})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one with %q", err, c.says)
			}
		})
	}
	if _, err := look.New(look.Config{}); err == nil {
		t.Error("no zone was accepted")
	}
}

func TestSay(t *testing.T) {
	w, err := look.LoadWords(catalogue(
		"a='{0} 条，{1}'\nb='没有'", "a='{0} 筆，{1}'\nb='沒有'", "a='{0} {0|change waits|changes wait}, {1}'\nb='none'"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		lang look.Lang
		key  string
		args []any
		want string
	}{
		{look.ZhCN, "a", []any{12345, "x"}, "12,345 条，x"},
		{look.En, "a", []any{int64(1), "x"}, "1 change waits, x"},
		{look.En, "a", []any{0, "x"}, "0 changes wait, x"},
		{look.En, "a", []any{2}, "2 changes wait, …"},
		{look.ZhTW, "b", nil, "沒有"},
		{look.En, "nowhere", nil, "⟦nowhere⟧"},
	} {
		if got := w.Say(c.lang, c.key, c.args...); got != c.want {
			t.Errorf("%s %s %v: %q, want %q", c.lang, c.key, c.args, got, c.want)
		}
	}
}

func TestPage_FailsEarlyAndWhole(t *testing.T) {
	l := newLook(t)
	for name, text := range map[string]string{
		"no main":         `{{define "other"}}x{{end}}`,
		"broken escaping": `{{define "main"}}<a href="{{if .Title}}x{{else}}x"{{end}}>y</a>{{end}}`,
		"unknown func":    `{{define "main"}}{{nope}}{{end}}`,
	} {
		if _, err := l.Page(fstest.MapFS{"p.html": {Data: []byte(text)}}, "p.html"); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
	p, err := l.Page(fstest.MapFS{"p.html": {Data: []byte(`{{define "main"}}much before {{mark "no such mark"}}{{end}}`)}}, "p.html")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := p.Render(w, 200, sample{Frame: frame(look.ZhCN)}); err == nil {
		t.Error("a mark that is not there was rendered")
	}
	if w.Body.Len() > 0 || len(w.Header()) > 0 {
		t.Errorf("something went out: %v %s", w.Header(), w.Body)
	}
	if err := p.Render(httptest.NewRecorder(), 200, sample{}); err == nil {
		t.Error("a frame without a language was rendered")
	}
	var b bytes.Buffer
	v := frame(look.En)
	if err := samplePage(t, l).Write(&b, "line", look.En, v); err != nil || !strings.Contains(b.String(), "Cut off · 43 kept here") {
		t.Errorf("part: %v %s", err, b.String())
	}
	if err := samplePage(t, l).Write(gone{}, "line", look.En, v); !errors.Is(err, errGone) {
		t.Errorf("error %v of a reader who has gone", err)
	}
}

var errGone = errors.New("gone")

type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, errGone }

func TestFormats(t *testing.T) {
	l := newLook(t)
	const minute, hour, day = int64(60_000), int64(3600_000), int64(86400_000)
	for got, want := range map[string]string{
		look.Money(128000, "CNY"):                     "1,280.00",
		look.Money(5, "CNY"):                          "0.05",
		look.Money(-123456789, "CNY"):                 "−1,234,567.89",
		look.Money(1280, "JPY"):                       "1,280",
		look.Money(1280, "KWD"):                       "1.280",
		look.Money(100, "??"):                         "1.00 ??",
		look.Money(-9223372036854775808, "CNY"):       "−92,233,720,368,547,758.08",
		look.Cash(48600, "CNY"):                       "¥ 486.00",
		look.Cash(48600, "USD"):                       "USD 486.00",
		look.Num(-1234):                               "−1,234",
		look.Num(0):                                   "0",
		look.Qty(5700):                                "5.7",
		look.Qty(1000):                                "1",
		look.Qty(100_000):                             "100",
		look.Qty(-250):                                "−0.25",
		l.Day(now):                                    "2026-11-21",
		l.Clock(now):                                  "10:40",
		l.Day(now - 10*hour - 41*minute):              "2026-11-20",
		l.When(look.ZhCN, now, now-9*minute):          "今天 10:31",
		l.When(look.En, now, now-9*minute):            "today 10:31",
		l.When(look.ZhCN, now, now-18*hour):           "11-20 16:40",
		l.When(look.ZhTW, now, now-18*hour):           "11/20 16:40",
		l.When(look.En, now, now-18*hour):             "20 Nov 16:40",
		l.When(look.En, now, now-17*day):              "4 Nov 10:40",
		l.When(look.En, now, now-800*day):             "2024-09-12",
		l.When(look.ZhCN, now, now-800*day):           "2024-09-12",
		l.Ago(look.ZhCN, now, now-14_000):             "14 秒前",
		l.Ago(look.En, now, now-14_000):               "14 s ago",
		l.Ago(look.ZhCN, now, now-500):                "刚刚",
		l.Ago(look.ZhTW, now, now+day):                "剛剛",
		l.Span(look.ZhCN, now, now-80*minute):         "1 小时 20 分",
		l.Span(look.ZhCN, now-2*hour, now):            "2 小时",
		l.Span(look.ZhTW, now, now-3*day):             "3 天",
		l.Span(look.En, now, now-3*day):               "3 days",
		l.Span(look.En, now, now-59_999):              "59 s",
		l.T(look.En, "link.band_waiting", int64(1)):   "1 change waits here. ",
		l.T(look.En, "link.band_waiting", int64(1e3)): "1,000 changes wait here. ",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNegotiate(t *testing.T) {
	for _, c := range []struct {
		cookie, accept string
		want           look.Lang
	}{
		{"", "", look.ZhCN},
		{"en", "zh-CN", look.En},
		{"xx", "en-GB,en;q=0.9", look.En},
		{"", "fr,de;q=0.9", look.ZhCN},
		{"", "fr,en;q=0.5,zh-TW;q=0.8", look.ZhTW},
		{"", "zh-HK", look.ZhTW},
		{"", "zh-Hant-MO", look.ZhTW},
		{"", "zh", look.ZhCN},
		{"", "zh-SG", look.ZhCN},
		{"", ";;;=", look.ZhCN},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: "lang", Value: c.cookie})
		}
		r.Header.Set("Accept-Language", c.accept)
		if got := look.Negotiate(r); got != c.want {
			t.Errorf("cookie %q, accept %q: %s, want %s", c.cookie, c.accept, got, c.want)
		}
	}
}

func TestSetLang(t *testing.T) {
	w := httptest.NewRecorder()
	look.SetLang(w, httptest.NewRequest("POST", "/lang", nil), look.En)
	if got := w.Header().Get("Set-Cookie"); !strings.HasPrefix(got, "lang=en;") || !strings.Contains(got, "HttpOnly") {
		t.Errorf("cookie %q", got)
	}
	for _, l := range look.Langs() {
		if got, ok := look.LangOf(l.Language()); !ok || got != l {
			t.Errorf("%s kept and read again is %q", l, got)
		}
		if got, ok := look.LangNamed(string(l)); !ok || got != l {
			t.Errorf("%s by its name is %q", l, got)
		}
	}
	if l, ok := look.LangOf(branchlinev1.Language_LANGUAGE_UNSPECIFIED); ok {
		t.Errorf("no language is %q", l)
	}
	if l, ok := look.LangNamed("xx"); ok {
		t.Errorf("xx is %q", l)
	}
}

func TestSafeNext(t *testing.T) {
	for next, want := range map[string]string{
		"/": "/", "/a?b=//c": "/a?b=//c", "": "/", "a": "/", "//x": "/", `/\x`: "/", "/a\r\nX: y": "/", "https://x/": "/",
	} {
		if got := look.SafeNext(next); got != want {
			t.Errorf("SafeNext(%q) = %q, want %q", next, got, want)
		}
	}
}

func TestStatic(t *testing.T) {
	l := newLook(t)
	page := httptest.NewRecorder()
	if err := l.Login(page, 200, look.Login{Frame: frame(look.ZhCN), Action: "/login"}); err != nil {
		t.Fatal(err)
	}
	get := func(path, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("If-None-Match", etag)
		w := httptest.NewRecorder()
		l.Static().ServeHTTP(w, r)
		return w
	}
	found := 0
	for _, part := range strings.Split(page.Body.String(), `"/static/`)[1:] {
		path := "/static/" + part[:strings.IndexByte(part, '"')]
		w := get(path, "")
		if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		if strings.Contains(w.Body.String(), "data:image") {
			t.Errorf("%s holds a data: picture", path)
		}
		found++
	}
	if found < 6 {
		t.Errorf("%d static files in the page", found)
	}
	w := get("/static/look.css", "")
	if w.Code != 200 || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("plain name: %d %v", w.Code, w.Header())
	}
	if again := get("/static/look.css", w.Header().Get("ETag")); again.Code != 304 || again.Body.Len() > 0 {
		t.Errorf("asked again: %d", again.Code)
	}
	for _, path := range []string{"/static/", "/static/nothing.css", "/static/../look.go", "/static/static/look.css"} {
		if w := get(path, ""); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestSecure(t *testing.T) {
	w := httptest.NewRecorder()
	look.Secure(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	csp := w.Header().Get("Content-Security-Policy")
	for _, need := range []string{"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(csp, need) {
			t.Errorf("policy lacks %s", need)
		}
	}
	if strings.Contains(csp, "unsafe") || strings.Contains(csp, "data:") {
		t.Errorf("policy is open: %s", csp)
	}
	if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers %v", w.Header())
	}
}

// Every value of the schema's enums has its word in every language, and its mark where the vocabulary has marks.
func TestVocabulary_CoversTheSchema(t *testing.T) {
	l := newLook(t)
	p, err := l.Page(os.DirFS("testdata"), "vocabulary.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		group string
		enum  protoreflect.Enum
	}{
		{"order", branchlinev1.OrderState(0)},
		{"item", branchlinev1.LineState(0)},
		{"payer", branchlinev1.Payer(0)},
		{"where", branchlinev1.WhereState(0)},
		{"where", branchlinev1.ChangeOutcome(0)},
		{"tie", branchlinev1.TieRole(0)},
		{"kind", branchlinev1.LineKind(0)},
		{"role", branchlinev1.Role(0)},
	} {
		values := c.enum.Descriptor().Values()
		for i := 1; i < values.Len(); i++ {
			value := c.enum.Type().New(values.Get(i).Number())
			for _, lang := range look.Langs() {
				var b bytes.Buffer
				if err := p.Write(&b, c.group, lang, value); err != nil {
					t.Fatal(err)
				}
				got := b.String()
				if got == "" || strings.Contains(got, "⟦") || strings.Contains(got, l.T(lang, "order.unknown")) {
					t.Errorf("%s %v in %s: %q", c.group, value, lang, got)
				}
				if marked := c.group == "order" || c.group == "item" || c.group == "where"; marked && !strings.Contains(got, "#m-") {
					t.Errorf("%s %v has no mark: %q", c.group, value, got)
				}
				if word := l.Word(lang, c.group, value); word == l.T(lang, "order.unknown") {
					t.Errorf("%s %v has no word in %s", c.group, value, lang)
				}
			}
		}
	}
	if got := l.Word(look.En, "order", "A_STATE_OF_NEXT_YEAR"); got != "Not stated" {
		t.Errorf("a newer state is %q", got)
	}
}
