package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/ca"
	"branchline/sync/link"
)

const (
	// renewLook is how often the certificate of the pages is looked at; it is
	// renewed over the link in the last third of its life.
	renewLook  = time.Hour
	renewLimit = 30 * time.Second
)

// useHostCert serves with a certificate from the next handshake on.
func (n *Node) useHostCert(cert, key []byte) error {
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("certificate of the pages: %w", err)
	}
	n.hostCert.Store(&c)
	return nil
}

// renewing keeps the certificate of the pages good. A failure is tried again at the next look.
func (n *Node) renewing(ctx context.Context) error {
	t := time.NewTicker(renewLook)
	defer t.Stop()
	for {
		if c := n.hostCert.Load(); c != nil && dueForRenewal(c, n.cfg.Now()) {
			if err := n.renew(ctx, c); err != nil && ctx.Err() == nil {
				n.log.Warn("certificate of the pages not renewed", "until", c.Leaf.NotAfter, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func dueForRenewal(c *tls.Certificate, now time.Time) bool {
	life := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore)
	return now.After(c.Leaf.NotAfter.Add(-life / 3))
}

func (n *Node) renew(ctx context.Context, old *tls.Certificate) error {
	key, csr, err := ca.NewRequest(n.cfg.Rand, old.Leaf.Subject.CommonName)
	if err != nil {
		return err
	}
	req, err := proto.Marshal(&wirev1.EnrolRequest{Csr: csr})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, renewLimit)
	defer cancel()
	raw, err := n.Ask(ctx, link.VerbRenew, req)
	if err != nil {
		return err
	}
	r := new(wirev1.EnrolReply)
	if err := proto.Unmarshal(raw, r); err != nil {
		return err
	}
	id, err := n.store.Identity(ctx)
	if err != nil {
		return err
	}
	if schema.BranchID(r.GetBranch()) != id.Branch || !bytes.Equal(r.GetCa(), id.CA) {
		return errors.New("headquarters answered for another branch or authority")
	}
	if err := n.useHostCert(r.GetHostCertificate(), key); err != nil {
		return err
	}
	return n.store.SaveHost(ctx, r.GetHostCertificate(), key)
}
