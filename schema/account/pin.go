package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// A PIN is 4 to 8 digits with which somebody takes over a browser on which they signed in with their password within the
// last 12 hours, or stands by one act at somebody else's desk (Approve). Rules beside those of the package:
//   - It is hashed as passwords are, with the same work behind the same door, and opens nothing from another machine.
//   - Five wrong ones in a row lock it, whoever typed them; a sign-in with the password unlocks it.
//   - A session begun with it never outlives the 12 hours of the password's.
//   - It is a branch's: headquarters' accounts have none.
const (
	minPin    = 4
	maxPin    = 8
	wrongPins = 5
	// desksKept is on how many browsers one account is remembered.
	desksKept  = 50
	deskPrefix = "bd_"
)

// DeskLife is how long after a sign-in with the password a browser is open to the PIN.
const DeskLife = absolute

// badPin says what is wrong with a PIN to be set.
func badPin(pin string) []schema.Violation {
	why := ""
	switch {
	case strings.Trim(pin, "0123456789") != "" || len(pin) < minPin || len(pin) > maxPin:
		why = fmt.Sprintf("a PIN is %d to %d digits", minPin, maxPin)
	case trivial(pin):
		why = "is one of the first that anybody would try: choose another"
	default:
		return nil
	}
	return []schema.Violation{{Field: "pin", Reason: why}}
}

// trivial tells whether digits go up or down by one, repeat a shorter piece, are the same read backwards, or are among
// those people choose most.
func trivial(pin string) bool {
	for step := 1; step <= 9; step += 8 { // up, or down
		run := true
		for i := 1; i < len(pin); i++ {
			run = run && (int(pin[i-1]-'0')+step)%10 == int(pin[i]-'0')
		}
		if run {
			return true
		}
	}
	for n := 1; n <= len(pin)/2; n++ {
		if len(pin)%n == 0 && strings.Repeat(pin[:n], len(pin)/n) == pin {
			return true
		}
	}
	back := []byte(pin)
	slices.Reverse(back)
	return string(back) == pin || slices.Contains([]string{
		"1122", "1314", "1004", "2580", "0852", "1357", "2468", "112233", "123123", "147258", "147369", "159753", "5201314", "12344321", "1234567",
	}, pin)
}

// SetPin gives the caller a PIN, who proves the present password, or takes it away (pin ""). The administrator takes
// away that of others. ErrInvalid, ErrForbidden, ErrNotFound, *ThrottledError.
func (a *Accounts) SetPin(ctx context.Context, by access.Caller, account, pin, current string) (*branchlinev1.Account, error) {
	name := FoldName(account)
	if name == "" {
		name = by.Account
	}
	own := name == by.Account
	switch {
	case by.Local && own:
		return nil, schema.Invalid("account", "a PIN belongs to an account: sign in as that account to set one")
	case !own && (!by.IsAdministrator(a.c.Site) || by.OneTime):
		return nil, fmt.Errorf("the accounts of others are the administrator's: %w", schema.ErrForbidden)
	case !own && pin != "":
		return nil, schema.Invalid("pin", "everybody sets their own: it can only be taken away")
	}
	hash := ""
	if pin != "" {
		if bad := badPin(pin); len(bad) > 0 {
			return nil, &schema.FieldsError{Violations: bad}
		}
		if err := a.prove(ctx, name, current); err != nil {
			return nil, err
		}
		var err error
		if hash, err = a.hasher.hash(ctx, pin); err != nil {
			return nil, err
		}
	}
	var out *branchlinev1.Account
	err := a.write(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		if _, err := tx.ExecContext(ctx, `UPDATE account SET pin = $2, pin_wrong = 0 WHERE name = $1`, name, hash); err != nil {
			return fmt.Errorf("account: set PIN: %w", err)
		}
		out, _, err = get(ctx, tx, name)
		return err
	})
	return out, err
}

