package account

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func (r *rig) setPin(name, pin string) *Granted {
	r.t.Helper()
	r.makeClerk(name)
	g := r.signIn(name, clerkPass)
	acc, err := r.SetPin(r.t.Context(), r.caller(g.Token), "", pin, clerkPass)
	if err != nil || !acc.HasPin || acc.PinLocked {
		r.t.Fatalf("set a PIN: %v %v", acc, err)
	}
	return g
}

func (r *rig) switchTo(name, pin, desk string) (*Granted, error) {
	return r.Switch(r.t.Context(), PinTry{Account: name, Pin: pin, Desk: desk, Source: "192.0.2.1", Label: "desk"})
}

func TestPin_takesOverItsOwnBrowserOnly(t *testing.T) {
	r := newRig(t, access.Node)
	li := r.setPin("li", "7395")
	other := r.signIn("admin", r.pass)
	if li.Desk == "" || li.Desk == other.Desk {
		t.Fatal("a browser is known by nothing of its own")
	}
	again, err := r.SignIn(t.Context(), Try{Account: "admin", Password: r.pass, Desk: li.Desk})
	if err != nil || again.Desk != li.Desk {
		t.Fatalf("the browser is another after a second sign-in: %v", err)
	}
	people, err := r.Desk(t.Context(), li.Desk)
	if err != nil || len(people) != 2 || people[0].Account != "admin" && people[1].Account != "admin" {
		t.Fatalf("at the desk: %v %v", people, err)
	}
	g, err := r.Switch(t.Context(), PinTry{Account: "LI ", Pin: "7395", Desk: li.Desk, Old: again.Token})
	if err != nil {
		t.Fatal(err)
	}
	if c := r.caller(g.Token); c.Account != "li" || c.Staff != "S7" {
		t.Errorf("the session is %+v's", c)
	}
	r.wantOver(again.Token, "taken over")
	for what, try := range map[string][3]string{
		"another's browser": {"li", "7395", other.Desk}, "no browser": {"li", "7395", ""}, "a wrong one": {"li", "7396", li.Desk},
		"no PIN": {"admin", "7395", li.Desk}, "nobody": {"zhao", "7395", li.Desk}, "empty": {"admin", "", li.Desk},
	} {
		if _, err := r.switchTo(try[0], try[1], try[2]); !errors.Is(err, schema.ErrUnsigned) || err.Error() != wrongPin().Error() {
			t.Errorf("%s: %v", what, err)
		}
	}
	if text := r.logs.String(); strings.Contains(text, "7395") || strings.Contains(text, "=li") || strings.Contains(text, "S7") {
		t.Error("the log says who it was, or the PIN")
	}
	// It does not outlive the password's day, nor leaving the desk.
	if err := r.SignOut(t.Context(), r.caller(g.Token), li.Desk); err != nil {
		t.Fatal(err)
	}
	if _, err := r.switchTo("li", "7395", li.Desk); !errors.Is(err, schema.ErrUnsigned) {
		t.Errorf("after leaving the desk: %v", err)
	}
	at := r.signIn("li", clerkPass)
	r.clock.add(11 * time.Hour)
	late, err := r.switchTo("li", "7395", at.Desk)
	if err != nil {
		t.Fatal(err)
	}
	if want := r.clock.now().Add(time.Hour); !late.Expires.Equal(want) {
		t.Errorf("the session ends %v, the password's day %v", late.Expires, want)
	}
	r.clock.add(time.Hour)
	if _, err := r.switchTo("li", "7395", at.Desk); !errors.Is(err, schema.ErrUnsigned) {
		t.Errorf("after 12 hours: %v", err)
	}
}

