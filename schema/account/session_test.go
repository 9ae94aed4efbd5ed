package account

import (
	"bytes"
	"context"
	stdsql "database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func TestSession_IdleAndAbsoluteEnd(t *testing.T) {
	r := newRig(t, access.Node)
	g := r.signIn("admin", r.pass)
	r.clock.add(29 * time.Minute)
	r.caller(g.Token)
	r.clock.add(29 * time.Minute)
	if c := r.caller(g.Token); c.Account != "admin" || c.Session != g.ID || c.Local {
		t.Errorf("caller %+v", c)
	}
	r.clock.add(30 * time.Minute)
	r.wantOver(g.Token, "30 minutes without use")

	g = r.signIn("admin", r.pass)
	for range 35 { // 11 h 40 min in use
		r.clock.add(20 * time.Minute)
		r.caller(g.Token)
	}
	r.clock.add(20 * time.Minute)
	r.wantOver(g.Token, "12 hours")

	g = r.signIn("admin", r.pass)
	r.clock.add(-time.Hour)
	r.wantOver(g.Token, "clock set back an hour")
}

// Another process start reads use and end from the database alone.
func TestSession_SurvivesRestart(t *testing.T) {
	r := newRig(t, access.Node)
	g := r.signIn("admin", r.pass)
	r.clock.add(20 * time.Minute)
	r.caller(g.Token)
	again, err := New(r.c)
	if err != nil {
		t.Fatal(err)
	}
	r.clock.add(20 * time.Minute)
	if _, err := again.Authenticate(t.Context(), g.Token); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if _, err := again.Authenticate(t.Context(), r.LocalToken()); !errors.Is(err, schema.ErrUnsigned) {
		t.Errorf("the local token outlived its boot: %v", err)
	}
}

func TestSession_Rotates(t *testing.T) {
	r := newRig(t, access.Node)
	old := r.signIn("admin", r.pass)
	r.caller(old.Token)
	g, err := r.SignIn(t.Context(), Try{Account: "admin", Password: r.pass, Old: old.Token})
	if err != nil {
		t.Fatal(err)
	}
	if g.Token == old.Token {
		t.Error("same token")
	}
	r.wantOver(old.Token, "signed in again")
	r.caller(g.Token)
	if err := r.SignOut(t.Context(), r.caller(g.Token), ""); err != nil {
		t.Fatal(err)
	}
	r.wantOver(g.Token, "signed out")
}

func TestUpdate_EndsSessions(t *testing.T) {
	for what, ch := range map[string]Change{
		"roles":    {Account: &branchlinev1.Account{Name: "li", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_ADVISER}}},
		"password": {Account: &branchlinev1.Account{Name: "li"}, Password: "another long one"},
		"disabled": {Account: &branchlinev1.Account{Name: "Li", Disabled: true}},
	} {
		r := newRig(t, access.Node)
		r.makeClerk("li")
		g := r.signIn("li", clerkPass)
		tok, err := r.CreateToken(t.Context(), r.caller(g.Token), "till", 1)
		if err != nil {
			t.Fatal(err)
		}
		r.caller(tok.Token)
		if _, err := r.Update(t.Context(), r.admin, ch); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		r.wantOver(g.Token, what)
		if what == "disabled" {
			r.wantOver(tok.Token, what)
		} else {
			c := r.caller(tok.Token)
			if what == "roles" && !c.Has(branchlinev1.Role_ROLE_ADVISER) {
				t.Errorf("the token keeps the old rights: %v", c.Roles)
			}
		}
	}
	r := newRig(t, access.Node)
	r.makeClerk("li")
	g := r.signIn("li", clerkPass)
	if _, err := r.Update(t.Context(), r.admin, Change{Account: &branchlinev1.Account{Name: "li", Staff: "S8"}}); err != nil {
		t.Fatal(err)
	}
	if c := r.caller(g.Token); c.Staff != "S8" {
		t.Errorf("staff code not taken up: %+v", c)
	}
}