// Desk lists who signed in on a browser with a password within the last 12 hours and can still sign in, the last first.
func (a *Accounts) Desk(ctx context.Context, desk string) ([]*branchlinev1.DeskPerson, error) {
	var out []*branchlinev1.DeskPerson
	if !strings.HasPrefix(desk, deskPrefix) {
		return nil, nil
	}
	h := hashToken(desk)
	err := a.c.DB.Read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT a.name, a.staff, a.pin <> '', a.pin_wrong >= $3 FROM desk d JOIN account a ON a.name = d.account
			WHERE d.token = $1 AND d.at > $2 AND a.disabled = 0 ORDER BY d.at DESC, a.name`, h[:], a.since(), wrongPins)
		if err != nil {
			return fmt.Errorf("account: read desk: %w", err)
		}
		defer rows.Close() // its error comes with rows.Err
		for rows.Next() {
			p := &branchlinev1.DeskPerson{}
			if err := rows.Scan(&p.Account, &p.Staff, &p.HasPin, &p.PinLocked); err != nil {
				return fmt.Errorf("account: read desk: %w", err)
			}
			out = append(out, p)
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("account: read desk: %w", err)
		}
		return nil
	})
	return out, err
}

// Managers lists who leads this branch beside the caller, by account: whose word by PIN may stand behind an act.
func (a *Accounts) Managers(ctx context.Context, caller access.Caller) (out []*branchlinev1.DeskPerson, err error) {
	err = a.c.DB.Read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		all, err := list(ctx, tx)
		for _, acc := range all {
			if !acc.Disabled && acc.Name != caller.Account && slices.Contains(acc.Roles, branchlinev1.Role_ROLE_BRANCH_MANAGER) {
				out = append(out, &branchlinev1.DeskPerson{Account: acc.Name, Staff: acc.Staff, HasPin: acc.HasPin, PinLocked: acc.PinLocked})
			}
		}
		return err
	})
	return out, err
}

// since is the instant before which a sign-in with the password opens no browser to the PIN any more.
func (a *Accounts) since() int64 { return a.c.Now().Add(-DeskLife).UnixMilli() }

// PinTry is one try to take over a browser.
type PinTry struct {
	Account, Pin string
	Desk         string // of the browser
	Source       string // address it comes from; counts tries
	Label        string
	Old          string // token the browser has; it ends
}

// Switch makes a session by PIN on a browser. ErrUnsigned, with the same words and the same work, when the account is
// not of the browser, has no PIN, another, or a locked one; *ThrottledError when too many tries failed.
func (a *Accounts) Switch(ctx context.Context, t PinTry) (*Granted, error) {
	name := FoldName(t.Account)
	desk := hashToken(t.Desk)
	var at int64
	acc, hash, err := a.pin(ctx, name, t.Pin, t.Source, func(ctx context.Context, tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT at FROM desk WHERE token = $1 AND account = $2 AND at > $3`, desk[:], name, a.since()).Scan(&at)
		if errors.Is(err, sql.ErrNoRows) {
			return schema.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	token, err := a.newToken(sessionPrefix)
	if err != nil {
		return nil, err
	}
	now := a.c.Now()
	g := &Granted{Token: token, Expires: time.UnixMilli(at).Add(DeskLife), Account: acc, Desk: t.Desk}
	if g.ID, err = a.newID(); err != nil {
		return nil, err
	}
	err = a.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// The account may have been disabled, or the PIN changed, while the hash was worked.
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM account WHERE name = $1 AND pin = $2 AND disabled = 0`, name, hash).Scan(&n); err != nil || n != 1 {
			return errors.Join(wrongPin(), err)
		}
		if err := a.clearSessions(ctx, tx, t.Old, now); err != nil {
			return err
		}
		return insertToken(ctx, tx, "session", token, g.ID, name, t.Label, now, g.Expires)
	})
	if err != nil {
		return nil, err
	}
	a.c.Log.Info("signed in by PIN", "room", "account", "session", g.ID)
	return g, nil
}

// Approve is the word of somebody beside the one who acts: who has the account and knows its PIN. The caller it gives is
// asked for their rights like any other. ErrUnsigned, *ThrottledError as of Switch.
func (a *Accounts) Approve(ctx context.Context, account, pin string) (access.Caller, error) {
	acc, _, err := a.pin(ctx, FoldName(account), pin, "", func(context.Context, *sql.Tx) error { return nil })
	if err != nil {
		return access.Caller{}, err
	}
	a.c.Log.Info("word given by PIN", "room", "account", "roles", access.Names(acc.Roles))
	return access.Caller{Account: acc.Name, Staff: acc.Staff, Roles: acc.Roles}, nil
}

func wrongPin() error {
	return fmt.Errorf("the PIN is wrong, or counts for nothing here: %w", schema.ErrUnsigned)
}

// pin checks a PIN and counts a wrong one. also is asked in the same snapshot: ErrNotFound is as a wrong PIN. It gives the
// account and the hash that was compared.
func (a *Accounts) pin(ctx context.Context, name, pin, source string, also func(context.Context, *sql.Tx) error) (acc *branchlinev1.Account, hash string, err error) {
	if source != "" {
		if err := a.sources.take(source); err != nil {
			return nil, "", err
		}
	}
	if err := a.accounts.take(name); err != nil {
		return nil, "", err
	}
	wrong := false
	defer func() {
		if !wrong {
			a.accounts.giveBack(name)
			a.sources.giveBack(source)
		}
	}()
	counts := true // it is there and is not locked
	var stored string
	err = a.c.DB.Read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		acc, _, err = get(ctx, tx, name)
		if err == nil {
			err = tx.QueryRowContext(ctx, `SELECT pin FROM account WHERE name = $1`, name).Scan(&stored)
		}
		if err == nil {
			err = also(ctx, tx)
		}
		if errors.Is(err, schema.ErrNotFound) {
			counts, err = false, nil
		}
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("account: read PIN: %w", err)
	}
	if len(pin) > maxPin {
		pin = pin[:maxPin+1] // matches nothing; bounds the work
	}
	ok, _, err := a.hasher.verify(ctx, pin, stored)
	if err != nil {
		return nil, "", err
	}
	if ok && counts && !acc.GetDisabled() && !acc.GetPinLocked() && !acc.GetOneTime() {
		if err := a.countPin(ctx, name, false); err != nil {
			return nil, "", err
		}
		return acc, stored, nil
	}
	wrong = true
	a.c.Log.Info("PIN refused", "room", "account")
	if counts && stored != "" && !ok {
		if err := a.countPin(ctx, name, true); err != nil {
			return nil, "", err
		}
	}
	return nil, "", wrongPin()
}

// countPin counts a wrong PIN, or begins to count anew after a right one. One that is locked stays so.
func (a *Accounts) countPin(ctx context.Context, name string, wrong bool) error {
	return a.c.DB.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		text := `UPDATE account SET pin_wrong = 0 WHERE name = $1 AND pin_wrong > 0 AND pin_wrong < $2`
		if wrong {
			text = `UPDATE account SET pin_wrong = pin_wrong + 1 WHERE name = $1 AND pin_wrong < $2`
		}
		if _, err := tx.ExecContext(ctx, text, name, wrongPins); err != nil {
			return fmt.Errorf("account: count PINs: %w", err)
		}
		return nil
	})
}

// noteDesk remembers that somebody signed in on a browser with the password.
func (a *Accounts) noteDesk(ctx context.Context, tx *sql.Tx, desk, name string, now time.Time) error {
	h := hashToken(desk)
	for _, s := range []struct {
		text string
		args []any
	}{
		{`DELETE FROM desk WHERE at <= $1`, []any{a.since()}},
		{`INSERT INTO desk (token, account, at) VALUES ($1, $2, $3) ON CONFLICT (token, account) DO UPDATE SET at = excluded.at`, []any{h[:], name, now.UnixMilli()}},
		{`DELETE FROM desk WHERE account = $1 AND token NOT IN (SELECT token FROM desk WHERE account = $1 ORDER BY at DESC LIMIT $2)`, []any{name, desksKept}},
	} {
		if _, err := tx.ExecContext(ctx, s.text, s.args...); err != nil {
			return fmt.Errorf("account: note desk: %w", err)
		}
	}
	return nil
}
