package node

import (
	"context"
	"crypto/tls"

	"branchline/node/act"
	"branchline/node/api"
	"branchline/node/counter"
	"branchline/node/workshop"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/account"
	"branchline/schema/serve"
)

// newServer puts API, pages and accounts together.
func (n *Node) newServer(ctx context.Context) (err error) {
	n.accounts, err = account.New(account.Config{Site: access.Node, DB: n.store.DB(), Now: n.cfg.Now, Rand: n.cfg.Rand, Log: n.cfg.Log})
	if err != nil {
		return err
	}
	records, sites, err := api.New(api.Config{Store: n.store, Line: n, Known: &n.known, Files: n.files, ZoneNow: n.zone.Load, Version: n.cfg.Version, Now: n.cfg.Now})
	if err != nil {
		return err
	}
	n.records = records
	desk, err := counter.New(counter.Config{Store: n.store, Line: n, Approve: n.accounts.Approve, Zone: n.zone.Load, Now: n.cfg.Now})
	if err != nil {
		return err
	}
	bays, err := workshop.New(act.Acts{Store: n.store, Zone: n.zone.Load, Now: n.cfg.Now})
	if err != nil {
		return err
	}
	id, err := n.store.Identity(ctx)
	if err != nil {
		return err
	}
	var secure *tls.Config
	if len(id.HostCert) > 0 && len(id.HostKey) > 0 {
		if err := n.useHostCert(id.HostCert, id.HostKey); err != nil {
			return err
		}
		// Asked at each handshake: a renewed certificate counts from the next one on.
		secure = &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return n.hostCert.Load(), nil
		}}
	}
	host := n.cfg.Host
	if names := n.cfg.names(); len(names) > 0 {
		host = names[0] // what people are given is what the certificate bears
	}
	n.server, err = serve.New(serve.Config{
		Site: access.Node, Listen: n.cfg.Listen, TLS: secure, Host: host, CA: n.caPEM, Accounts: n.accounts,
		Records: records, Sites: sites, Counter: desk, Workshop: bays, Pages: n.pages, Dir: n.cfg.Dir, Version: n.cfg.Version, CAFingerprint: id.CAFingerprint,
		Now: n.cfg.Now, Rand: n.cfg.Rand, Log: n.cfg.Log,
	})
	return err
}

func (n *Node) caPEM() []byte {
	id, err := n.store.Identity(context.Background())
	if err != nil {
		n.log.Error("certificate authority", "err", err)
		return nil
	}
	return id.CA
}

// Branch is this branch's code; "" before it is enrolled.
func (n *Node) Branch() schema.BranchID {
	id, err := n.store.Identity(context.Background())
	if err != nil {
		n.log.Error("identity", "err", err)
		return ""
	}
	return id.Branch
}

// URL is where people reach the node; "" when it serves nothing.
func (n *Node) URL() string {
	if n.server == nil {
		return ""
	}
	return n.server.URL()
}

// Up is closed when Run serves and the folder's run.json tells commands so; nil
// when the node serves nothing.
func (n *Node) Up() <-chan struct{} {
	if n.server == nil {
		return nil
	}
	return n.server.Up()
}

// Server is the node's API and pages; nil when it serves nothing.
func (n *Node) Server() *serve.Server { return n.server }

// API are the handlers of records, for those in the process that need no wire; nil when the node serves nothing.
func (n *Node) API() *api.Records { return n.records }

// FirstAccount is the first administrator and the password made at this start;
// both empty when the site had accounts already.
func (n *Node) FirstAccount() (account, password string) { return n.first[0], n.first[1] }