func TestUpdate_Rights(t *testing.T) {
	r := newRig(t, access.Node)
	r.makeClerk("li")
	r.makeClerk("wang")
	li := r.caller(r.signIn("li", clerkPass).Token)
	manager := []branchlinev1.Role{branchlinev1.Role_ROLE_BRANCH_MANAGER}
	for what, c := range map[string]struct {
		by   access.Caller
		ch   Change
		want error
	}{
		"another's password":    {li, Change{Account: &branchlinev1.Account{Name: "wang"}, Password: "another long one", Current: clerkPass}, schema.ErrForbidden},
		"own roles":             {li, Change{Account: &branchlinev1.Account{Name: "li", Roles: manager}}, schema.ErrForbidden},
		"own staff code":        {li, Change{Account: &branchlinev1.Account{Name: "li", Staff: "BOSS"}}, schema.ErrForbidden},
		"without the present":   {li, Change{Account: &branchlinev1.Account{Name: "li"}, Password: "another long one"}, schema.ErrInvalid},
		"with a wrong present":  {li, Change{Account: &branchlinev1.Account{Name: "li"}, Password: "another long one", Current: "x"}, schema.ErrInvalid},
		"too short":             {li, Change{Account: &branchlinev1.Account{Name: "li"}, Password: "elevenchars", Current: clerkPass}, schema.ErrInvalid},
		"nobody":                {access.Caller{}, Change{Account: &branchlinev1.Account{Name: "li"}, Password: "another long one"}, schema.ErrForbidden},
		"no such":               {r.admin, Change{Account: &branchlinev1.Account{Name: "zhao"}}, schema.ErrNotFound},
		"HQ's role at a branch": {r.admin, Change{Account: &branchlinev1.Account{Name: "li", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_HQ_ADMINISTRATOR}}}, schema.ErrInvalid},
		"last one disabled":     {r.admin, Change{Account: &branchlinev1.Account{Name: "admin", Disabled: true}}, schema.ErrInvalid},
		"last one a clerk":      {r.admin, Change{Account: &branchlinev1.Account{Name: "admin", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_CLERK}}}, schema.ErrInvalid},
	} {
		if _, err := r.Update(t.Context(), c.by, c.ch); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	if acc, err := r.Get(t.Context(), "admin"); err != nil || acc.Disabled || acc.Roles[0] != branchlinev1.Role_ROLE_BRANCH_MANAGER {
		t.Errorf("a refused update left a trace: %v %v", acc, err)
	}
	if _, err := r.Update(t.Context(), li, Change{Account: &branchlinev1.Account{Name: "li"}, Password: "another long one", Current: clerkPass}); err != nil {
		t.Fatal(err)
	}
	r.signIn("li", "another long one")
	if _, err := r.SignIn(t.Context(), Try{Account: "li", Password: clerkPass}); !errors.Is(err, schema.ErrUnsigned) {
		t.Errorf("the old password opens: %v", err)
	}
	local := r.caller(r.LocalToken())
	if _, err := r.Update(t.Context(), local, Change{Account: &branchlinev1.Account{Name: "admin"}, Password: "set by the owner"}); err != nil {
		t.Errorf("the owner of the folder cannot set a lost password: %v", err)
	}
	r.signIn("admin", "set by the owner")
}

func TestCreate_Refuses(t *testing.T) {
	r := newRig(t, access.Node)
	clerk := []branchlinev1.Role{branchlinev1.Role_ROLE_CLERK}
	for what, c := range map[string]struct {
		acc  *branchlinev1.Account
		pass string
		want error
	}{
		"short password": {&branchlinev1.Account{Name: "a", Roles: clerk}, "只有十一个字的密码啊啊", schema.ErrInvalid},
		"no role":        {&branchlinev1.Account{Name: "a"}, clerkPass, schema.ErrInvalid},
		"HQ's role":      {&branchlinev1.Account{Name: "a", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_AUDITOR}}, clerkPass, schema.ErrInvalid},
		"unknown role":   {&branchlinev1.Account{Name: "a", Roles: []branchlinev1.Role{77}}, clerkPass, schema.ErrInvalid},
		"spaces":         {&branchlinev1.Account{Name: "a b", Roles: clerk}, clerkPass, schema.ErrInvalid},
		"reserved":       {&branchlinev1.Account{Name: "Local", Roles: clerk}, clerkPass, schema.ErrInvalid},
		"taken":          {&branchlinev1.Account{Name: "ADMIN", Roles: clerk}, clerkPass, schema.ErrExists},
	} {
		if _, err := r.Create(t.Context(), c.acc, c.pass); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	made, err := r.Create(t.Context(), &branchlinev1.Account{Name: "Zhao", Roles: clerk}, "")
	if err != nil || len(made) < 20 {
		t.Fatalf("made password: %q, %v", made, err)
	}
	if c := r.caller(r.signIn("zhao", made).Token); c.Staff != "zhao" {
		t.Errorf("caller %+v", c)
	}
	if all, err := r.List(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("accounts: %v, %v", all, err)
	}
}

func TestPassword_EitherFormOfUnicode(t *testing.T) {
	r := newRig(t, access.Node)
	if _, err := r.Create(t.Context(), &branchlinev1.Account{Name: "a", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_CLERK}}, "caf\u00e9 caf\u00e9 caf\u00e9"); err != nil {
		t.Fatal(err)
	}
	r.signIn("a", "cafe\u0301 cafe\u0301 cafe\u0301")
}

