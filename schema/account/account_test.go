package account

import (
	"bytes"
	"context"
	"crypto/sha256"
	stdsql "database/sql"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"go.uber.org/goleak"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/sql"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cheap keeps the tests quick; TestHash_Cost looks at the real one.
var cheap = &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

type rig struct {
	*Accounts
	t     *testing.T
	clock *clock
	db    *sql.DB
	logs  *bytes.Buffer
	admin access.Caller
	pass  string // the administrator's
}

func newRig(t *testing.T, site access.Site) *rig {
	t.Helper()
	r := &rig{t: t, clock: &clock{t: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}, logs: &bytes.Buffer{}}
	tree := sql.Node()
	if site == access.HQ {
		tree = sql.HQ()
	}
	var err error
	r.db, err = sql.Open(t.Context(), sql.Config{Path: filepath.Join(t.TempDir(), "a.db"), Migrations: tree})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.db.Close(); err != nil {
			t.Error(err)
		}
	})
	r.Accounts, err = New(Config{
		Site: site, DB: r.db, Now: r.clock.now, Cost: cheap,
		Rand: rand.NewChaCha8(sha256.Sum256([]byte(t.Name()))),
		Log:  slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, r.pass, err = r.First(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	r.admin = r.caller(r.signIn("admin", r.pass).Token)
	return r
}

func (r *rig) signIn(name, password string) *Granted {
	r.t.Helper()
	g, err := r.SignIn(r.t.Context(), Try{Account: name, Password: password, Source: "192.0.2.1", Label: "desk"})
	if err != nil {
		r.t.Fatalf("sign in as %s: %v", name, err)
	}
	return g
}

func (r *rig) caller(token string) access.Caller {
	r.t.Helper()
	c, err := r.Authenticate(r.t.Context(), token)
	if err != nil {
		r.t.Fatalf("authenticate: %v", err)
	}
	return c
}

func (r *rig) wantOver(token, why string) {
	r.t.Helper()
	if c, err := r.Authenticate(r.t.Context(), token); !errors.Is(err, schema.ErrUnsigned) || c.Known() {
		r.t.Errorf("%s: token still opens: %v, %v", why, c, err)
	}
}

const clerkPass = "a quiet long password"

func (r *rig) makeClerk(name string) {
	r.t.Helper()
	_, err := r.Create(r.t.Context(), &branchlinev1.Account{Name: name, Staff: "S7", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_CLERK}}, clerkPass)
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestFirst_OnceOnly(t *testing.T) {
	for _, site := range []access.Site{access.Node, access.HQ} {
		r := newRig(t, site)
		if len(r.pass) < 20 || !r.admin.IsAdministrator(site) || r.admin.Staff != "admin" {
			t.Errorf("%s: first administrator %+v, password of %d", site, r.admin, len(r.pass))
		}
		acc, p, err := r.First(t.Context(), true)
		if acc != nil || p != "" || err != nil {
			t.Errorf("%s: a second first administrator: %v %v", site, acc, err)
		}
	}
}

func TestHash_Cost(t *testing.T) {
	r := newRig(t, access.Node)
	c := r.c
	c.Cost = nil
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(a.hasher.nobody, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash is %.40s…", a.hasher.nobody)
	}
	// The cost of old hashes is raised when their owner signs in.
	if _, err := a.SignIn(t.Context(), Try{Account: "admin", Password: r.pass}); err != nil {
		t.Fatal(err)
	}
	err = r.db.Read(t.Context(), func(ctx context.Context, tx *stdsql.Tx) error {
		_, hash, err := get(ctx, tx, "admin")
		if !strings.Contains(hash, "m=19456,t=2,p=1") {
			t.Errorf("hash was not renewed: %.40s…", hash)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.SignIn(t.Context(), Try{Account: "admin", Password: r.pass}); err != nil {
		t.Errorf("after the renewal: %v", err)
	}
}

func TestSignIn_UnknownAccountCostsTheSame(t *testing.T) {
	r := newRig(t, access.Node)
	r.makeClerk("gone")
	if _, err := r.Update(t.Context(), r.admin, Change{Account: &branchlinev1.Account{Name: "gone", Disabled: true}}); err != nil {
		t.Fatal(err)
	}
	type work struct {
		params string
		size   int
	}
	var done []work
	real := r.hasher.check
	r.hasher.check = func(password, hash string) (bool, *argon2id.Params, error) {
		done = append(done, work{hash[:strings.LastIndex(hash[:strings.LastIndex(hash, "$")], "$")], len(password)})
		return real(password, hash)
	}
	var texts []string
	for _, name := range []string{"admin", "nobody-here", "gone", "", "ADMIN ", "local", "名字"} {
		pass := "not the password"
		if name == "gone" {
			pass = "a quiet long passwore"[:len(pass)] // as long as the others
		}
		_, err := r.SignIn(t.Context(), Try{Account: name, Password: pass, Source: "192.0.2.1"})
		if !errors.Is(err, schema.ErrUnsigned) {
			t.Fatalf("%q: %v", name, err)
		}
		texts = append(texts, err.Error())
	}
	if len(done) != 7 {
		t.Fatalf("%d hashes were worked for 7 tries", len(done))
	}
	for i := range done {
		if done[i] != done[0] || texts[i] != texts[0] {
			t.Errorf("try %d: work %v, words %q; the first: %v, %q", i, done[i], texts[i], done[0], texts[0])
		}
	}
	// Even with the right password the disabled account stays shut, and nobody's password opens nothing.
	if _, err := r.SignIn(t.Context(), Try{Account: "gone", Password: clerkPass}); !errors.Is(err, schema.ErrUnsigned) {
		t.Errorf("disabled account: %v", err)
	}
}

func TestSignIn_Throttled(t *testing.T) {
	r := newRig(t, access.Node)
	r.makeClerk("li")
	hashes := 0
	real := r.hasher.check
	r.hasher.check = func(p, h string) (bool, *argon2id.Params, error) { hashes++; return real(p, h) }
	try := func(name, pass, source string) error {
		_, err := r.SignIn(t.Context(), Try{Account: name, Password: pass, Source: source})
		return err
	}
	for _, name := range []string{"li", "no-such"} {
		var slow *ThrottledError
		n := 0
		for ; n < 100; n++ {
			// Each try from elsewhere: it is the account that is counted.
			if err := try(name, "wrong password", string(rune('a'+n))); errors.As(err, &slow) {
				break
			}
		}
		if n != 8 || slow.Wait <= 0 || slow.Wait > 30*time.Second {
			t.Errorf("%s: throttled after %d tries, %v", name, n, slow)
		}
	}
	before := hashes
	if err := try("LI", clerkPass, "desk"); !errors.Is(err, schema.ErrExhausted) {
		t.Errorf("the right password tells itself while throttled: %v", err)
	}
	if hashes != before {
		t.Error("a throttled try was worked")
	}
	if err := try("admin", r.pass, "desk"); err != nil {
		t.Errorf("another account is throttled too: %v", err)
	}
	r.clock.add(-time.Hour)
	if err := try("li", clerkPass, "desk"); !errors.Is(err, schema.ErrExhausted) {
		t.Errorf("a clock set back opened it: %v", err)
	}
	r.clock.add(30 * time.Second)
	for range 20 { // what succeeds is not counted
		if err := try("li", clerkPass, "desk"); err != nil {
			t.Fatalf("after waiting: %v", err)
		}
	}
	n := 0
	for ; n < 100; n++ {
		if err := try("name"+string(rune('a'+n)), "wrong password", "sprayer"); errors.Is(err, schema.ErrExhausted) {
			break
		}
	}
	if n != 24 {
		t.Errorf("one source tried %d accounts", n)
	}
}

func TestThrottle_Bounded(t *testing.T) {
	c := &clock{t: time.Unix(1e9, 0)}
	th := newThrottle(c.now, 2, time.Second)
	for range 3 {
		_ = th.take("guilty")
	}
	for i := range 3 * maxKeys {
		if err := th.take(string(rune(i + 1000))); err != nil {
			t.Fatal(err)
		}
	}
	if len(th.keys) > maxKeys {
		t.Errorf("%d keys kept", len(th.keys))
	}
	if th.take("guilty") == nil {
		t.Error("a flood of other keys washed the guilty one out")
	}
	c.add(time.Hour)
	_ = th.take("new")
	if len(th.keys) != 1 {
		t.Errorf("%d keys kept although their time has passed", len(th.keys))
	}
}

func TestHasher_BoundedQueue(t *testing.T) {
	h := newHasher(cheap)
	if ok, stale, err := h.verify(t.Context(), "any", ""); ok || stale || err != nil {
		t.Errorf("no account: %v, stale %v, %v", ok, stale, err)
	}
	if err := h.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	for range cap(h.waiting) - 1 {
		go func() { errs <- h.enter(ctx) }()
	}
	for len(h.waiting) < cap(h.waiting) {
		time.Sleep(time.Millisecond) // ends when the others wait; the test's deadline bounds it
	}
	if err := h.enter(t.Context()); !errors.Is(err, schema.ErrExhausted) {
		t.Errorf("one too many: %v", err)
	}
	cancel()
	for range cap(h.waiting) - 1 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("a waiting one: %v", err)
		}
	}
	h.leave()
	if len(h.waiting)+len(h.slot) != 0 {
		t.Error("places were lost")
	}
}

func TestOneTime_IsTheOwnersToChange(t *testing.T) {
	r := newRig(t, access.Node)
	const own = "a password of my own"
	oneTime := func(password string) access.Caller { return r.caller(r.signIn("new", password).Token) }
	made, err := r.Create(t.Context(), &branchlinev1.Account{Name: "new", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_BRANCH_MANAGER}}, "")
	if err != nil {
		t.Fatal(err)
	}
	by := oneTime(made)
	if acc, err := r.Get(t.Context(), "new"); err != nil || !by.OneTime || !acc.GetOneTime() {
		t.Fatalf("a made password is not for one use: %v %v", acc, err)
	}
	for name, ch := range map[string]Change{
		"another's password":  {Account: &branchlinev1.Account{Name: "admin"}, Password: own},
		"the same again":      {Account: &branchlinev1.Account{Name: "new"}, Password: made, Current: made},
		"without the present": {Account: &branchlinev1.Account{Name: "new"}, Password: own},
	} {
		if _, err := r.Update(t.Context(), by, ch); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := r.Update(t.Context(), by, Change{Account: &branchlinev1.Account{Name: "new"}, Password: own, Current: made}); err != nil {
		t.Fatal(err)
	}
	if by = oneTime(own); by.OneTime {
		t.Error("their own password is for one use")
	}
	token, err := r.CreateToken(t.Context(), by, "till", 0)
	if err != nil {
		t.Fatal(err)
	}
	// Set by the administrator it is for one use again; roles do not touch it. What was made before goes on.
	if _, err := r.Update(t.Context(), r.admin, Change{Account: &branchlinev1.Account{Name: "new"}, Password: made}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Update(t.Context(), r.admin, Change{Account: &branchlinev1.Account{Name: "new", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_CLERK}}}); err != nil {
		t.Fatal(err)
	}
	if !oneTime(made).OneTime || r.caller(token.Token).OneTime {
		t.Error("the administrator's is not for one use, or the API token is")
	}
	// The owner of the folder may set one that lasts.
	local := access.Caller{Account: access.LocalName, Local: true, Roles: []branchlinev1.Role{access.Administrator(access.Node)}}
	if _, err := r.Update(t.Context(), local, Change{Account: &branchlinev1.Account{Name: "new"}, Password: own}); err != nil {
		t.Fatal(err)
	}
	if oneTime(own).OneTime || r.admin.OneTime {
		t.Error("a password that lasts is for one use")
	}
}

// Everybody sets their own language, with no password asked; another's is the administrator's. No session ends for it.
func TestLanguage_IsSetByItsOwnerAndTheAdministrator(t *testing.T) {
	r := newRig(t, access.Node)
	r.makeClerk("li")
	r.makeClerk("zhao")
	g := r.signIn("li", clerkPass)
	set := func(by access.Caller, name string, l branchlinev1.Language) error {
		_, err := r.Update(t.Context(), by, Change{Account: &branchlinev1.Account{Name: name, Language: l}})
		return err
	}
	if c := r.caller(g.Token); c.Language != branchlinev1.Language_LANGUAGE_UNSPECIFIED {
		t.Errorf("before any was chosen: %v", c.Language)
	}
	if err := set(r.caller(g.Token), "li", branchlinev1.Language_LANGUAGE_EN); err != nil {
		t.Fatal(err)
	}
	if c := r.caller(g.Token); c.Language != branchlinev1.Language_LANGUAGE_EN {
		t.Errorf("at the next request: %v", c.Language)
	}
	if err := set(r.caller(g.Token), "zhao", branchlinev1.Language_LANGUAGE_EN); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("another's: %v", err)
	}
	if err := set(r.admin, "li", branchlinev1.Language_LANGUAGE_ZH_TW); err != nil {
		t.Fatal(err)
	}
	// An update of something else leaves it.
	if _, err := r.Update(t.Context(), r.admin, Change{Account: &branchlinev1.Account{Name: "li", Staff: "S8"}}); err != nil {
		t.Fatal(err)
	}
	if in := r.signIn("li", clerkPass); in.Account.GetLanguage() != branchlinev1.Language_LANGUAGE_ZH_TW {
		t.Errorf("at sign-in: %v", in.Account)
	}
	if _, err := r.Create(t.Context(), &branchlinev1.Account{Name: "wang", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_CLERK}, Language: branchlinev1.Language_LANGUAGE_EN}, ""); err != nil {
		t.Fatal(err)
	}
	got := map[string]branchlinev1.Language{}
	all, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		got[a.GetName()] = a.GetLanguage()
	}
	if got["li"] != branchlinev1.Language_LANGUAGE_ZH_TW || got["wang"] != branchlinev1.Language_LANGUAGE_EN || got["zhao"] != branchlinev1.Language_LANGUAGE_UNSPECIFIED {
		t.Errorf("listed: %v", got)
	}
}
