package store

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// States of a branch.
const (
	Invited  = "invited" // never enrolled
	Enrolled = "enrolled"
	Revoked  = "revoked" // its key is; another may be enrolled
	Retired  = "retired" // for ever
)

// HQNum is the number of headquarters among the branches; All stands for every branch in the feed.
const (
	All   int32 = 0
	HQNum int32 = 1
)

// Branch is one branch as the registry has it. Values are never changed: the
// registry replaces them.
type Branch struct {
	Num       int32
	Code      schema.BranchID
	Name      string
	Entity    schema.EntityID
	Record    schema.RecordID
	State     string
	Pub       string // the current key
	ReEnrol   bool   // a person has opened a re-enrolment
	MustHello bool   // nothing is taken before the next hello
	Gate      wirev1.Gate
	Boot      []byte
	Heard     int64      // unix ms
	Confirmed schema.Rev // the feed rev it said it has stored; PassDue
	Pending   int64
	Skew      int64 // ms the branch's clock is ahead
	Disk      int64
	Version   string
}

// Key is a public key a branch has or had.
type Key struct {
	Branch int32
	State  string
}

// States of a key.
const (
	KeyCurrent  = "current"
	KeyReplaced = "replaced"
	KeyRevoked  = "revoked"
)

// registry is the memory of the branch tables. Reads take no lock of the database.
type registry struct {
	mu     sync.RWMutex
	byNum  map[int32]*Branch
	byCode map[schema.BranchID]*Branch
	keys   map[string]Key
	stale  map[int32]bool // heard of since last written down
}

const branchColumns = "num, code, name, entity, record, state, pub, reenrol, hello, gate, boot, heard, confirmed, pending, skew, disk, version"

// PassDue in place of a confirmed rev: a pass from zero must begin, no cursor is
// good before it has.
const PassDue = schema.Rev(-1)

func scanBranch(rows *stdsql.Rows) (*Branch, error) {
	b := new(Branch)
	var id []byte
	if err := rows.Scan(&b.Num, &b.Code, &b.Name, &b.Entity, &id, &b.State, &b.Pub, &b.ReEnrol, &b.MustHello, &b.Gate,
		&b.Boot, &b.Heard, &b.Confirmed, &b.Pending, &b.Skew, &b.Disk, &b.Version); err != nil {
		return nil, fmt.Errorf("hq/store: read branch: %w", err)
	}
	var err error
	b.Record, err = schema.RecordIDFromBytes(id)
	return b, err
}

func loadRegistry(ctx context.Context, db *stdsql.DB) (*registry, error) {
	g := &registry{byNum: map[int32]*Branch{}, byCode: map[schema.BranchID]*Branch{}, keys: map[string]Key{}, stale: map[int32]bool{}}
	rows, err := db.QueryContext(ctx, "SELECT "+branchColumns+" FROM branch")
	if err != nil {
		return nil, fmt.Errorf("hq/store: read branches: %w", err)
	}
	if err := each(rows, "branch", func(rows *stdsql.Rows) error {
		b, err := scanBranch(rows)
		if err == nil {
			g.byNum[b.Num], g.byCode[b.Code] = b, b
		}
		return err
	}); err != nil {
		return nil, err
	}
	if rows, err = db.QueryContext(ctx, "SELECT pub, branch, state FROM branch_key"); err != nil {
		return nil, fmt.Errorf("hq/store: read keys: %w", err)
	}
	return g, each(rows, "branch_key", func(rows *stdsql.Rows) error {
		var pub string
		var k Key
		if err := rows.Scan(&pub, &k.Branch, &k.State); err != nil {
			return fmt.Errorf("hq/store: read keys: %w", err)
		}
		g.keys[pub] = k
		return nil
	})
}

// Leaf implements the bus's registry: the branch of a key that may connect. A
// replaced key still may, for its unsent tail is salvaged; a revoked one never.
func (s *Store) Leaf(pub string) (schema.BranchID, error) {
	s.reg.mu.RLock()
	defer s.reg.mu.RUnlock()
	k, ok := s.reg.keys[pub]
	if !ok {
		return "", fmt.Errorf("hq/store: key: %w", schema.ErrNotFound)
	}
	b := s.reg.byNum[k.Branch]
	if k.State == KeyRevoked {
		return b.Code, fmt.Errorf("hq/store: the key of %s is revoked: %w", b.Code, schema.ErrForbidden)
	}
	return b.Code, nil
}

// KeyOf is what the registry knows of a key.
func (s *Store) KeyOf(pub string) (Key, bool) {
	s.reg.mu.RLock()
	defer s.reg.mu.RUnlock()
	k, ok := s.reg.keys[pub]
	return k, ok
}

