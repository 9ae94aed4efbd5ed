package web_test

import (
	"crypto/sha256"
	"encoding/pem"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"branchline/hq/web"
	"branchline/schema/access"
	"branchline/schema/account"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/serve"
	"branchline/schema/sql"
)

const password = "a quiet long password"

// rig is headquarters' pages over a made-up API, served as HQ serves them, with real accounts.
type rig struct {
	t        testing.TB
	world    *fake
	url      string
	accounts *account.Accounts
	routes   []string
	http     *http.Client
}

func newRig(t testing.TB, world *fake) *rig {
	t.Helper()
	r := &rig{t: t, world: world}
	db, err := sql.Open(t.Context(), sql.Config{Path: filepath.Join(t.TempDir(), "a.db"), Migrations: sql.HQ()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	log := slog.New(slog.DiscardHandler)
	random := rand.NewChaCha8(sha256.Sum256([]byte(t.Name())))
	r.accounts, err = account.New(account.Config{
		Site: access.HQ, DB: db, Now: now, Rand: random, Log: log,
		Cost: &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	})
	if err != nil {
		t.Fatal(err)
	}
	site, err := web.New(web.Config{Group: func() string { return "申陆汽车" }, Zone: zone, Now: now, Rand: random, CA: authority, Log: log, Views: world, Links: world, Files: world, Changes: world})
	if err != nil {
		t.Fatal(err)
	}
	server, err := serve.New(serve.Config{
		Site: access.HQ, Accounts: r.accounts, Records: world, Sites: world, Headquarters: world, Match: world, Counter: &cards{}, Now: now, Rand: random, Log: log,
		Pages: func(p *access.Pages, api *serve.Client) error {
			err := site.Register(p, api)
			r.routes = p.Routes()
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(server.Handler())
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	r.url = srv.URL
	r.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(r.http.CloseIdleConnections)
	return r
}

// token makes an account with the roles and gives a session of it.
func (r *rig) token(name string, roles ...branchlinev1.Role) string {
	r.t.Helper()
	staff := ""
	if name == "steward" {
		staff = "zl"
	}
	if _, err := r.accounts.Create(r.t.Context(), &branchlinev1.Account{Name: name, Staff: staff, Roles: roles}, password); err != nil {
		r.t.Fatal(err)
	}
	g, err := r.accounts.SignIn(r.t.Context(), account.Try{Account: name, Password: password, Source: "test", Label: "test"})
	if err != nil {
		r.t.Fatal(err)
	}
	return g.Token
}

// cookie is the name of the session's cookie.
func (r *rig) cookie() string {
	u, err := url.Parse(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	return "branchline-" + u.Port()
}

type answer struct {
	status int
	head   http.Header
	body   string
}

func (r *rig) do(method, path, token string, lang look.Lang, form url.Values, edit ...func(*http.Request)) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		req.AddCookie(&http.Cookie{Name: r.cookie(), Value: token})
	}
	req.AddCookie(&http.Cookie{Name: "lang", Value: string(lang)})
	for _, e := range edit {
		e(req)
	}
	res, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

func (r *rig) get(path, token string, lang look.Lang) answer {
	r.t.Helper()
	return r.do(http.MethodGet, path, token, lang, nil)
}

// text is a page without its tags, runs of space as one.
func text(html string) string {
	var b strings.Builder
	in := false
	for _, c := range html {
		switch {
		case c == '<':
			in = true
			b.WriteByte(' ')
		case c == '>':
			in = false
		case !in:
			b.WriteRune(c)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func day(t time.Time) string { return t.Format(time.DateOnly) }

// authority stands for the certificate of the group's CA: the pages know no more of it than its bytes.
func authority() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("the certificate of the group's authority")})
}
