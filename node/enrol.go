package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/enrol"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/ca"
	"branchline/sync/bus/nkey"
)

const (
	enrolLimit = 20 * time.Second
	// maxReply bounds what HQ may answer to an enrolment.
	maxReply = 256 << 10
)

// Enrol trades a token for a registration: the branch makes its key, HQ gives it
// an incarnation, the link's address and, when there is a listener that needs
// one, a certificate. The same token may be used again by this folder when an
// answer was lost. Errors: schema.ErrInvalid (not a token), ErrForbidden (HQ does
// not take it), ErrUnavailable (HQ cannot be reached), ErrConflict (this folder is
// another branch's).
func (n *Node) Enrol(ctx context.Context, text string) error {
	tok, err := enrol.Parse(text)
	if err != nil {
		return err
	}
	n.enrolMu.Lock()
	defer n.enrolMu.Unlock()
	req, seed, hostKey, err := n.enrolRequest(ctx, tok)
	if err != nil {
		return fmt.Errorf("node: enrol: %w", err)
	}
	r, err := n.postEnrol(ctx, tok, req)
	if err != nil {
		return fmt.Errorf("node: enrol: %w", err)
	}
	if err := checkReply(tok, r); err != nil {
		return fmt.Errorf("node: enrol: %w", err)
	}
	id := store.Identity{
		Branch: schema.BranchID(r.GetBranch()), Entity: schema.EntityID(r.GetEntity()), Seed: seed, Link: r.GetLink(), CA: r.GetCa(),
		CAFingerprint: ca.Fingerprint(tok.CA).String(), HQKey: r.GetHqKey(), IDKey: r.GetIdKey(),
	}
	if len(r.GetHostCertificate()) > 0 {
		id.HostCert, id.HostKey = r.GetHostCertificate(), hostKey
	}
	err = n.store.Enrol(ctx, store.Enrolment{
		Identity: id, Incarnation: schema.Incarnation(r.GetIncarnation()), Certificate: r.GetCertificate(),
		Epoch: schema.EpochID(r.GetEpoch()), EpochLine: r.GetEpochLine(),
	})
	if err != nil {
		return fmt.Errorf("node: enrol: %w", err)
	}
	if err := os.Remove(filepath.Join(n.cfg.Dir, pendingFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.log.Warn("a used key file stays", "err", err)
	}
	n.log.Info("enrolled", "branch", r.GetBranch())
	select {
	case n.enrolled <- struct{}{}:
	default:
	}
	return nil
}

// pendingFile keeps the key made for a token until HQ's answer is stored, so
// that the same token can be tried again with the same key: HQ takes no other.
const pendingFile = "enrol.pending"

// pendingSeed is the key for a token, made and on disk before it is used.
func (n *Node) pendingSeed(tok *enrol.Token) ([]byte, error) {
	path := filepath.Join(n.cfg.Dir, pendingFile)
	b, err := os.ReadFile(path)
	switch {
	case err == nil:
		if id, seed, ok := bytes.Cut(bytes.TrimSpace(b), []byte{'\n'}); ok && string(id) == tok.ID {
			return seed, nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	seed, err := nkey.NewSeed(n.cfg.Rand)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(f, "%s\n%s\n", tok.ID, seed)
	if err == nil {
		err = f.Sync()
	}
	return seed, errors.Join(err, f.Close())
}

// enrolRequest makes what is sent. Each token has a key of its own; a folder that
// was enrolled before goes by its old one until HQ has taken the new.
func (n *Node) enrolRequest(ctx context.Context, tok *enrol.Token) (req *wirev1.EnrolRequest, seed, hostKey []byte, err error) {
	if seed, err = n.pendingSeed(tok); err != nil {
		return nil, nil, nil, err
	}
	signer, err := nkey.NewSigner(seed)
	if err != nil {
		return nil, nil, nil, err
	}
	nonce, err := n.store.Nonce(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	req = &wirev1.EnrolRequest{TokenId: tok.ID, Token: tok.Secret, Key: signer.Public(), Proof: signer.Sign([]byte(tok.ID)), Nonce: nonce}
	if names := n.cfg.names(); len(names) > 0 {
		if hostKey, req.Csr, err = ca.NewRequest(n.cfg.Rand, names...); err != nil {
			return nil, nil, nil, err
		}
	}
	return req, seed, hostKey, nil
}

// postEnrol asks the HQ that the token names. Over TLS that HQ is known by its
// CA's fingerprint; plain HTTP is for loopback only, as the token's form has it.
func (n *Node) postEnrol(ctx context.Context, tok *enrol.Token, req *wirev1.EnrolRequest) (*wirev1.EnrolReply, error) {
	b, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, enrolLimit)
	defer cancel()
	hr, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(tok.URL, "/")+"/enrol", bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	hr.Header.Set("Content-Type", "application/x-protobuf")
	tr := &http.Transport{TLSClientConfig: ca.PinnedClient(tok.CA), Proxy: nil, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	client := &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(hr)
	if err != nil {
		return nil, fmt.Errorf("headquarters at %s cannot be reached: %w: %w", tok.URL, schema.ErrUnavailable, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return nil, fmt.Errorf("answer of headquarters: %w: %w", schema.ErrUnavailable, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refusedBy(resp.StatusCode, raw)
	}
	if len(raw) > maxReply {
		return nil, fmt.Errorf("answer of headquarters: %w", schema.ErrTooLarge)
	}
	r := new(wirev1.EnrolReply)
	if err := proto.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("answer of headquarters cannot be read: %w", err)
	}
	return r, nil
}

// refusedBy is HQ's refusal as an error of this side.
func refusedBy(status int, body []byte) error {
	text := strings.TrimSpace(string(body[:min(len(body), 300)]))
	kind := schema.ErrUnavailable
	switch status {
	case http.StatusBadRequest:
		kind = schema.ErrInvalid
	case http.StatusForbidden, http.StatusUnauthorized:
		kind = schema.ErrForbidden
	case http.StatusConflict:
		kind = schema.ErrConflict
	case http.StatusTooManyRequests:
		kind = schema.ErrExhausted
	}
	return fmt.Errorf("headquarters says: %s: %w", text, kind)
}

// checkReply refuses an answer that the line could not stand on.
func checkReply(tok *enrol.Token, r *wirev1.EnrolReply) error {
	if _, err := schema.ParseBranchID(r.GetBranch()); err != nil {
		return err
	}
	block, _ := pem.Decode(r.GetCa())
	if block == nil || sha256.Sum256(block.Bytes) != tok.CA {
		return errors.New("headquarters' CA is not the one the token names")
	}
	verify, err := verifier(r.GetHqKey())
	if err != nil {
		return err
	}
	cert := new(wirev1.Certificate)
	if err := schema.OpenWord(r.GetCertificate(), cert, verify); err != nil {
		return err
	}
	if cert.GetBranch() != r.GetBranch() || cert.GetIncarnation() != r.GetIncarnation() {
		return errors.New("headquarters' certificate is for another branch or incarnation")
	}
	return nil
}

// verifier believes one key.
func verifier(pub string) (func(key string, msg, sig []byte) error, error) {
	v, err := nkey.NewVerifier(pub)
	if err != nil {
		return nil, fmt.Errorf("headquarters' key: %w", err)
	}
	return func(key string, msg, sig []byte) error {
		if key != pub {
			return errors.New("another key than headquarters'")
		}
		return v.Verify(msg, sig)
	}, nil
}