func TestToken_Life(t *testing.T) {
	r := newRig(t, access.Node)
	r.makeClerk("li")
	r.makeClerk("wang")
	li, wang := r.caller(r.signIn("li", clerkPass).Token), r.caller(r.signIn("wang", clerkPass).Token)
	for _, c := range []struct {
		label string
		days  int
	}{{"", 1}, {"x", -1}, {"x", 401}} {
		if _, err := r.CreateToken(t.Context(), li, c.label, c.days); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := r.CreateToken(t.Context(), r.caller(r.LocalToken()), "x", 1); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("token of no account: %v", err)
	}
	tok, err := r.CreateToken(t.Context(), li, "nightly export", 2)
	if err != nil {
		t.Fatal(err)
	}
	c := r.caller(tok.Token)
	if c.Account != "li" || c.Staff != "S7" || !c.Has(branchlinev1.Role_ROLE_CLERK) || c.Session != tok.ID {
		t.Errorf("caller %+v", c)
	}
	r.clock.add(47 * time.Hour) // no idle end
	r.caller(tok.Token)
	r.clock.add(time.Hour)
	r.wantOver(tok.Token, "two days")

	tok, err = r.CreateToken(t.Context(), li, "till", 0)
	if err != nil {
		t.Fatal(err)
	}
	r.caller(tok.Token)
	list, err := r.Sessions(t.Context(), r.caller(tok.Token))
	if err != nil || len(list) != 1 || list[0].Label != "till" || !list[0].Current || list[0].Id != tok.ID {
		t.Errorf("sessions: %v, %v", list, err)
	}
	if err := r.EndSession(t.Context(), wang, tok.ID); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("ended another's token: %v", err)
	}
	r.caller(tok.Token)
	if err := r.EndSession(t.Context(), li, tok.ID); err != nil {
		t.Fatal(err)
	}
	r.wantOver(tok.Token, "ended by its owner")
	for _, junk := range []string{"", "x", "bt_", "bs_AAAA", "bl_AAAA", strings.Repeat("a", 1<<16)} {
		r.wantOver(junk, "junk")
	}
}

func TestSessions_ListAndEndOthers(t *testing.T) {
	r := newRig(t, access.HQ)
	one, two := r.signIn("admin", r.pass), r.signIn("admin", r.pass)
	me := r.caller(two.Token)
	list, err := r.Sessions(t.Context(), me)
	if err != nil || len(list) != 3 { // with that of newRig
		t.Fatalf("sessions: %v, %v", list, err)
	}
	if err := r.EndSession(t.Context(), me, ""); err != nil {
		t.Fatal(err)
	}
	r.wantOver(one.Token, "all others ended")
	r.caller(two.Token)
	for range 60 {
		r.signIn("admin", r.pass)
	}
	if list, err = r.Sessions(t.Context(), me); err != nil || len(list) != maxTokens {
		t.Errorf("%d sessions of one account kept, %v", len(list), err)
	}
}

func TestDatabase_HoldsNoSecret(t *testing.T) {
	r := newRig(t, access.Node)
	g := r.signIn("admin", r.pass)
	tok, err := r.CreateToken(t.Context(), r.admin, "x", 1)
	if err != nil {
		t.Fatal(err)
	}
	r.caller(tok.Token)
	if _, err := r.SignIn(t.Context(), Try{Account: "hunter2-typed-in-the-wrong-box", Password: "x"}); err == nil {
		t.Fatal("signed in")
	}
	err = r.db.Write(t.Context(), func(ctx context.Context, tx *stdsql.Tx) error {
		var mode string
		return tx.QueryRowContext(ctx, `SELECT max(hash) FROM account`).Scan(&mode)
	})
	if err != nil {
		t.Fatal(err)
	}
	all := bytes.Clone(r.logs.Bytes())
	files, err := filepath.Glob(filepath.Join(filepath.Dir(r.dbPath()), "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files: %v, %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	if !bytes.Contains(all, []byte("argon2id")) {
		t.Fatal("looked in the wrong place")
	}
	for what, secret := range map[string]string{
		"password": r.pass, "session": g.Token, "token": tok.Token, "local token": r.LocalToken(), "name as typed": "hunter2",
		"session without prefix": g.Token[3:], "name in logs": "account=admin",
	} {
		if bytes.Contains(all, []byte(secret)) {
			t.Errorf("the %s lies in the database or the log", what)
		}
	}
}

func (r *rig) dbPath() string {
	var seq int
	var name, file string
	err := r.db.Read(r.t.Context(), func(ctx context.Context, tx *stdsql.Tx) error {
		return tx.QueryRowContext(ctx, `PRAGMA database_list`).Scan(&seq, &name, &file)
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return file
}
