package node

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/blob"
	"branchline/sync/bus"
	"branchline/sync/bus/ca"
	"branchline/sync/bus/nkey"
	"branchline/sync/link"
)

// The schema versions this program speaks.
const (
	SchemaMin = 1
	SchemaMax = 1
)

// line is one run of the link: the leaf, the core's driver, and who wakes it.
type line struct {
	leaf   *bus.Leaf
	driver *link.Driver
	codec  *schema.PackCodec
}

// newLine builds the link of an enrolled branch and starts the local server. It
// needs no network.
func (n *Node) newLine(id store.Identity) (*line, error) {
	signer, err := nkey.NewSigner(id.Seed)
	if err != nil {
		return nil, err
	}
	verify, err := verifier(id.HQKey)
	if err != nil {
		return nil, err
	}
	var tc *tls.Config
	if !n.cfg.PlainLink {
		fp, err := ca.ParseFingerprint(id.CAFingerprint)
		if err != nil {
			return nil, err
		}
		tc = ca.PinnedClient(fp)
	}
	at := id.Link
	if n.cfg.Link != "" {
		at = n.cfg.Link
	}
	var boot, seed [16]byte
	for _, b := range [][]byte{boot[:], seed[:]} {
		if _, err := io.ReadFull(n.cfg.Rand, b); err != nil {
			return nil, fmt.Errorf("randomness: %w", err)
		}
	}
	leaf, err := bus.NewLeaf(bus.LeafConfig{
		Branch: id.Branch, Seed: id.Seed, HubURL: at, TLS: tc, Boot: hex.EncodeToString(boot[:8]), Rand: n.cfg.Rand, Log: n.cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	codec, err := schema.NewPackCodec()
	if err != nil {
		return nil, err
	}
	driver, err := link.NewDriver(link.DriverConfig{
		Leaf: leaf, Now: n.cfg.Now,
		Core: link.Config{
			Branch: id.Branch, Boot: boot[:8], Version: n.cfg.Version, Store: n.store, Codec: codec,
			Sign:     func(b []byte) ([]byte, error) { return signer.Sign(b), nil },
			VerifyHQ: verify, SchemaMin: n.cfg.SchemaMin, SchemaMax: n.cfg.SchemaMax, FreeDisk: func() int64 { return blob.Free(n.cfg.Dir) },
			Rand: rand.New(rand.NewPCG(binary.BigEndian.Uint64(seed[:8]), binary.BigEndian.Uint64(seed[8:]))),
			Log:  n.cfg.Log, Limits: n.cfg.Limits,
		},
	})
	if err != nil {
		codec.Close()
		return nil, err
	}
	if err := leaf.Start(); err != nil {
		codec.Close()
		return nil, err
	}
	return &line{leaf, driver, codec}, nil
}

// run drives the link until ctx ends.
func (l *line) run(ctx context.Context, n *Node) error {
	defer l.codec.Close()
	leafCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	leafDone := make(chan error, 1)
	go func() { leafDone <- l.leaf.Run(leafCtx) }()
	watch := n.store.ChangesOf(func(e store.Event) bool { return e.Own })
	defer watch.Close()
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		for {
			if _, err := watch.Next(ctx); err != nil {
				return // ctx ended, or the store closed, which is the end too
			}
			l.driver.Wake()
		}
	}()
	err := l.driver.Run(ctx)
	stop()
	<-woken
	if lerr := <-leafDone; err == nil {
		err = lerr
	}
	return err
}

// down tells whether there is no link at this moment. A nil line is none.
func (l *line) down() bool { return l == nil || l.driver.Status().Phase == link.Down }
