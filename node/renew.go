package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/ca"
	"branchline/sync/link"
)

const (
	// renewLook is how often the certificate of the pages is looked at; it is
	// renewed over the link in the last third of its life.
	renewLook  = time.Hour
	renewAgain = time.Minute
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

// renewing keeps the certificate of the pages good: it is looked at when the line
// has news and each hour, and asked for again a minute after a failure.
func (n *Node) renewing(ctx context.Context) error {
	t := time.NewTicker(renewLook)
	defer t.Stop()
	watch := n.store.ChangesOf(func(e store.Event) bool { return e.Line })
	defer watch.Close()
	var failed time.Time
	for {
		c, now := n.hostCert.Load(), n.cfg.Now()
		if c != nil && (dueForRenewal(c, now) || !covers(c, n.cfg.names())) && !n.line.Load().down() && now.Sub(failed).Abs() >= renewAgain {
			failed = time.Time{}
			if err := n.renew(ctx, n.Ask); err != nil && ctx.Err() == nil {
				if !errors.Is(err, schema.ErrUnavailable) {
					failed = now // else the link fell, and the line has news when it stands again
				}
				n.log.Warn("certificate of the pages not renewed", "until", c.Leaf.NotAfter, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		case _, ok := <-watch.Ready():
			if !ok {
				return nil // the store closed, which is the end
			}
			watch.Take()
		}
	}
}

func dueForRenewal(c *tls.Certificate, now time.Time) bool {
	life := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore)
	return now.After(c.Leaf.NotAfter.Add(-life / 3))
}

// covers tells whether a certificate bears all the names.
func covers(c *tls.Certificate, names []string) bool {
	return !slices.ContainsFunc(names, func(h string) bool { return c.Leaf.VerifyHostname(h) != nil })
}

// certify gets a branch that was enrolled without one a certificate for its
// listener, over a link of its own: without it the pages could not be served.
func (n *Node) certify(ctx context.Context) (err error) {
	names := n.cfg.names()
	id, ierr := n.store.Identity(ctx)
	if ierr != nil || len(names) == 0 || id.Branch == "" || len(id.HostCert) > 0 {
		return ierr
	}
	l, err := n.newLine(id)
	if err != nil {
		return err
	}
	defer l.codec.Close()
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- l.leaf.Run(run) }()
	defer func() {
		stop()
		err = errors.Join(err, <-done)
	}()
	wait, cancel := context.WithTimeout(ctx, renewLimit)
	defer cancel()
	for {
		select {
		case <-wait.Done():
			return fmt.Errorf("this branch has no certificate for %s yet, and headquarters cannot be reached to give one: listen on 127.0.0.1, or start again when the link stands: %w",
				n.cfg.Listen, schema.ErrUnavailable)
		case up := <-l.leaf.Changes():
			if up {
				return n.renew(wait, l.leaf.Request)
			}
		}
	}
}

// renew asks headquarters for a certificate for the listener's names.
func (n *Node) renew(ctx context.Context, ask func(ctx context.Context, verb string, req []byte) ([]byte, error)) error {
	key, csr, err := ca.NewRequest(n.cfg.Rand, n.cfg.names()...)
	if err != nil {
		return err
	}
	req, err := proto.Marshal(&wirev1.EnrolRequest{Csr: csr})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, renewLimit)
	defer cancel()
	raw, err := ask(ctx, link.VerbRenew, req)
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
