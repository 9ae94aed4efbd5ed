package inbox

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/nkey"
)

// By says who does something at headquarters.
type By struct {
	Actor string // staff code
	Role  branchlinev1.Role
}

// TokenLife is how long an enrolment token is good for.
const TokenLife = 24 * time.Hour

// Token is an enrolment token: who has it may become the branch, once.
type Token struct {
	ID      string
	Secret  []byte // 16 bytes; HQ keeps only its hash
	Branch  schema.BranchID
	Expires int64 // unix ms
}

// AddEntity makes a legal entity. schema.ErrExists when the code is taken.
func (i *Inbox) AddEntity(ctx context.Context, code schema.EntityID, name string, by By) (schema.RecordID, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var id schema.RecordID
	err := i.write(ctx, false, func(r *run) error {
		var have string
		if found, err := r.w.Scan("SELECT code FROM entity WHERE code = $1", []any{string(code)}, &have); err != nil || found {
			if found {
				err = fmt.Errorf("legal entity %s: %w", code, schema.ErrExists)
			}
			return err
		}
		values := &branchlinev1.LegalEntity{Code: proto.String(string(code)), Name: proto.String(name)}
		if group := i.st.Group(); group != "" {
			values.GroupName = proto.String(group)
		}
		ids, err := r.edit([]Edit{{Kind: schema.LegalEntity, Values: values, Actor: by.Actor, Role: by.Role}})
		if err != nil {
			return err
		}
		id = ids[0]
		_, err = r.w.Exec("INSERT INTO entity (code, name, record) VALUES ($1, $2, $3)", string(code), name, id[:])
		return err
	})
	if err != nil {
		return id, fmt.Errorf("hq/inbox: add legal entity: %w", err)
	}
	return id, nil
}

// AddBranch makes a branch of a legal entity and its first enrolment token.
// schema.ErrExists when the code was ever used, schema.ErrNotFound for no such entity.
func (i *Inbox) AddBranch(ctx context.Context, code schema.BranchID, name string, entity schema.EntityID, by By) (*Token, error) {
	return i.AddBranchIn(ctx, code, name, entity, "", by)
}

