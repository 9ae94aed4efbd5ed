package show

import (
	"context"
	"errors"
	"fmt"
	"io"

	"branchline/cmd/rig"
	"branchline/cmd/rig/town"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/account"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
)

// Login is somebody of a branch who can sign in.
type Login struct {
	Branch                      schema.BranchID
	Name                        string // as people call them
	Role                        branchlinev1.Role
	Account, Password, PIN, URL string
}

// peopled are the branches whose people get accounts: hashing a password takes a while, and one tours two.
const peopled = 2

// People gives the first branches an adviser, a technician and a clerk who can sign in, and each of them and the manager a
// PIN; passwords and PINs are drawn from r. A branch that has more accounts than its first is left as it is: none of
// it is given, since nobody knows the passwords.
func People(ctx context.Context, r *rig.Rig, t *town.Town, random io.Reader) ([]Login, error) {
	var out []Login
	for i, b := range t.Branches() {
		if i == peopled {
			break
		}
		n := r.Site(b.Code).Node()
		boss, word := n.FirstAccount()
		if word == "" {
			continue
		}
		at := n.Server().API()
		c := access.Caller{Account: boss, Staff: boss, Roles: []branchlinev1.Role{access.Administrator(access.Node)}}
		l := Login{Branch: b.Code, Role: branchlinev1.Role_ROLE_BRANCH_MANAGER, Account: boss, Password: word, URL: n.URL()}
		var err error
		if l.PIN, err = pin(ctx, at, c, word, random); err != nil {
			return nil, fmt.Errorf("show: PIN of %s at %s: %w", boss, b.Code, err)
		}
		out = append(out, l)
		for _, m := range t.Crew(i) {
			l := Login{Branch: b.Code, Name: m.Name, Role: m.Role, Account: m.Code, URL: n.URL()}
			if l.Password, err = account.MakePassword(random); err != nil {
				return nil, err
			}
			acc := &branchlinev1.Account{Name: m.Code, Staff: m.Code, Roles: []branchlinev1.Role{m.Role}}
			if _, err := at.Accounts.CreateAccount(access.With(ctx, c), &branchlinev1.CreateAccountRequest{Account: acc, Password: l.Password}); err != nil {
				return nil, fmt.Errorf("show: account of %s at %s: %w", m.Code, b.Code, err)
			}
			own := access.Caller{Account: m.Code, Staff: m.Code, Roles: acc.GetRoles()}
			if l.PIN, err = pin(ctx, at, own, l.Password, random); err != nil {
				return nil, fmt.Errorf("show: PIN of %s at %s: %w", m.Code, b.Code, err)
			}
			out = append(out, l)
		}
	}
	return out, nil
}

// pin gives the caller a PIN of four digits; one that is too easy is drawn again.
func pin(ctx context.Context, at *serve.Client, c access.Caller, password string, random io.Reader) (string, error) {
	for {
		var b [2]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return "", fmt.Errorf("show: randomness: %w", err)
		}
		digits := fmt.Sprintf("%04d", (int(b[0])<<8|int(b[1]))%10_000)
		_, err := at.Accounts.SetPin(access.With(ctx, c), &branchlinev1.SetPinRequest{Pin: digits, CurrentPassword: password})
		if !errors.Is(err, schema.ErrInvalid) {
			return digits, err
		}
	}
}
