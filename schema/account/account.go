// Package account keeps the accounts of one site: passwords, sessions and API tokens.
//
// Rules:
//   - A password is known only as its argon2id hash (19 MiB, 2 passes), a token only as its SHA-256. One hash is worked
//     at a time, so that a flood of sign-ins cannot take the machine's memory.
//   - An account that does not exist costs the same work as one that does, and is answered with the same words.
//   - Tries are counted for each account and for each source before any work is done. While too many failed, the right
//     password is refused as well.
//   - A session ends after 30 minutes without use and 12 hours in any case, at sign-in with its token (which makes a new
//     one), and when roles, password or the account itself change. A clock that jumps back ends sessions, never
//     lengthens them.
//   - A password that was made here, or set by another account, is for one use: a session begun with it may set another
//     and nothing else (access.Caller.OneTime). The owner of the folder may set one that lasts.
//   - One administrator who can sign in is always left.
//   - At a branch an account may have a PIN (pin.go), by which its owner takes over a browser they signed in on that day.
//
// Accounts never travel: nothing here is ever part of a change. It promises that a token which was ended is refused from
// the moment the call that ended it returns, as long as one process has the database (the folder lock sees to that). It
// logs no name of an account: people type their passwords there.
package account

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// DB is the site's database, with the tables of 0002_account.sql.
type DB interface {
	// Write runs f in one transaction and commits it durably; an error of f rolls it back.
	Write(ctx context.Context, f func(context.Context, *sql.Tx) error) error
	// Read runs f on one snapshot.
	Read(ctx context.Context, f func(context.Context, *sql.Tx) error) error
}

// Config says whose accounts these are. All but Cost is required.
type Config struct {
	Site access.Site
	DB   DB
	Now  func() time.Time
	Rand io.Reader // tokens and made passwords; the hash library salts from the system
	Log  *slog.Logger

	// Cost of a password's hash. Nil: argon2id, 19 MiB, 2 passes, 1 lane (the floor OWASP gives).
	Cost *argon2id.Params
}

// Accounts of one site. Safe for concurrent use.
type Accounts struct {
	c        Config
	hasher   *hasher
	accounts *throttle // failed tries by account name
	sources  *throttle // failed tries by source

	local     string
	localHash digest

	mu    sync.Mutex
	gen   uint64 // rises with every change of an account, session or token
	known map[digest]*seen
	rand  sync.Mutex // guards c.Rand
}

// New checks the configuration and makes the local token of this boot. It starts nothing.
func New(c Config) (*Accounts, error) {
	if c.DB == nil || c.Now == nil || c.Rand == nil || c.Log == nil {
		return nil, errors.New("account: config needs DB, Now, Rand and Log")
	}
	if c.Site != access.Node && c.Site != access.HQ {
		return nil, fmt.Errorf("account: config names no site: %q", c.Site)
	}
	cost := c.Cost
	if cost == nil {
		cost = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	}
	a := &Accounts{
		c:        c,
		accounts: newThrottle(c.Now, 8, 30*time.Second),
		sources:  newThrottle(c.Now, 24, 5*time.Second),
		known:    map[digest]*seen{},
	}
	var err error
	if a.local, err = a.newToken(localPrefix); err != nil {
		return nil, err
	}
	a.localHash = hashToken(a.local)
	a.hasher = newHasher(cost)
	return a, nil
}

// LocalToken is the bearer token of this boot: who holds it acts as the site's administrator. It is written to the
// owner's eyes only (run.json) and dies with the process.
func (a *Accounts) LocalToken() string { return a.local }

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

