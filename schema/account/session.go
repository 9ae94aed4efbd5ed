package account

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

const (
	idle     = 30 * time.Minute
	absolute = 12 * time.Hour
	// touch is how stale the stored time of last use may be.
	touch = time.Minute
	// skew is how far in the future a session's making may lie before it is taken for the mark of a clock set back.
	skew = 5 * time.Minute

	defaultTokenDays = 90
	maxTokenDays     = 400
	maxTokens        = 50 // sessions, and tokens, of one account
	maxSeen          = 4096

	// A token says what it is, so that it is found where it should not lie.
	sessionPrefix = "bs_"
	tokenPrefix   = "bt_"
	localPrefix   = "bl_"
)

type digest [sha256.Size]byte

func hashToken(s string) digest { return sha256.Sum256([]byte(s)) }

// newToken is 256 random bits.
func (a *Accounts) newToken(prefix string) (string, error) {
	b, err := a.random(32)
	if err != nil {
		return "", err
	}
	return prefix + base64.RawURLEncoding.EncodeToString(b), nil
}

// seen is a token as last read from the database, and when it was used since.
type seen struct {
	caller                 access.Caller
	created, used, expires int64 // unix ms
	stored                 int64 // used, as it stands in the database
}

// Try is one try to sign in.
type Try struct {
	Account  string
	Password string
	Source   string // address it comes from; counts tries
	Label    string // told to the person in the list of sessions
	Old      string // token the browser had before; it ends
	Desk     string // what the browser is known by; "" if it is new. Made at a node only
}

// Granted is a session just made.
type Granted struct {
	Token   string // nowhere else
	ID      string
	Expires time.Time
	Account *branchlinev1.Account
	Desk    string // what the browser is known by from now on; "" for an API token, and at headquarters
}

func refused() error {
	return fmt.Errorf("the account or the password is wrong: %w", schema.ErrUnsigned)
}

// SignIn makes a session. ErrUnsigned, with the same words and the same work, when the account does not exist, is
// disabled or has another password; *ThrottledError when too many tries failed.
func (a *Accounts) SignIn(ctx context.Context, t Try) (*Granted, error) {
	name := FoldName(t.Account)
	if err := a.sources.take(t.Source); err != nil {
		return nil, err
	}
	acc, hash, stale, err := a.try(ctx, name, t.Password)
	if !errors.Is(err, schema.ErrUnsigned) {
		a.sources.giveBack(t.Source)
	}
	if err != nil {
		return nil, err
	}

	fresh := hash
	if stale {
		if fresh, err = a.hasher.hash(ctx, t.Password); err != nil {
			return nil, err
		}
	}
	token, err := a.newToken(sessionPrefix)
	if err != nil {
		return nil, err
	}
	id, err := a.newID()
	if err != nil {
		return nil, err
	}
	now := a.c.Now()
	g := &Granted{Token: token, ID: id, Expires: now.Add(absolute), Account: acc}
	if a.c.Site == access.Node {
		if g.Desk = t.Desk; !strings.HasPrefix(g.Desk, deskPrefix) {
			if g.Desk, err = a.newToken(deskPrefix); err != nil {
				return nil, err
			}
		}
	}
	acc.LastSignIn, acc.PinLocked = now.UnixMilli(), false
	err = a.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// The account may have been disabled, or its password changed, while the hash was worked.
		r, err := tx.ExecContext(ctx, `UPDATE account SET signed_in = $3, hash = $4, pin_wrong = 0 WHERE name = $1 AND hash = $2 AND disabled = 0`,
			name, hash, now.UnixMilli(), fresh)
		if err != nil {
			return fmt.Errorf("account: note sign-in: %w", err)
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return errors.Join(refused(), err)
		}
		if err := a.clearSessions(ctx, tx, t.Old, now); err != nil {
			return err
		}
		if g.Desk != "" {
			if err := a.noteDesk(ctx, tx, g.Desk, name, now); err != nil {
				return err
			}
		}
		return insertToken(ctx, tx, "session", token, g.ID, name, t.Label, now, g.Expires)
	})
	if err != nil {
		return nil, err
	}
	a.c.Log.Info("signed in", "room", "account", "session", g.ID)
	return g, nil
}

// clearSessions ends the browser's old session, and takes away those that are over.
func (a *Accounts) clearSessions(ctx context.Context, tx *sql.Tx, token string, now time.Time) error {
	old := hashToken(token)
	_, err := tx.ExecContext(ctx, `DELETE FROM session WHERE token = $1 OR expires <= $2 OR used <= $3`,
		old[:], now.UnixMilli(), now.Add(-idle).UnixMilli())
	if err != nil {
		return fmt.Errorf("account: clear sessions: %w", err)
	}
	return nil
}

// newID names a session for people; it opens nothing.
func (a *Accounts) newID() (string, error) {
	b, err := a.random(9)
	return hex.EncodeToString(b), err
}

