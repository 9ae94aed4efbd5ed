package web_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/api"
	"branchline/node/attach"
	"branchline/node/counter"
	"branchline/node/store"
	"branchline/node/web"
	"branchline/node/workshop"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/account"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/look/front"
	"branchline/schema/serve"
	"branchline/schema/sql"
	"branchline/sync/link"
	"branchline/sync/merge"
)

// clock is the branch's, and only goes on when a test says so.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) set(t time.Time) { c.mu.Lock(); defer c.mu.Unlock(); c.t = t }

// line is the branch's link to an HQ that a test plays.
type line struct {
	mu     sync.Mutex
	up     bool
	heard  time.Time
	answer func(verb string, req []byte) ([]byte, error)
}

func (l *line) Link() link.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := link.Status{Heard: l.heard, Gate: wirev1.Gate_OPEN}
	if l.up {
		st.Phase = link.Open
	}
	return st
}

func (l *line) Refused() bool                 { return false }
func (l *line) Refetch(context.Context) error { return nil }

func (l *line) Ask(_ context.Context, verb string, req []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.up || l.answer == nil {
		return nil, errors.New("no link")
	}
	return l.answer(verb, req)
}

func (l *line) set(up bool, heard time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up, l.heard = up, heard
}

// changes carries the store's events to the pages, as the wiring of a node does.
type changes struct{ s *store.Store }