func TestPin_isLockedByWrongOnesUntilThePassword(t *testing.T) {
	r := newRig(t, access.Node)
	g := r.setPin("li", "7395")
	for range wrongPins - 1 {
		if _, err := r.Approve(t.Context(), "li", "0001"); !errors.Is(err, schema.ErrUnsigned) {
			t.Fatal(err)
		}
	}
	if _, err := r.Approve(t.Context(), "li", "7395"); err != nil {
		t.Fatalf("the right one, in time: %v", err)
	}
	for range wrongPins {
		r.clock.add(time.Minute)
		if _, err := r.switchTo("li", "0001", g.Desk); !errors.Is(err, schema.ErrUnsigned) {
			t.Fatal(err)
		}
	}
	r.clock.add(time.Hour)
	if _, err := r.switchTo("li", "7395", g.Desk); !errors.Is(err, schema.ErrUnsigned) {
		t.Fatalf("a locked one opens: %v", err)
	}
	if people, err := r.Desk(t.Context(), g.Desk); err != nil || len(people) != 1 || !people[0].PinLocked {
		t.Errorf("at the desk: %v %v", people, err)
	}
	if _, err := r.SignIn(t.Context(), Try{Account: "li", Password: clerkPass, Desk: g.Desk}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.switchTo("li", "7395", g.Desk); err != nil {
		t.Errorf("after the password: %v", err)
	}
}

func TestPin_triesAreCounted(t *testing.T) {
	r := newRig(t, access.Node)
	r.setPin("li", "7395")
	var slow *ThrottledError
	n := 0
	for ; n < 50; n++ {
		if _, err := r.Approve(t.Context(), "li", "0001"); errors.As(err, &slow) {
			break
		}
	}
	if n > 8 {
		t.Errorf("%d wrong ones in a moment", n)
	}
}

func TestSetPin_refuses(t *testing.T) {
	r := newRig(t, access.Node)
	r.makeClerk("li")
	li := r.caller(r.signIn("li", clerkPass).Token)
	set := func(by access.Caller, of, pin, current string) error {
		_, err := r.SetPin(t.Context(), by, of, pin, current)
		return err
	}
	for _, pin := range []string{"123", "123456789", "12a4", "1234", "4321", "0000", "9999", "1212", "123123", "7890", "2580", "1221", "５５５５"} {
		if err := set(li, "", pin, clerkPass); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("PIN %q: %v", pin, err)
		}
	}
	for _, pin := range []string{"7395", "40718", "60291847"} {
		if err := set(li, "", pin, clerkPass); err != nil {
			t.Errorf("PIN %q: %v", pin, err)
		}
	}
	if err := set(li, "", "7395", "wrong"); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("without the password: %v", err)
	}
	if err := set(li, "admin", "", ""); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a clerk takes away another's: %v", err)
	}
	if err := set(r.admin, "li", "7395", r.pass); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("the administrator sets another's: %v", err)
	}
	if err := set(r.admin, "li", "", ""); err != nil {
		t.Fatal(err)
	}
	if acc, err := r.Get(t.Context(), "li"); err != nil || acc.HasPin {
		t.Errorf("taken away: %v %v", acc, err)
	}
	if _, err := r.Approve(context.Background(), "li", ""); !errors.Is(err, schema.ErrUnsigned) {
		t.Errorf("no PIN is one: %v", err)
	}
}

// A person who must set their own password first gives no word by PIN; nor does who is locked out of the site.
func TestApprove_givesTheRolesOfWhoStandsBehind(t *testing.T) {
	r := newRig(t, access.Node)
	r.setPin("li", "7395")
	c, err := r.Approve(t.Context(), "Li", "7395")
	if err != nil || c.Account != "li" || c.Staff != "S7" || !c.Has(branchlinev1.Role_ROLE_CLERK) || c.Session != "" {
		t.Fatalf("%+v %v", c, err)
	}
	if _, err := r.Update(t.Context(), r.admin, Change{Account: &branchlinev1.Account{Name: "li", Disabled: true}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Approve(t.Context(), "li", "7395"); !errors.Is(err, schema.ErrUnsigned) {
		t.Errorf("a disabled account approves: %v", err)
	}
}

// Who leads the branch is offered as the second person: nobody else, not the caller, and not who is locked out.
func TestManagers_areTheOthersInForce(t *testing.T) {
	r := newRig(t, access.Node)
	names := func(caller access.Caller) (out []string) {
		people, err := r.Managers(t.Context(), caller)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range people {
			out = append(out, p.GetAccount())
			if p.GetHasPin() != (p.GetAccount() == "li") || p.GetPinLocked() {
				t.Errorf("%v", p)
			}
		}
		return out
	}
	if got := names(access.Caller{Account: "li"}); !slices.Equal(got, []string{"admin"}) {
		t.Errorf("beside a clerk: %v", got)
	}
	r.setPin("li", "7395")
	lead := &branchlinev1.Account{Name: "li", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_BRANCH_MANAGER}}
	if _, err := r.Update(t.Context(), r.admin, Change{Account: lead}); err != nil {
		t.Fatal(err)
	}
	if got := names(access.Caller{Account: "admin"}); !slices.Equal(got, []string{"li"}) {
		t.Errorf("beside the administrator: %v", got)
	}
	lead.Disabled = true
	if _, err := r.Update(t.Context(), r.admin, Change{Account: lead}); err != nil {
		t.Fatal(err)
	}
	if got := names(access.Caller{Account: "admin"}); len(got) != 0 {
		t.Errorf("a disabled account is offered: %v", got)
	}
}
