package serve_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/account"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/schema/serve"
	"branchline/schema/sql"
)

var discard = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// safeBuffer is a log that requests write and the test reads.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

// records stands for a site's record handlers: what it does depends on the name asked for.
type records struct {
	branchlinev1connect.UnimplementedRecordServiceHandler
	calls chan access.Caller
	wait  chan struct{}
}

type conflict struct{ error }

func (conflict) Details() []proto.Message {
	return []proto.Message{&branchlinev1.FieldConflict{Field: "name", Yours: `"a"`, Theirs: `"b"`, Branch: "pd"}}
}

func (conflict) Is(err error) bool { return err == schema.ErrConflict }

const canary = "canary张伟13800001234"

func (h *records) GetRecord(ctx context.Context, r *branchlinev1.GetRecordRequest) (*branchlinev1.Record, error) {
	switch name := r.GetName(); {
	case name == "gone":
		return nil, fmt.Errorf("store: get %s: %w", name, schema.ErrNotFound)
	case name == "conflict":
		return nil, conflict{errors.New("changed by another desk")}
	case name == "secret":
		return nil, errors.New("disk says /var/lib/secret")
	case name == "wait":
		h.calls <- access.CallerFrom(ctx)
		<-h.wait
	case strings.HasPrefix(name, "panic"):
		panic(fmt.Sprintf("panic over %s", name))
	case name == "index":
		return &branchlinev1.Record{Name: string(name[len(name)+len(r.String())-len(r.String()):][0])}, nil
	}
	return &branchlinev1.Record{Name: r.GetName(), Home: access.CallerFrom(ctx).Account}, nil
}

func (h *records) ImportRows(_ context.Context, r *branchlinev1.ImportRowsRequest) (*branchlinev1.ImportRowsResponse, error) {
	return &branchlinev1.ImportRowsResponse{Results: make([]*branchlinev1.ImportResult, len(r.GetRows()))}, nil
}

type sites struct {
	branchlinev1connect.UnimplementedSiteServiceHandler
}

type matcher struct {
	branchlinev1connect.UnimplementedMatchServiceHandler
}

type tills struct {
	branchlinev1connect.UnimplementedCounterServiceHandler
}

type bays struct {
	branchlinev1connect.UnimplementedWorkshopServiceHandler
}

type headquarters struct {
	branchlinev1connect.UnimplementedHeadquartersServiceHandler
}

type rig struct {
	*serve.Server
	t        testing.TB
	accounts *account.Accounts
	records  *records
	logs     *safeBuffer
	dir      string
	pass     string
	url      string
	http     *http.Client
	end      func()
	done     chan error
}

// newRig starts a site on a free loopback port; edit may change its configuration.
func newRig(t testing.TB, site access.Site, edit func(*serve.Config)) *rig {
	t.Helper()
	r := &rig{t: t, logs: &safeBuffer{}, dir: t.TempDir(), records: &records{calls: make(chan access.Caller, 1), wait: make(chan struct{})}}
	db, err := sql.Open(t.Context(), sql.Config{Path: filepath.Join(r.dir, "a.db"), Migrations: sql.Node()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	log := slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	random := rand.NewChaCha8(sha256.Sum256([]byte(t.Name())))
	r.accounts, err = account.New(account.Config{
		Site: site, DB: db, Now: time.Now, Rand: random, Log: log,
		Cost: &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, r.pass, err = r.accounts.First(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	c := serve.Config{
		Site: site, Listen: "127.0.0.1:0", Accounts: r.accounts, Records: r.records, Sites: sites{}, Counter: tills{}, Workshop: bays{}, Dir: r.dir,
		Version: "1.2.3", Now: time.Now, Rand: random, Log: log,
	}
	if site == access.HQ {
		c.Headquarters = headquarters{}
		c.Match = matcher{}
	}
	if edit != nil {
		edit(&c)
	}
	if r.Server, err = serve.New(c); err != nil {
		t.Fatal(err)
	}
	if err := r.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.url = r.URL()
	r.http = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.done = make(chan error, 1)
	go func() { r.done <- r.Run(ctx) }()
	r.end = sync.OnceFunc(func() {
		cancel()
		r.http.CloseIdleConnections()
		if err := <-r.done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(r.end)
	return r
}

type reply struct {
	status int
	header http.Header
	body   string
	Code   string
	Msg    string `json:"message"`
	Detail []struct {
		Type  string
		Debug map[string]any
	} `json:"details"`
}

// do sends a request as curl would; edit may change it.
func (r *rig) do(method, path, token, body string, edit func(*http.Request)) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if edit != nil {
		edit(req)
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
	out := reply{status: res.StatusCode, header: res.Header, body: string(b)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && res.StatusCode != http.StatusOK {
		if err := json.Unmarshal(b, &out); err != nil {
			r.t.Fatalf("%s %s answers %q: %v", method, path, b, err)
		}
	}
	return out
}

func (r *rig) post(method, token, body string) reply {
	r.t.Helper()
	return r.do(http.MethodPost, "/branchline.v1."+method, token, body, nil)
}

// token makes an account with the roles and gives a token of it.
func (r *rig) token(name string, roles ...branchlinev1.Role) string {
	r.t.Helper()
	if _, err := r.accounts.Create(r.t.Context(), &branchlinev1.Account{Name: name, Roles: roles}, "a quiet long password"); err != nil {
		r.t.Fatal(err)
	}
	g, err := r.accounts.CreateToken(r.t.Context(), access.Caller{Account: name}, "test", 1)
	if err != nil {
		r.t.Fatal(err)
	}
	return g.Token
}