func (c changes) Subscribe(ctx context.Context) <-chan front.Event {
	out := make(chan front.Event)
	w := c.s.Changes()
	go func() {
		defer close(out)
		defer w.Close()
		for {
			e, err := w.Next(ctx)
			if err != nil {
				return
			}
			select {
			case out <- front.Event{Line: e.Line || e.Own, Records: e.All || len(e.Records) > 0}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// enrolment is a node that may not be a branch yet.
type enrolment struct {
	mu    sync.Mutex
	done  bool
	err   error
	token string
}

func (e *enrolment) Enrolled() bool { e.mu.Lock(); defer e.mu.Unlock(); return e.done }

func (e *enrolment) Enrol(_ context.Context, token string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.token = token
	if e.err == nil {
		e.done = true
	}
	return e.err
}

// rig is a branch with real store, API and HTTP, and an HQ that the test plays.
type rig struct {
	t      testing.TB
	clock  *clock
	line   *line
	enrol  *enrolment
	store  *store.Store
	rec    *api.Records
	srv    *httptest.Server
	pages  *access.Pages
	rev    int64
	seq    int64
	logs   *logs
	tokens map[string]string // session by account
	asked  sql.Tally         // of the database, by all requests

	hearsay *hearsay
}

type logs struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logs) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }

func (l *logs) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

const password = "a long enough password"

var shanghai = time.FixedZone("CST", 8*3600)

func at(day string, clock ...string) time.Time {
	text := day + " 10:00"
	if len(clock) > 0 {
		text = day + " " + clock[0]
	}
	t, err := time.ParseInLocation("2006-01-02 15:04", text, shanghai)
	if err != nil {
		panic(err)
	}
	return t
}

func newRig(t testing.TB) *rig { return newRigOf(t, true) }

func newRigOf(t testing.TB, enrolled bool) *rig {
	t.Helper()
	r := &rig{
		t: t, clock: &clock{t: at("2023-01-05")}, line: &line{}, enrol: &enrolment{done: enrolled}, logs: &logs{}, seq: 1000,
		tokens: map[string]string{}, hearsay: &hearsay{},
	}
	chance := func(what string) io.Reader { return rand.NewChaCha8(sha256.Sum256([]byte(t.Name() + what))) }
	var err error
	r.store, err = store.Open(t.Context(), store.Config{Dir: t.TempDir(), Now: r.clock.now, Rand: chance("store")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	if enrolled {
		err = r.store.Enrol(t.Context(), store.Enrolment{
			Identity: store.Identity{Branch: "pd", Entity: "sl", IDKey: []byte("k")}, Incarnation: 11, Epoch: 7,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(r.logs, nil))
	accounts, err := account.New(account.Config{
		Site: access.Node, DB: r.store.DB(), Now: r.clock.now, Rand: chance("account"), Log: log,
		Cost: &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, role := range map[string]branchlinev1.Role{
		"zm": branchlinev1.Role_ROLE_ADVISER, "lq": branchlinev1.Role_ROLE_TECHNICIAN, "wf": branchlinev1.Role_ROLE_ADVISER,
		"boss": branchlinev1.Role_ROLE_BRANCH_MANAGER, "sale": branchlinev1.Role_ROLE_SALESPERSON,
	} {
		if _, err := accounts.Create(t.Context(), &branchlinev1.Account{Name: name, Staff: name, Roles: []branchlinev1.Role{role}}, password); err != nil {
			t.Fatal(err)
		}
	}
	blobs, err := blob.Open(t.TempDir(), r.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	files, err := attach.New(attach.Config{Store: r.store, Files: blobs, Line: r.line, Now: r.clock.now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	rec, sites, err := api.New(api.Config{Store: r.store, Line: r.line, Known: r.hearsay, Files: files, Now: r.clock.now, Zone: shanghai})
	if err != nil {
		t.Fatal(err)
	}
	r.rec = rec
	desk, err := counter.New(counter.Config{
		Store: r.store, Line: r.line, Approve: accounts.Approve, Zone: func() *time.Location { return shanghai }, Now: r.clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	bays, err := workshop.New(act.Acts{Store: r.store, Zone: func() *time.Location { return shanghai }, Now: r.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	site, err := serve.New(serve.Config{
		Site: access.Node, Accounts: accounts, Records: rec, Sites: sites, Counter: desk, Workshop: bays, Now: r.clock.now, Rand: chance("serve"), Log: log,
		Pages: func(p *access.Pages, c *serve.Client) error {
			r.pages = p
			pages, err := web.New(web.Config{
				Records: c.Records, Site: c.Sites, Accounts: c.Accounts, Counter: c.Counter, Workshop: c.Workshop, Views: rec, Files: rec, Zone: shanghai, Now: r.clock.now, Rand: chance("web"), Log: log,
				Branch: func() schema.BranchID {
					id, err := r.store.Identity(context.Background())
					if err != nil {
						t.Error(err)
					}
					return id.Branch
				},
				Changes: changes{r.store}, Enrol: r.enrol, CA: func() []byte { return []byte(testCA) },
			})
			if err != nil {
				return err
			}
			return pages.Register(p)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		site.Handler().ServeHTTP(w, req.WithContext(sql.Counted(req.Context(), &r.asked)))
	}))
	t.Cleanup(func() {
		r.srv.CloseClientConnections()
		r.srv.Close()
		if err := site.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// signIn gives the cookies of a session, made through the page.
func (r *rig) signIn(name string) map[string]string {
	r.t.Helper()
	c := r.client()
	res, err := c.PostForm(r.srv.URL+"/sign-in", url.Values{"account": {name}, "password": {password}, "next": {"/"}})
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	out := map[string]string{}
	for _, k := range res.Cookies() {
		out[k.Name] = k.Value
	}
	if res.StatusCode != http.StatusSeeOther || len(out) == 0 {
		r.t.Fatalf("sign in as %s: %s", name, res.Status)
	}
	return out
}

// client follows nothing and keeps cookies.
func (r *rig) client() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// as is a client that is signed in, in a language.
func (r *rig) as(name, lang string) *visitor {
	r.t.Helper()
	v := &visitor{r: r, c: r.client()}
	u, err := url.Parse(r.srv.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	var list []*http.Cookie
	if name != "" {
		for k, value := range r.signIn(name) {
			list = append(list, &http.Cookie{Name: k, Value: value})
		}
	}
	v.c.Jar.SetCookies(u, append(list, &http.Cookie{Name: "lang", Value: lang}))
	return v
}

// visitor is one person at one browser.
type visitor struct {
	r *rig
	c *http.Client
}

func (v *visitor) do(req *http.Request) (int, string, http.Header) {
	v.r.t.Helper()
	res, err := v.c.Do(req)
	if err != nil {
		v.r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		v.r.t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

func (v *visitor) get(path string) (int, string) {
	v.r.t.Helper()
	req, err := http.NewRequestWithContext(v.r.t.Context(), http.MethodGet, v.r.srv.URL+path, nil)
	if err != nil {
		v.r.t.Fatal(err)
	}
	status, body, _ := v.do(req)
	return status, body
}

// post sends a form as a browser of the site's own pages does, and gives where it leads.
func (v *visitor) post(path string, form url.Values) (status int, location, body string) {
	v.r.t.Helper()
	req, err := http.NewRequestWithContext(v.r.t.Context(), http.MethodPost, v.r.srv.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	status, body, h := v.do(req)
	return status, h.Get("Location"), body
}

// The branch's own edits, by a member of its staff.

func (r *rig) by(staff string) context.Context {
	return access.With(r.t.Context(), access.Caller{Account: staff, Staff: staff, Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_BRANCH_MANAGER}})
}

func record(t testing.TB, m proto.Message) *branchlinev1.Record {
	t.Helper()
	out := new(branchlinev1.Record)
	if err := schema.SetBody(out, m); err != nil {
		t.Fatal(err)
	}
	return out
}

func (r *rig) create(when time.Time, staff string, m proto.Message) *branchlinev1.Record {
	r.t.Helper()
	r.clock.set(when)
	out, err := r.rec.CreateRecord(r.by(staff), &branchlinev1.CreateRecordRequest{Record: record(r.t, m), Confirmed: []string{"vin_check"}})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) update(when time.Time, staff, name string, m proto.Message, mask ...string) {
	r.t.Helper()
	r.clock.set(when)
	old, err := r.rec.GetRecord(r.by(staff), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		r.t.Fatal(err)
	}
	next := record(r.t, m)
	next.Name, next.Etag = name, old.GetEtag()
	if _, err := r.rec.UpdateRecord(r.by(staff), &branchlinev1.UpdateRecordRequest{Record: next, UpdateMask: mask}); err != nil {
		r.t.Fatal(err)
	}
}

// What comes from HQ.

func (r *rig) page(rows ...*wirev1.Row) {
	r.t.Helper()
	for _, x := range rows {
		r.rev++
		x.Rev = r.rev
	}
	if err := r.store.ApplyPage(r.t.Context(), &wirev1.Page{Epoch: 7, HqRev: r.rev, LastRev: r.rev, Rows: rows}); err != nil {
		r.t.Fatal(err)
	}
}

func id(r *branchlinev1.Record) string {
	_, id, _ := strings.Cut(r.GetName(), "/")
	return id
}

func (r *rig) rid(name string) schema.RecordID {
	r.t.Helper()
	_, id, err := schema.ParseName(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *rig) stamp(branch string, when time.Time) schema.Stamp {
	r.seq++
	return schema.Stamp{At: schema.TickAt(when), Branch: schema.BranchID(branch), Inc: 5, Seq: schema.Seq(r.seq)}
}

func (r *rig) stateOf(branch string, when time.Time, m proto.Message) *merge.State {
	r.t.Helper()
	v, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		r.t.Fatal(err)
	}
	st, err := merge.FromChange(r.stamp(branch, when), &wirev1.ChangeBody{Values: v})
	if err != nil {
		r.t.Fatal(err)
	}
	return st
}

// elsewhere is a record another branch made; shared is one of another company.
func (r *rig) elsewhere(when time.Time, branch string, shared bool, m proto.Message) string {
	r.t.Helper()
	r.clock.set(when)
	k := schema.KindOfMessage(m)
	rid, err := r.store.MintID()
	if err != nil {
		r.t.Fatal(err)
	}
	st := r.stateOf(branch, when, m)
	if shared {
		st = st.Share(k)
	}
	r.page(&wirev1.Row{Row: wirev1.RowKind_RECORD, Kind: uint32(k.Kind), Record: rid[:], State: st.Encode(), Home: branch, Shared: shared})
	return schema.ResourceName(k.Kind, rid)
}

// overtakes is another branch's later edit of a record that is held here, made without having seen what is here.
func (r *rig) overtakes(when time.Time, branch, name, home string, m proto.Message) {
	r.t.Helper()
	rid := r.rid(name)
	k, now, err := r.store.State(r.t.Context(), rid)
	if err != nil {
		r.t.Fatal(err)
	}
	st := merge.Join(now, r.stateOf(branch, when, m))
	r.page(&wirev1.Row{Row: wirev1.RowKind_RECORD, Kind: uint32(k.Kind), Record: rid[:], State: st.Encode(), Home: home})
}

// outcome is HQ's word on the last own change of a record.
func (r *rig) outcome(name string, o *wirev1.Outcome) {
	r.t.Helper()
	rec, err := r.store.Get(r.t.Context(), r.rid(name))
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := schema.ParseChangeID(rec.GetWhere().GetChange())
	if err != nil {
		r.t.Fatal(err)
	}
	rid := r.rid(name)
	o.Incarnation, o.Seq = int64(c.Inc), int64(c.Seq)
	k, _, err := schema.ParseName(name)
	if err != nil {
		r.t.Fatal(err)
	}
	r.page(&wirev1.Row{Row: wirev1.RowKind_OUTCOME, Kind: uint32(k), Record: rid[:], Outcome: o})
}

func (r *rig) group(names ...string) {
	r.t.Helper()
	k, first, err := schema.ParseName(names[0])
	if err != nil {
		r.t.Fatal(err)
	}
	row := &wirev1.Row{Row: wirev1.RowKind_GROUP, Kind: uint32(k), Record: first[:]}
	for _, n := range names {
		rid := r.rid(n)
		row.Members = append(row.Members, rid[:])
	}
	r.page(row)
}

const testCA = `-----BEGIN CERTIFICATE-----
MIIBVzCB/qADAgECAgEBMAoGCCqGSM49BAMCMBExDzANBgNVBAMTBkJyYW5jaDAe
-----END CERTIFICATE-----
`
