package serve_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
)

func TestListen_PlainOnLoopbackOnly(t *testing.T) {
	r := newRig(t, access.Node, nil)
	for listen, want := range map[string]bool{
		"127.0.0.1:0": true, "localhost:0": true, "[::1]:0": true, "127.9.9.9:0": true,
		":8481": false, "0.0.0.0:0": false, "[::]:0": false, "192.0.2.7:8481": false, "branch.example:8481": false,
		"127.0.0.1": false, "127.0.0.1:http-alt-x": false, "127.0.0.1:99999": false,
	} {
		s, err := serve.New(serve.Config{Site: access.Node, Listen: listen, Accounts: r.accounts, Now: time.Now, Rand: crand.Reader, Log: discard})
		if want != (err == nil) || !want && !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%s: %v", listen, err)
		}
		if s != nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestRequests_FromElsewhereRefused(t *testing.T) {
	r := newRig(t, access.Node, func(c *serve.Config) { c.Pages = pages })
	form := func(edit func(*http.Request)) int {
		return r.do("POST", "/sign-in", "", url.Values{"account": {"admin"}, "password": {r.pass}}.Encode(), func(q *http.Request) {
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			edit(q)
		}).status
	}
	host := strings.TrimPrefix(r.url, "http://")
	for what, c := range map[string]struct {
		edit func(*http.Request)
		want int
	}{
		"own page":       {func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "same-origin") }, 303},
		"own origin":     {func(q *http.Request) { q.Header.Set("Origin", "http://"+host) }, 303},
		"no browser":     {func(*http.Request) {}, 303},
		"another site":   {func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"another port":   {func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		"another origin": {func(q *http.Request) { q.Header.Set("Origin", "http://127.0.0.1:1") }, 403},
		"null origin":    {func(q *http.Request) { q.Header.Set("Origin", "null") }, 403},
		"a name of theirs": {func(q *http.Request) {
			q.Host = "rebound.example:8481"
			q.Header.Set("Sec-Fetch-Site", "same-origin")
		}, 421},
	} {
		if got := form(c.edit); got != c.want {
			t.Errorf("%s: %d, want %d", what, got, c.want)
		}
	}
	got := r.do("POST", "/branchline.v1.AccountService/SignIn", "", "{}", func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "cross-site") })
	if got.status != 403 {
		t.Errorf("an RPC from another site's page: %d", got.status)
	}
	for _, path := range []string{"/healthz", "/sign-in", "/nothing-here", "/branchline.v1.RecordService/GetRecord"} {
		h := r.do("GET", path, "", "", nil).header
		if h.Get("Content-Security-Policy") == "" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
}

// pages are a site with a sign-in form, one page of its own, one that panics, and a stream.
func pages(p *access.Pages, api *serve.Client) error {
	return errors.Join(
		p.HandleFunc("GET /sign-in", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "form") }),
		p.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
			in, err := api.Accounts.SignIn(r.Context(), &branchlinev1.SignInRequest{Account: r.FormValue("account"), Password: r.FormValue("password")})
			if err != nil {
				var ce *serve.CallError
				errors.As(err, &ce)
				http.Error(w, ce.Message, ce.Status())
				return
			}
			serve.SetSession(w, r, in)
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}),
		p.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
			if _, err := api.Accounts.SignOut(r.Context(), &branchlinev1.Empty{}); err != nil {
				http.Error(w, err.Error(), 500)
				return
			}
			serve.ClearSession(w, r)
		}),
		p.HandleFunc("GET /customers/{id}", func(w http.ResponseWriter, r *http.Request) {
			rec, err := api.Records.GetRecord(r.Context(), &branchlinev1.GetRecordRequest{Name: r.PathValue("id")})
			if err != nil {
				var ce *serve.CallError
				errors.As(err, &ce)
				http.Error(w, ce.Message, ce.Status())
				return
			}
			fmt.Fprintf(w, "%s for %s", rec.GetName(), rec.GetHome())
		}),
		p.HandleFunc("GET /search", func(http.ResponseWriter, *http.Request) { panic(canary) }),
		p.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, ": here\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}),
	)
}