// IsCurrent tells whether a key is its branch's present one.
func (s *Store) IsCurrent(pub string) bool {
	k, ok := s.KeyOf(pub)
	return ok && k.State == KeyCurrent
}

// KeysOf are the keys of a branch that are not revoked, the current one first.
func (s *Store) KeysOf(branch int32) []string {
	s.reg.mu.RLock()
	defer s.reg.mu.RUnlock()
	var out []string
	for pub, k := range s.reg.keys {
		if k.Branch == branch && k.State == KeyReplaced {
			out = append(out, pub)
		}
	}
	slices.Sort(out)
	if b := s.reg.byNum[branch]; b != nil && b.Pub != "" && s.reg.keys[b.Pub].State == KeyCurrent {
		out = append([]string{b.Pub}, out...)
	}
	return out
}

// Branch finds a branch by its code; nil if there is none. "hq" is one.
func (s *Store) Branch(code schema.BranchID) *Branch {
	s.reg.mu.RLock()
	defer s.reg.mu.RUnlock()
	return s.reg.byCode[code]
}

// BranchNum finds a branch by its number; nil if there is none.
func (s *Store) BranchNum(num int32) *Branch {
	s.reg.mu.RLock()
	defer s.reg.mu.RUnlock()
	return s.reg.byNum[num]
}