// try checks a password and counts the failure. The account and its hash are nil and "" with every error.
func (a *Accounts) try(ctx context.Context, name, password string) (acc *branchlinev1.Account, hash string, stale bool, err error) {
	if err := a.accounts.take(name); err != nil {
		return nil, "", false, err
	}
	failed := false
	defer func() {
		if !failed {
			a.accounts.giveBack(name)
		}
	}()
	err = a.c.DB.Read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		acc, hash, err = get(ctx, tx, name)
		return err
	})
	if err != nil && !errors.Is(err, schema.ErrNotFound) {
		return nil, "", false, err
	}
	if len(password) > maxPassword {
		password = password[:maxPassword+1] // matches nothing; bounds the work
	}
	ok, stale, err := a.hasher.verify(ctx, password, hash)
	if err != nil {
		return nil, "", false, err
	}
	if !ok || acc.GetDisabled() {
		failed = true
		a.c.Log.Info("sign-in refused", "room", "account")
		return nil, "", false, refused()
	}
	return acc, hash, stale, nil
}

// prove checks the present password of who changes it.
func (a *Accounts) prove(ctx context.Context, name, password string) error {
	if password == "" {
		return schema.Invalid("current_password", "is needed to set a new one")
	}
	_, _, _, err := a.try(ctx, name, password)
	if errors.Is(err, schema.ErrUnsigned) {
		return schema.Invalid("current_password", "is wrong")
	}
	return err
}

func insertToken(ctx context.Context, tx *sql.Tx, table, token, id, account, label string, now, expires time.Time) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE token IN (SELECT token FROM
		(SELECT token, row_number() OVER (ORDER BY used DESC, id) AS n FROM `+table+` WHERE account = $1) AS own
		WHERE n >= $2)`, account, maxTokens)
	if err != nil {
		return fmt.Errorf("account: bound %ss: %w", table, err)
	}
	h := hashToken(token)
	_, err = tx.ExecContext(ctx, `INSERT INTO `+table+` (token, id, account, label, created, used, expires)
		VALUES ($1, $2, $3, $4, $5, $5, $6)`, h[:], id, account, label, now.UnixMilli(), expires.UnixMilli())
	if err != nil {
		return fmt.Errorf("account: insert %s: %w", table, err)
	}
	return nil
}

// Authenticate tells whose token this is: of a session, an API token, or the local one. ErrUnsigned if it is none, or
// no longer. Using a session keeps it alive.
func (a *Accounts) Authenticate(ctx context.Context, token string) (access.Caller, error) {
	h := hashToken(token)
	if equal(h, a.localHash) {
		return access.Caller{
			Account: access.LocalName, Staff: access.LocalName, Local: true,
			Roles: []branchlinev1.Role{access.Administrator(a.c.Site)},
		}, nil
	}
	table, ok := tableOf(token)
	if !ok {
		return access.Caller{}, fmt.Errorf("the token is none of this site: %w", schema.ErrUnsigned)
	}
	s, err := a.look(ctx, table, h)
	if err != nil {
		return access.Caller{}, err
	}
	now := a.c.Now().UnixMilli()
	a.mu.Lock()
	over := now >= s.expires || now < s.created-skew.Milliseconds() ||
		table == "session" && now-s.used >= idle.Milliseconds()
	late := !over && now-s.stored >= touch.Milliseconds()
	if !over {
		s.used = max(now, s.used)
	}
	if late {
		s.stored = now
	}
	a.mu.Unlock()
	if over {
		return access.Caller{}, fmt.Errorf("the %s is over; sign in again: %w", strings.ReplaceAll(table, "_", " "), schema.ErrUnsigned)
	}
	if late {
		// Not through a.write: nobody's rights change. That a use is not noted shortens a session, and hurts nobody else.
		err := a.c.DB.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE `+table+` SET used = CASE WHEN used < $2 THEN $2 ELSE used END WHERE token = $1`, h[:], now)
			return err
		})
		if err != nil {
			a.c.Log.Warn("use of a session not noted", "room", "account", "error", err)
		}
	}
	return s.caller, nil
}

func tableOf(token string) (string, bool) {
	switch {
	case strings.HasPrefix(token, sessionPrefix):
		return "session", true
	case strings.HasPrefix(token, tokenPrefix):
		return "api_token", true
	}
	return "", false
}