func TestPages_SessionByCookie(t *testing.T) {
	r := newRig(t, access.Node, func(c *serve.Config) { c.Pages = pages })
	if got := r.do("GET", "/customers/7", "", "", nil); got.status != 303 || got.header.Get("Location") != "/sign-in?next=%2Fcustomers%2F7" {
		t.Errorf("signed out: %d %s", got.status, got.header.Get("Location"))
	}
	if got := r.do("GET", "/customers/7", "bt_junk", "", nil); got.status != 401 {
		t.Errorf("a junk token: %d", got.status)
	}
	signIn := func(cookie string) string {
		t.Helper()
		got := r.do("POST", "/sign-in", "", url.Values{"account": {"Admin"}, "password": {r.pass}}.Encode(), func(q *http.Request) {
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			q.Header.Set("Cookie", cookie)
		})
		set := got.header.Get("Set-Cookie")
		if got.status != 303 || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Lax") || strings.Contains(set, "Secure") {
			t.Fatalf("sign in: %d %q", got.status, set)
		}
		name, rest, _ := strings.Cut(set, "=")
		if _, port, _ := strings.Cut(r.url, "1:"); name != "branchline-"+port {
			t.Errorf("cookie %s at %s", name, r.url)
		}
		value, _, _ := strings.Cut(rest, ";")
		return name + "=" + value
	}
	get := func(cookie, path string) reply {
		return r.do("GET", path, "", "", func(q *http.Request) { q.Header.Set("Cookie", cookie) })
	}
	first := signIn("")
	if got := get(first, "/customers/7"); got.body != "7 for admin" {
		t.Errorf("%d %q", got.status, got.body)
	}
	if got := get(first, "/customers/gone"); got.status != 404 {
		t.Errorf("not found through a page: %d", got.status)
	}
	second := signIn(first)
	if got := get(first, "/customers/7"); got.status != 303 {
		t.Errorf("the session before the new sign-in still opens: %d", got.status)
	}
	if got := get(second, "/search"); got.status != 500 || !strings.Contains(got.body, "ref ") || strings.Contains(got.body, "canary") {
		t.Errorf("panic in a page: %d %q", got.status, got.body)
	}
	// The cookie opens the API too, from the site's own pages.
	got := r.do("POST", "/branchline.v1.AccountService/WhoAmI", "", "{}", func(q *http.Request) { q.Header.Set("Cookie", second) })
	if got.status != 200 {
		t.Errorf("API by cookie: %d", got.status)
	}
	r.do("POST", "/sign-out", "", "", func(q *http.Request) { q.Header.Set("Cookie", second) })
	if got := get(second, "/customers/7"); got.status != 303 {
		t.Errorf("after signing out: %d", got.status)
	}
	if strings.Contains(r.logs.String(), "canary") {
		t.Error("the value of a panic lies in the log")
	}
	metrics := r.do("GET", "/metrics", "", "", nil)
	for _, want := range []string{`what="GET /customers/{id}"`, `what="/branchline.v1.AccountService/WhoAmI"`, "go_goroutines"} {
		if !strings.Contains(metrics.body, want) {
			t.Errorf("no %s among the metrics", want)
		}
	}
}

func TestSite_SmallPages(t *testing.T) {
	ready := errors.New("the database is being checked")
	r := newRig(t, access.Node, func(c *serve.Config) {
		c.Ready = func(context.Context) error { return ready }
		c.CA = func() []byte { return []byte("-----BEGIN CERTIFICATE-----") }
	})
	clerk := r.token("li", branchlinev1.Role_ROLE_CLERK)
	if got := r.do("GET", "/healthz", "", "", nil); got.status != 200 {
		t.Errorf("healthz: %d", got.status)
	}
	if got := r.do("GET", "/readyz", "", "", nil); got.status != 503 || !strings.Contains(got.body, "being checked") {
		t.Errorf("readyz: %d %s", got.status, got.body)
	}
	if got := r.do("GET", "/ca.crt", "", "", nil); got.status != 200 || !strings.HasPrefix(got.body, "-----BEGIN") {
		t.Errorf("ca.crt: %d %s", got.status, got.body)
	}
	if got := r.do("GET", "/metrics", "", "", nil); got.status != 200 {
		t.Errorf("metrics on this machine: %d", got.status)
	}
	if got := r.do("GET", "/metrics", clerk, "", nil); got.status != 403 {
		t.Errorf("metrics to a clerk: %d", got.status)
	}
	if got := r.do("GET", "/metrics", r.accounts.LocalToken(), "", nil); got.status != 200 {
		t.Errorf("metrics to the owner: %d", got.status)
	}
	if got := r.do("PUT", "/healthz", "", "", nil); got.status != 405 {
		t.Errorf("PUT: %d", got.status)
	}
}