// Branches are all branches but headquarters, by code.
func (s *Store) Branches() []*Branch {
	s.reg.mu.RLock()
	defer s.reg.mu.RUnlock()
	out := make([]*Branch, 0, len(s.reg.byNum))
	for _, b := range s.reg.byNum {
		if b.Num != HQNum {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b *Branch) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return out
}

// EntityOf is the legal entity of a branch by number; "" for headquarters.
func (s *Store) EntityOf(num int32) schema.EntityID {
	s.reg.mu.RLock()
	defer s.reg.mu.RUnlock()
	if b := s.reg.byNum[num]; b != nil {
		return b.Entity
	}
	return ""
}

// Hear notes something heard of a branch, in memory; it is written down within
// a second or with the next SetBranch. f changes a copy.
func (s *Store) Hear(num int32, f func(*Branch)) {
	s.reg.mu.Lock()
	defer s.reg.mu.Unlock()
	b := s.reg.byNum[num]
	if b == nil {
		return
	}
	n := *b
	f(&n)
	s.reg.byNum[num], s.reg.byCode[n.Code] = &n, &n
	s.reg.stale[num] = true
}

// FlushHeard writes down what Hear noted, and forgets rows of feeds that are confirmed and over.
func (s *Store) FlushHeard(ctx context.Context) error {
	s.reg.mu.Lock()
	var list []*Branch
	for num := range s.reg.stale {
		list = append(list, s.reg.byNum[num])
	}
	clear(s.reg.stale)
	s.reg.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	return s.Write(ctx, func(w *W) error {
		for _, b := range list {
			if err := w.saveBranch(b); err != nil {
				return err
			}
			if err := w.dropConfirmed(b); err != nil {
				return err
			}
		}
		return nil
	})
}

// dropConfirmed forgets what a branch need not be told in a later pass: records
// it is rid of, and outcomes that are settled well.
func (w *W) dropConfirmed(b *Branch) error {
	if _, err := w.Exec("DELETE FROM feed WHERE branch = $1 AND what = $2 AND gone = 1 AND rev <= $3", b.Num, FeedRecord, int64(b.Confirmed)); err != nil {
		return err
	}
	_, err := w.Exec(`DELETE FROM feed WHERE branch = $1 AND what = $2 AND rev <= $3
		AND EXISTS (SELECT 1 FROM outcome o WHERE o.n = feed.ref AND o.sealed IS NULL AND o.kind IN ($4, $5, $6))`, b.Num, FeedOutcome, int64(b.Confirmed),
		int(wirev1.OutcomeKind_APPLIED), int(wirev1.OutcomeKind_OVERRIDDEN), int(wirev1.OutcomeKind_NO_CHANGE))
	return err
}

func (w *W) saveBranch(b *Branch) error {
	_, err := w.Exec(`UPDATE branch SET name = $1, state = $2, pub = $3, reenrol = $4, hello = $5, gate = $6, boot = $7, heard = $8,
		confirmed = $9, pending = $10, skew = $11, disk = $12, version = $13 WHERE num = $14`,
		b.Name, b.State, b.Pub, b.ReEnrol, b.MustHello, int(b.Gate), b.Boot, b.Heard, int64(b.Confirmed), b.Pending, b.Skew, b.Disk, b.Version, b.Num)
	return err
}

// SetBranch changes a branch in the transaction; memory follows the commit.
func (w *W) SetBranch(num int32, f func(*Branch)) error {
	b := w.BranchNum(num)
	if b == nil {
		return fmt.Errorf("hq/store: branch %d: %w", num, schema.ErrNotFound)
	}
	n := *b
	f(&n)
	if err := w.saveBranch(&n); err != nil {
		return err
	}
	w.branches[num] = &n
	w.After(func() { w.s.Hear(num, f) })
	return nil
}

// BranchNum finds a branch as the transaction has it.
func (w *W) BranchNum(num int32) *Branch {
	if b := w.branches[num]; b != nil {
		return b
	}
	return w.s.BranchNum(num)
}

// headquarters makes branch 1 in a new database.
func (w *W) headquarters() error {
	if w.s.reg.byNum[HQNum] != nil {
		return nil
	}
	return w.insertBranch(&Branch{Num: HQNum, Code: schema.HQ, Name: "HQ", State: Enrolled, Record: schema.RecordID{}}, true)
}

func (w *W) insertBranch(b *Branch, now bool) error {
	_, err := w.Exec("INSERT INTO branch (num, code, name, entity, record, state) VALUES ($1, $2, $3, $4, $5, $6)",
		b.Num, string(b.Code), b.Name, string(b.Entity), b.Record[:], b.State)
	put := func() {
		w.s.reg.mu.Lock()
		defer w.s.reg.mu.Unlock()
		w.s.reg.byNum[b.Num], w.s.reg.byCode[b.Code] = b, b
	}
	if now && err == nil {
		put()
	} else {
		w.After(put)
	}
	return err
}

// NewBranch makes a branch in the registry. schema.ErrExists when the code was ever used.
func (w *W) NewBranch(code schema.BranchID, name string, entity schema.EntityID, record schema.RecordID) (*Branch, error) {
	if w.s.Branch(code) != nil {
		return nil, fmt.Errorf("branch %s: %w", code, schema.ErrExists)
	}
	var num int32
	if _, err := w.Scan("SELECT MAX(num) + 1 FROM branch", nil, &num); err != nil {
		return nil, err
	}
	b := &Branch{Num: num, Code: code, Name: name, Entity: entity, Record: record, State: Invited}
	return b, w.insertBranch(b, false)
}

// setKey records a key's state.
func (w *W) setKey(pub string, k Key) error {
	_, err := w.Exec(`INSERT INTO branch_key (pub, branch, state, since) VALUES ($1, $2, $3, $4)
		ON CONFLICT (pub) DO UPDATE SET state = excluded.state, since = excluded.since`, pub, k.Branch, k.State, w.Clock())
	w.After(func() {
		w.s.reg.mu.Lock()
		defer w.s.reg.mu.Unlock()
		w.s.reg.keys[pub] = k
	})
	return err
}

// SetKey makes pub the branch's key; the one before it is replaced. What was
// known of the machine before is forgotten.
func (w *W) SetKey(b *Branch, pub string) error {
	if k, ok := w.s.KeyOf(b.Pub); ok && k.State == KeyCurrent {
		if err := w.setKey(b.Pub, Key{b.Num, KeyReplaced}); err != nil {
			return err
		}
	}
	if err := w.setKey(pub, Key{b.Num, KeyCurrent}); err != nil {
		return err
	}
	return w.SetBranch(b.Num, func(b *Branch) {
		b.Pub, b.State, b.MustHello, b.Gate = pub, Enrolled, false, wirev1.Gate_GATE_UNSPECIFIED
		b.Boot, b.Confirmed, b.Pending = nil, 0, 0
	})
}

// revokeKey and retire carry out the ledger on whatever registry there is; a
// branch an older copy does not know needs nothing.
func (w *W) revokeKey(code, pub string) error {
	b := w.s.Branch(schema.BranchID(code))
	if b == nil {
		return nil
	}
	if k, ok := w.s.KeyOf(pub); ok && k.State == KeyRevoked {
		return nil
	}
	if err := w.setKey(pub, Key{b.Num, KeyRevoked}); err != nil {
		return err
	}
	return w.SetBranch(b.Num, func(b *Branch) {
		if b.Pub == pub && b.State == Enrolled {
			b.State = Revoked
		}
	})
}

func (w *W) retire(code string) error {
	b := w.s.Branch(schema.BranchID(code))
	if b == nil || b.State == Retired {
		return nil
	}
	return w.SetBranch(b.Num, func(b *Branch) { b.State = Retired })
}