func (a *Accounts) look(ctx context.Context, table string, h digest) (*seen, error) {
	a.mu.Lock()
	s, gen := a.known[h], a.gen
	a.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s = &seen{}
	err := a.c.DB.Read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var roles string
		err := tx.QueryRowContext(ctx, `SELECT t.id, t.created, t.used, t.expires, a.name, a.staff, a.roles, a.one_time, a.language
			FROM `+table+` t JOIN account a ON a.name = t.account WHERE t.token = $1 AND a.disabled = 0`, h[:]).
			Scan(&s.caller.Session, &s.created, &s.used, &s.expires, &s.caller.Account, &s.caller.Staff, &roles, &s.caller.OneTime, &s.caller.Language)
		if err != nil {
			return err
		}
		s.stored = s.used
		s.caller.OneTime = s.caller.OneTime && table == "session" // nobody got an API token by it
		s.caller.Roles, err = readRoles(roles)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("the %s is over; sign in again: %w", strings.ReplaceAll(table, "_", " "), schema.ErrUnsigned)
	}
	if err != nil {
		return nil, fmt.Errorf("account: read %s: %w", table, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if was := a.known[h]; was != nil {
		return was, nil
	}
	if a.gen == gen { // else an account changed while this was read
		if len(a.known) >= maxSeen {
			clear(a.known)
		}
		a.known[h] = s
	}
	return s, nil
}

// SignOut ends the session the caller came with, and opens the browser (desk; "": none is known) to their PIN no more. An
// API token is ended by EndSession; the local one with the process.
func (a *Accounts) SignOut(ctx context.Context, by access.Caller, desk string) error {
	return a.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		h := hashToken(desk)
		if _, err := tx.ExecContext(ctx, `DELETE FROM desk WHERE token = $1 AND account = $2`, h[:], by.Account); err != nil {
			return fmt.Errorf("account: leave desk: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM session WHERE id = $1 AND account = $2`, by.Session, by.Account); err != nil {
			return fmt.Errorf("account: end session: %w", err)
		}
		return nil
	})
}

// CreateToken makes an API token with the rights of the caller's account, good for days (0: 90). It is told once.
// ErrInvalid.
func (a *Accounts) CreateToken(ctx context.Context, by access.Caller, label string, days int) (*Granted, error) {
	switch {
	case by.Local:
		return nil, schema.Invalid("", "a token belongs to an account: sign in as that account to make one")
	case strings.TrimSpace(label) == "":
		return nil, schema.Invalid("label", "say what the token is for")
	case days < 0 || days > maxTokenDays:
		return nil, schema.Invalid("days", "is 1 to %d", maxTokenDays)
	case days == 0:
		days = defaultTokenDays
	}
	token, err := a.newToken(tokenPrefix)
	if err != nil {
		return nil, err
	}
	id, err := a.newID()
	if err != nil {
		return nil, err
	}
	now := a.c.Now()
	g := &Granted{Token: token, ID: id, Expires: now.AddDate(0, 0, days)}
	err = a.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM api_token WHERE expires <= $1`, now.UnixMilli()); err != nil {
			return fmt.Errorf("account: clear tokens: %w", err)
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM api_token WHERE account = $1`, by.Account).Scan(&n); err != nil {
			return fmt.Errorf("account: count tokens: %w", err)
		}
		if n >= maxTokens {
			return schema.Invalid("", "the account has %d tokens: end one first", n)
		}
		return insertToken(ctx, tx, "api_token", token, g.ID, by.Account, label, now, g.Expires)
	})
	if err != nil {
		return nil, err
	}
	a.c.Log.Info("token made", "room", "account", "session", g.ID)
	return g, nil
}

// Sessions lists the caller's own sessions and API tokens, the last used first.
func (a *Accounts) Sessions(ctx context.Context, by access.Caller) ([]*branchlinev1.Session, error) {
	var out []*branchlinev1.Session
	now := a.c.Now()
	err := a.c.DB.Read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT id, label, created, used, expires FROM session
			WHERE account = $1 AND expires > $2 AND used > $3
			UNION ALL SELECT id, label, created, used, expires FROM api_token WHERE account = $1 AND expires > $2
			ORDER BY 4 DESC, 1`, by.Account, now.UnixMilli(), now.Add(-idle).UnixMilli())
		if err != nil {
			return fmt.Errorf("account: list sessions: %w", err)
		}
		defer rows.Close() // its error comes with rows.Err
		for rows.Next() {
			s := &branchlinev1.Session{}
			if err := rows.Scan(&s.Id, &s.Label, &s.CreatedAt, &s.UsedAt, &s.ExpiresAt); err != nil {
				return fmt.Errorf("account: list sessions: %w", err)
			}
			s.Current = s.Id == by.Session
			out = append(out, s)
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("account: list sessions: %w", err)
		}
		return nil
	})
	return out, err
}

// EndSession ends one of the caller's sessions or API tokens; with id "" all their sessions but the one in use.
// ErrNotFound.
func (a *Accounts) EndSession(ctx context.Context, by access.Caller, id string) error {
	return a.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if id == "" {
			if _, err := tx.ExecContext(ctx, `DELETE FROM session WHERE account = $1 AND id <> $2`, by.Account, by.Session); err != nil {
				return fmt.Errorf("account: end sessions: %w", err)
			}
			return nil
		}
		var n int64
		for _, table := range []string{"session", "api_token"} {
			r, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE id = $1 AND account = $2`, id, by.Account)
			if err != nil {
				return fmt.Errorf("account: end %s: %w", table, err)
			}
			k, err := r.RowsAffected()
			if err != nil {
				return fmt.Errorf("account: end %s: %w", table, err)
			}
			n += k
		}
		if n == 0 {
			return fmt.Errorf("session: %w", schema.ErrNotFound)
		}
		return nil
	})
}