func TestRunFile_FindsTheProcess(t *testing.T) {
	dir := t.TempDir()
	if _, err := serve.Find(filepath.Join(dir, "none")); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := serve.Find(dir); !errors.Is(err, schema.ErrUnavailable) || !strings.Contains(err.Error(), "start it with branchline node --dir "+dir) {
		t.Errorf("never started: %v", err)
	}
	lock, err := serve.LockDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := serve.LockDir(t.Context(), dir); !errors.Is(err, schema.ErrExists) {
		t.Errorf("a second process: %v", err)
	}
	if _, err := serve.Find(dir); !errors.Is(err, schema.ErrUnavailable) || !strings.Contains(err.Error(), "starting") {
		t.Errorf("starting: %v", err)
	}
	r := newRig(t, access.HQ, func(c *serve.Config) { c.Dir = dir })
	var run *serve.Run
	for deadline := time.Now().Add(10 * time.Second); run == nil; { // Run is on its way in another goroutine
		if run, err = serve.Find(dir); err != nil && time.Now().After(deadline) {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	if run.PID != os.Getpid() || run.Role != "hq" || run.Version != "1.2.3" || run.URL != r.url || run.Boot != r.Boot() {
		t.Errorf("run.json: %+v", run)
	}
	st, err := os.Stat(filepath.Join(dir, "run.json"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("run.json: %v %v", st.Mode(), err)
	}
	c, err := run.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if me, err := c.Accounts.WhoAmI(t.Context(), &branchlinev1.Empty{}); err != nil || me.GetName() != "local" {
		t.Errorf("as the owner: %v %v", me, err)
	}
	old, err := os.ReadFile(filepath.Join(dir, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	r.end()
	if _, err := serve.ReadRun(dir); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("run.json is left behind: %v", err)
	}
	// Killed: run.json is there, the lock is not.
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "run.json"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := serve.Find(dir); !errors.Is(err, schema.ErrUnavailable) || !strings.Contains(err.Error(), "start it with branchline hq --dir "+dir) {
		t.Errorf("killed: %v", err)
	}
	again, err := serve.LockDir(t.Context(), dir)
	if err != nil {
		t.Fatalf("after a kill: %v", err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
}

func TestRun_EndsStreamsAndLetsCallsFinish(t *testing.T) {
	r := newRig(t, access.Node, func(c *serve.Config) { c.Pages = pages })
	token := r.token("li", branchlinev1.Role_ROLE_CLERK)
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := r.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	stream := bufio.NewReader(res.Body)
	if line, err := stream.ReadString('\n'); err != nil || line != ": here\n" {
		t.Fatalf("stream: %q %v", line, err)
	}
	answered := make(chan reply, 1)
	go func() { answered <- r.post("RecordService/GetRecord", token, `{"name":"wait"}`) }()
	if c := <-r.records.calls; c.Account != "li" {
		t.Errorf("caller %+v", c)
	}
	ended := make(chan struct{})
	go func() { r.end(); close(ended) }()
	if _, err := io.ReadAll(stream); err != nil {
		t.Errorf("the stream did not end cleanly: %v", err)
	}
	close(r.records.wait)
	if got := <-answered; got.status != 200 {
		t.Errorf("the call under way: %d %s", got.status, got.body)
	}
	<-ended
}

func TestTLS_PinnedClientAndHostCookie(t *testing.T) {
	cert, print := authority(t)
	r := newRig(t, access.Node, func(c *serve.Config) {
		c.Listen, c.Pages, c.CAFingerprint = "0.0.0.0:0", pages, print
		c.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
	})
	if !strings.HasPrefix(r.url, "https://127.0.0.1:") {
		t.Fatalf("url %s", r.url)
	}
	got := r.do("POST", "/sign-in", "", url.Values{"account": {"admin"}, "password": {r.pass}}.Encode(), func(q *http.Request) {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	})
	if set := got.header.Get("Set-Cookie"); !strings.HasPrefix(set, "__Host-branchline-") || !strings.Contains(set, "Secure") || !strings.Contains(set, "Path=/;") {
		t.Errorf("cookie %q", set)
	}
	who := func(print string) error {
		c, err := serve.NewClient(r.url, r.accounts.LocalToken(), print)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Accounts.WhoAmI(t.Context(), &branchlinev1.Empty{})
		return err
	}
	if err := who(print); err != nil {
		t.Errorf("pinned: %v", err)
	}
	if err := who(""); !errors.Is(err, schema.ErrUnavailable) {
		t.Errorf("by the machine's own authorities: %v", err)
	}
	if err := who(strings.Repeat("00", 32)); !errors.Is(err, schema.ErrUnavailable) || !strings.Contains(err.Error(), "authority") {
		t.Errorf("another authority: %v", err)
	}
}

// authority makes a CA and a certificate of it that ran out years ago: a pinned client does not look at dates.
func authority(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	make1 := func(tmpl, parent *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(crand.Reader, tmpl, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	caKey, key := newKey(), newKey()
	from := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: from, NotAfter: from.AddDate(30, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER := make1(ca, ca, caKey, caKey)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "branch"}, NotBefore: from, NotAfter: from.AddDate(1, 0, 0),
		DNSNames: []string{"branch.example"}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	sum := sha256.Sum256(caDER)
	return tls.Certificate{Certificate: [][]byte{make1(leaf, ca, key, caKey), caDER}, PrivateKey: key}, hex.EncodeToString(sum[:])
}