// AddBranchIn is AddBranch for a branch whose days are those of an IANA zone; ""
// is schema.DefaultZone. schema.ErrInvalid for a zone there is none of.
func (i *Inbox) AddBranchIn(ctx context.Context, code schema.BranchID, name string, entity schema.EntityID, zone string, by By) (*Token, error) {
	values := &branchlinev1.Branch{Code: proto.String(string(code)), Name: proto.String(name), Entity: proto.String(string(entity))}
	if zone != "" {
		if _, err := schema.Zone(zone); err != nil {
			return nil, fmt.Errorf("hq/inbox: add branch: %w", err)
		}
		values.Zone = proto.String(zone)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	var t *Token
	err := i.write(ctx, false, func(r *run) error {
		var have string
		found, err := r.w.Scan("SELECT code FROM entity WHERE code = $1", []any{string(entity)}, &have)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("legal entity %s: %w", entity, schema.ErrNotFound)
		}
		ids, err := r.edit([]Edit{{Kind: schema.Branch, Values: values, Actor: by.Actor, Role: by.Role}})
		if err != nil {
			return err
		}
		b, err := r.w.NewBranch(code, name, entity, ids[0])
		if err != nil {
			return err
		}
		t, err = r.token(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: add branch: %w", err)
	}
	return t, nil
}

func (r *run) token(b *store.Branch) (*Token, error) {
	t := &Token{Secret: make([]byte, 16), Branch: b.Code, Expires: r.now.Add(TokenLife).UnixMilli()}
	var id [9]byte
	if err := r.i.st.Random(id[:]); err != nil {
		return nil, err
	}
	if err := r.i.st.Random(t.Secret); err != nil {
		return nil, err
	}
	t.ID = base64.RawURLEncoding.EncodeToString(id[:])
	sum := sha256.Sum256(t.Secret)
	// A newer token ends the ones not yet used.
	if _, err := r.w.Exec("DELETE FROM token WHERE branch = $1 AND used_by = ''", b.Num); err != nil {
		return nil, err
	}
	_, err := r.w.Exec("INSERT INTO token (id, branch, hash, expires) VALUES ($1, $2, $3, $4)", t.ID, b.Num, sum[:], t.Expires)
	return t, err
}

// ReEnrol opens a re-enrolment of a branch: a machine that comes with the token
// becomes the branch, and gets back all the branch ever sent. The machine that
// was it until then may only hand in its unsent tail.
func (i *Inbox) ReEnrol(ctx context.Context, code schema.BranchID) (*Token, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var t *Token
	err := i.write(ctx, false, func(r *run) error {
		b, err := i.branch(code)
		if err != nil {
			return err
		}
		if b.State == store.Retired {
			return fmt.Errorf("branch %s is retired: %w", code, schema.ErrForbidden)
		}
		if err := r.w.SetBranch(b.Num, func(b *store.Branch) { b.ReEnrol = true }); err != nil {
			return err
		}
		t, err = r.token(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: re-enrol: %w", err)
	}
	return t, nil
}

func (i *Inbox) branch(code schema.BranchID) (*store.Branch, error) {
	b := i.st.Branch(code)
	if b == nil || b.Num == store.HQNum {
		return nil, fmt.Errorf("branch %s: %w", code, schema.ErrNotFound)
	}
	return b, nil
}

// Revoke ends a branch's key for ever: in the ledger first. The caller cuts its links.
func (i *Inbox) Revoke(ctx context.Context, code schema.BranchID) error {
	return i.ledger(ctx, code, func(b *store.Branch) ([]*wirev1.LedgerEntry, error) {
		if b.Pub == "" {
			return nil, fmt.Errorf("branch %s has no key yet: %w", code, schema.ErrNotFound)
		}
		return []*wirev1.LedgerEntry{{Kind: wirev1.LedgerKind_KEY_REVOKED, Branch: string(code), Key: b.Pub}}, nil
	})
}

// Retire closes a branch for ever: its unsent tail may come in, nothing else.
func (i *Inbox) Retire(ctx context.Context, code schema.BranchID) error {
	return i.ledger(ctx, code, func(b *store.Branch) ([]*wirev1.LedgerEntry, error) {
		if b.State == store.Retired {
			return nil, nil
		}
		return []*wirev1.LedgerEntry{{Kind: wirev1.LedgerKind_BRANCH_RETIRED, Branch: string(code)}}, nil
	})
}

func (i *Inbox) ledger(ctx context.Context, code schema.BranchID, f func(*store.Branch) ([]*wirev1.LedgerEntry, error)) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	err := i.write(ctx, false, func(r *run) error {
		b, err := i.branch(code)
		if err != nil {
			return err
		}
		entries, err := f(b)
		if err != nil {
			return err
		}
		if _, err := r.w.Exec("DELETE FROM token WHERE branch = $1 AND used_by = ''", b.Num); err != nil {
			return err
		}
		return r.w.AddLedger(entries...)
	})
	if err != nil {
		return fmt.Errorf("hq/inbox: %w", err)
	}
	return nil
}

// Enrol trades a token for a registration. The same key asking again with the
// same token gets the same answer; another key is refused and an alarm raised.
// What only the server knows (link address, CA, host certificate) the caller
// fills in. Errors: schema.ErrForbidden for a token that is wrong, used or too
// old, schema.ErrInvalid for a key or proof that is none.
func (i *Inbox) Enrol(ctx context.Context, req *wirev1.EnrolRequest) (*wirev1.EnrolReply, error) {
	if err := nkey.Verify(req.GetKey(), []byte(req.GetTokenId()), req.GetProof()); err != nil {
		return nil, fmt.Errorf("hq/inbox: enrol: the key's proof does not fit: %w", schema.ErrInvalid)
	}
	if len(req.GetNonce()) < 16 || len(req.GetNonce()) > 64 {
		return nil, fmt.Errorf("hq/inbox: enrol: %w", schema.Invalid("nonce", "has %d bytes, not 16 to 64", len(req.GetNonce())))
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	reply := new(wirev1.EnrolReply)
	var refused error
	err := i.write(ctx, false, func(r *run) error {
		var err error
		refused, err = r.enrol(req, reply)
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: enrol: %w", err)
	}
	return reply, nil
}

// enrol gives what the asker did wrong as refused: an alarm raised by it stays.
func (r *run) enrol(req *wirev1.EnrolRequest, reply *wirev1.EnrolReply) (refused, err error) {
	var num int32
	var hash, stored []byte
	var expires int64
	var usedBy string
	found, err := r.w.Scan("SELECT branch, hash, expires, used_by, reply FROM token WHERE id = $1", []any{req.GetTokenId()}, &num, &hash, &expires, &usedBy, &stored)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(req.GetToken())
	if !found || subtle.ConstantTimeCompare(sum[:], hash) != 1 {
		return fmt.Errorf("no such token: %w", schema.ErrForbidden), nil
	}
	if usedBy == req.GetKey() {
		return nil, proto.Unmarshal(stored, reply)
	}
	if usedBy != "" {
		return fmt.Errorf("the token is used: %w", schema.ErrForbidden),
			r.w.Alarm(num, store.AlarmToken, "a used enrolment token was tried with another key")
	}
	if r.now.UnixMilli() >= expires {
		return fmt.Errorf("the token is too old: %w", schema.ErrForbidden), nil
	}
	if _, taken := r.i.st.KeyOf(req.GetKey()); taken {
		return fmt.Errorf("the key is known already: %w", schema.ErrForbidden), nil
	}
	b := r.w.BranchNum(num)
	if b.State == store.Retired {
		return fmt.Errorf("branch %s is retired: %w", b.Code, schema.ErrForbidden), nil
	}
	if err := r.register(b, req.GetKey()); err != nil {
		return nil, err
	}
	l, err := r.w.Issue(b, req.GetNonce())
	if err != nil {
		return nil, err
	}
	reply.Branch, reply.Entity = string(b.Code), string(b.Entity)
	reply.Certificate, reply.Incarnation = l.Certificate, int64(l.Inc)
	reply.HqKey, reply.Epoch, reply.EpochLine, reply.IdKey = r.i.st.Signer().Public(), int64(r.i.st.Epoch()), r.i.st.SignedLine(), r.i.st.IDKey()
	raw, err := proto.Marshal(reply)
	if err != nil {
		return nil, err
	}
	_, err = r.w.Exec("UPDATE token SET used_by = $1, used_at = $2, reply = $3 WHERE id = $4", req.GetKey(), r.now.UnixMilli(), raw, req.GetTokenId())
	return nil, err
}

// register makes a key the branch's. Lives of the machine before it are frozen.
func (r *run) register(b *store.Branch, pub string) error {
	lives, err := store.LivesOf(r, b.Num)
	if err != nil {
		return err
	}
	for _, l := range lives {
		if l.State == store.LifeFrozen {
			continue
		}
		if err := r.w.Freeze(b, l.Inc); err != nil {
			return err
		}
		delete(r.i.lives, l.Inc)
	}
	return r.w.SetKey(b, pub)
}