// FoldName is an account's name as it is kept: people type it in either case.
func FoldName(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// First makes the site's first administrator, named admin, if the site has no account at all, and gives the password,
// which is nowhere else. Otherwise the account is nil. lasting: the password is not for one use only.
func (a *Accounts) First(ctx context.Context, lasting bool) (*branchlinev1.Account, string, error) {
	var n int
	err := a.c.DB.Read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM account`).Scan(&n)
	})
	if err != nil {
		return nil, "", fmt.Errorf("account: count accounts: %w", err)
	}
	if n > 0 {
		return nil, "", nil
	}
	acc := &branchlinev1.Account{
		Name: "admin", Staff: "admin", Roles: []branchlinev1.Role{access.Administrator(a.c.Site)},
	}
	password, err := a.create(ctx, acc, "", !lasting)
	return acc, password, err
}

// Create makes an account. An empty password makes one for one use, which is returned; otherwise the result is "".
// ErrInvalid, ErrExists; the caller's right to do so is the API's matter.
func (a *Accounts) Create(ctx context.Context, acc *branchlinev1.Account, password string) (string, error) {
	return a.create(ctx, acc, password, password == "")
}

func (a *Accounts) create(ctx context.Context, acc *branchlinev1.Account, password string, oneTime bool) (string, error) {
	name := FoldName(acc.GetName())
	acc.Name = name
	bad := &schema.FieldsError{}
	switch {
	case !nameForm.MatchString(name):
		bad.Violations = append(bad.Violations, schema.Violation{Field: "account.name", Reason: "is made of 1 to 32 small letters, digits, dots, dashes and underscores, and begins with a letter or digit"})
	case name == access.LocalName:
		bad.Violations = append(bad.Violations, schema.Violation{Field: "account.name", Reason: "is reserved"})
	}
	bad.Violations = append(bad.Violations, a.badRoles(acc.GetRoles())...)
	if len(acc.GetRoles()) == 0 {
		bad.Violations = append(bad.Violations, schema.Violation{Field: "account.roles", Reason: "name at least one of " + access.Names(access.RolesOf(a.c.Site))})
	}
	if acc.GetStaff() == "" {
		acc.Staff = name
	}
	made := ""
	if password == "" {
		var err error
		if made, err = a.newPassword(); err != nil {
			return "", err
		}
		password = made
	}
	bad.Violations = append(bad.Violations, badPassword(password)...)
	if len(bad.Violations) > 0 {
		return "", bad
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return "", err
	}
	err = a.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `INSERT INTO account (name, hash, staff, roles, disabled, created, one_time, language)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING`,
			name, hash, acc.GetStaff(), writeRoles(acc.GetRoles()), flag(acc.GetDisabled()), a.c.Now().UnixMilli(), flag(oneTime), acc.GetLanguage())
		if err != nil {
			return fmt.Errorf("account: insert: %w", err)
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(fmt.Errorf("account %s: %w", name, schema.ErrExists), err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	a.c.Log.Info("account made", "room", "account", "roles", access.Names(acc.GetRoles()))
	return made, nil
}

// Change is an update of one account.
type Change struct {
	// Account as it should be. Empty staff and roles and no language stay as they are; Disabled is as given.
	Account  *branchlinev1.Account
	Password string // "" = as it is
	Current  string // the present password, from who changes their own
}

// Update changes an account: the site's administrator whatever they like, anybody else their own language, and their own
// password, proving the present one. It ends the account's sessions if the password, the roles or being enabled changed; disabling ends its
// API tokens for good. ErrNotFound, ErrForbidden, ErrInvalid, ErrUnsigned (present password wrong), *ThrottledError.
func (a *Accounts) Update(ctx context.Context, by access.Caller, ch Change) (*branchlinev1.Account, error) {
	name := FoldName(ch.Account.GetName())
	boss := by.IsAdministrator(a.c.Site)
	if (!boss || by.OneTime) && name != by.Account {
		return nil, fmt.Errorf("the accounts of others are the administrator's: %w", schema.ErrForbidden)
	}
	if bad := a.badRoles(ch.Account.GetRoles()); len(bad) > 0 {
		return nil, &schema.FieldsError{Violations: bad}
	}
	hash, oneTime := "", name != by.Account && !by.Local
	if ch.Password != "" {
		if bad := badPassword(ch.Password); len(bad) > 0 {
			return nil, &schema.FieldsError{Violations: bad}
		}
		if name == by.Account {
			if err := a.prove(ctx, name, ch.Current); err != nil {
				return nil, err
			}
			if by.OneTime && ch.Password == ch.Current {
				return nil, schema.Invalid("password", "is the one that was for one use: choose another")
			}
		}
		var err error
		if hash, err = a.hasher.hash(ctx, ch.Password); err != nil {
			return nil, err
		}
	}
	var out *branchlinev1.Account
	err := a.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		old, _, err := get(ctx, tx, name)
		if err != nil {
			return err
		}
		out, err = a.update(ctx, tx, boss, old, ch.Account, hash, oneTime)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (a *Accounts) update(ctx context.Context, tx *sql.Tx, boss bool, old, want *branchlinev1.Account, hash string, oneTime bool) (*branchlinev1.Account, error) {
	now := &branchlinev1.Account{
		Name: old.Name, Staff: old.Staff, Roles: old.Roles, Disabled: old.Disabled, LastSignIn: old.LastSignIn, OneTime: old.OneTime,
		HasPin: old.HasPin, PinLocked: old.PinLocked, Language: old.Language,
	}
	if hash != "" {
		now.OneTime = oneTime
	}
	if want.GetStaff() != "" {
		now.Staff = want.GetStaff()
	}
	if len(want.GetRoles()) > 0 {
		now.Roles = want.GetRoles()
	}
	if want.GetLanguage() != branchlinev1.Language_LANGUAGE_UNSPECIFIED {
		now.Language = want.GetLanguage()
	}
	if boss {
		now.Disabled = want.GetDisabled()
	}
	rolesMoved := writeRoles(now.Roles) != writeRoles(old.Roles)
	if !boss && (rolesMoved || now.Staff != old.Staff) {
		return nil, fmt.Errorf("roles and staff code are set by the administrator: %w", schema.ErrForbidden)
	}
	_, err := tx.ExecContext(ctx, `UPDATE account SET staff = $2, roles = $3, disabled = $4,
		hash = CASE WHEN $5 = '' THEN hash ELSE $5 END, one_time = $6, language = $7 WHERE name = $1`,
		now.Name, now.Staff, writeRoles(now.Roles), flag(now.Disabled), hash, flag(now.OneTime), now.Language)
	if err != nil {
		return nil, fmt.Errorf("account: update: %w", err)
	}
	if rolesMoved || now.Disabled != old.Disabled {
		if err := a.oneIsLeft(ctx, tx); err != nil {
			return nil, err
		}
	}
	if hash != "" || rolesMoved || now.Disabled != old.Disabled {
		if _, err := tx.ExecContext(ctx, `DELETE FROM session WHERE account = $1`, now.Name); err != nil {
			return nil, fmt.Errorf("account: end sessions: %w", err)
		}
	}
	if now.Disabled {
		if _, err := tx.ExecContext(ctx, `DELETE FROM api_token WHERE account = $1`, now.Name); err != nil {
			return nil, fmt.Errorf("account: end tokens: %w", err)
		}
	}
	return now, nil
}

// oneIsLeft refuses to leave the site without an administrator who can sign in.
func (a *Accounts) oneIsLeft(ctx context.Context, tx *sql.Tx) error {
	all, err := list(ctx, tx)
	if err != nil {
		return err
	}
	for _, acc := range all {
		if !acc.Disabled && slices.Contains(acc.Roles, access.Administrator(a.c.Site)) {
			return nil
		}
	}
	return schema.Invalid("account", "is the last one with the role %s: make another first", access.Name(access.Administrator(a.c.Site)))
}

// List gives all accounts by name.
func (a *Accounts) List(ctx context.Context) ([]*branchlinev1.Account, error) {
	var out []*branchlinev1.Account
	err := a.c.DB.Read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		out, err = list(ctx, tx)
		return err
	})
	return out, err
}

// Get gives one account. ErrNotFound.
func (a *Accounts) Get(ctx context.Context, name string) (*branchlinev1.Account, error) {
	var out *branchlinev1.Account
	err := a.c.DB.Read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		out, _, err = get(ctx, tx, FoldName(name))
		return err
	})
	return out, err
}

func (a *Accounts) badRoles(roles []branchlinev1.Role) []schema.Violation {
	for _, r := range roles {
		if !slices.Contains(access.RolesOf(a.c.Site), r) {
			return []schema.Violation{{Field: "account.roles", Reason: fmt.Sprintf("%s is no role of this site: it has %s",
				access.Name(r), access.Names(access.RolesOf(a.c.Site)))}}
		}
	}
	return nil
}

// write commits f, then forgets every token seen, so that the next request reads what is true now.
func (a *Accounts) write(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	err := a.c.DB.Write(ctx, f)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gen++
	clear(a.known)
	return err
}

func get(ctx context.Context, tx *sql.Tx, name string) (*branchlinev1.Account, string, error) {
	acc := &branchlinev1.Account{Name: name}
	var hash, roles string
	err := tx.QueryRowContext(ctx, `SELECT hash, staff, roles, disabled, signed_in, one_time, pin <> '', pin_wrong >= $2, language FROM account
		WHERE name = $1`, name, wrongPins).
		Scan(&hash, &acc.Staff, &roles, &acc.Disabled, &acc.LastSignIn, &acc.OneTime, &acc.HasPin, &acc.PinLocked, &acc.Language)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "", fmt.Errorf("account %s: %w", name, schema.ErrNotFound)
	}
	if err != nil {
		return nil, "", fmt.Errorf("account: read: %w", err)
	}
	acc.Roles, err = readRoles(roles)
	return acc, hash, err
}

func list(ctx context.Context, tx *sql.Tx) ([]*branchlinev1.Account, error) {
	rows, err := tx.QueryContext(ctx, `SELECT name, staff, roles, disabled, signed_in, one_time, pin <> '', pin_wrong >= $1, language FROM account ORDER BY name`, wrongPins)
	if err != nil {
		return nil, fmt.Errorf("account: list: %w", err)
	}
	defer rows.Close() // its error comes with rows.Err
	var out []*branchlinev1.Account
	for rows.Next() {
		acc := &branchlinev1.Account{}
		var roles string
		if err := rows.Scan(&acc.Name, &acc.Staff, &roles, &acc.Disabled, &acc.LastSignIn, &acc.OneTime, &acc.HasPin, &acc.PinLocked, &acc.Language); err != nil {
			return nil, fmt.Errorf("account: list: %w", err)
		}
		if acc.Roles, err = readRoles(roles); err != nil {
			return nil, err
		}
		out = append(out, acc)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("account: list: %w", err)
	}
	return out, nil
}

func writeRoles(roles []branchlinev1.Role) string {
	sorted := slices.Compact(slices.Sorted(slices.Values(roles)))
	s := make([]string, len(sorted))
	for i, r := range sorted {
		s[i] = strconv.Itoa(int(r))
	}
	return strings.Join(s, ",")
}

func readRoles(s string) ([]branchlinev1.Role, error) {
	var out []branchlinev1.Role
	for p := range strings.SplitSeq(s, ",") {
		n, err := strconv.ParseInt(p, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("account: roles %q: %w", s, err)
		}
		out = append(out, branchlinev1.Role(n))
	}
	return out, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func equal(x, y digest) bool { return subtle.ConstantTimeCompare(x[:], y[:]) == 1 }
